"""Every line of the ledger against every mailbox. Pure functions.

A message that a server may or may not have taken (the connection ended after the final dot and before the answer, or the prober
died meanwhile) is sent again, as every mail server does; RFC 1047 says why that makes duplicates. So each uncertain
attempt excuses one more copy, and nothing else excuses any.
"""

import collections

# What became of a message, and what it means.
STATES = {
    "once": "accepted and delivered once",
    "late": "accepted and delivered once, but late",
    "uncertain_duplicate": "delivered more than once, after attempts whose answer was lost",
    "uncertain_delivered": "never known to be accepted, and delivered: the answer was lost",
    "not_accepted": "no server accepted it, none refused it for good, and it is in no mailbox",
    "wrongly_refused": "refused with 5xx though it is valid, and never accepted",
    "lost": "accepted and in no mailbox",
    "duplicated": "delivered more often than any lost answer explains",
    "misdelivered": "in a mailbox it was not sent to",
    "unexplained": "refused by every server asked, and delivered all the same",
}
# The service has broken its promise.
BROKEN = ("wrongly_refused", "lost", "duplicated", "misdelivered", "unexplained")


def messages(records):
    """{n: {n, p, port, to, size, vip, first_vip, begun, attempts, accepted, uncertain, denied, refused, seen, first}} from the records.

    ``begun`` is the time of the first attempt, ``accepted`` and ``seen`` are times or None, ``vip`` is the address that
    accepted, or was tried last (``first_vip`` was tried first), ``uncertain`` counts attempts without a known outcome, ``denied``
    sessions that were turned away with 5xx, after which it is tried again; ``refused`` says that the message itself was, which is final;
    ``first`` says that it was seen by the first look after a restart, so that it may have been there long before.
    """
    known, open_attempts = {}, set()
    for record in records:
        kind = record["e"]
        if kind == "try":
            message = known.setdefault(record["n"], {
                "n": record["n"], "p": record["p"], "port": record["port"], "to": record["to"], "size": record["size"],
                "first_vip": record["vip"],
                "begun": record["t"], "attempts": 0, "accepted": None, "uncertain": 0, "denied": 0, "refused": False, "seen": None, "first": False})
            message["attempts"] = record["a"]
            message["vip"] = record["vip"]
            open_attempts.add((record["n"], record["a"]))
        elif kind == "end":
            open_attempts.discard((record["n"], record["a"]))
            message = known[record["n"]]
            if record["outcome"] == "accepted":
                message["accepted"] = record["t"]
            elif record["outcome"] == "uncertain":
                message["uncertain"] += 1
            elif record["outcome"] == "denied":
                message["denied"] += 1
            elif record["outcome"] == "refused":
                message["refused"] = True
        elif kind == "seen" and record["n"] in known:
            message = known[record["n"]]
            if message["seen"] is None and record["to"] == message["to"]:
                message["seen"], message["first"] = record["t"], record["first"]
    for number, _attempt in open_attempts:
        known[number]["uncertain"] += 1
    return known


def delay(message, end):
    """(seconds from the 250 to the mailbox or None, whether that is only a lower bound), where watching ended at ``end``."""
    if message["accepted"] is None or message["first"]:
        return None, False
    if message["seen"] is None:
        return max(0, end - message["accepted"]), True
    # The mailbox may have it a moment before the sender reads the 250.
    return max(0, message["seen"] - message["accepted"]), False


def state(message, copies, strangers, late, end):
    """What became of a message (a key of STATES).

    :param copies: how often it is in the mailbox of its recipient.
    :param strangers: how often it is in others.
    :param late: limit in seconds.
    :param end: when watching ended.
    """
    accepted = message["accepted"] is not None
    if strangers:
        return "misdelivered"
    if not copies:
        if accepted:
            return "lost"
        return "wrongly_refused" if message["refused"] or message["denied"] else "not_accepted"
    if not accepted and not message["uncertain"]:
        return "unexplained"
    if copies > accepted + message["uncertain"]:
        return "duplicated"
    if copies > 1:
        return "uncertain_duplicate"
    if not accepted:
        return "uncertain_delivered"
    seconds, _bound = delay(message, end)
    return "late" if seconds is not None and seconds > late else "once"


def reconcile(known, mailboxes, late, end):
    """{n: {state, copies, strangers: [account], delay}} for every message; ``mailboxes`` is {account: [n, n, ...]} as found.

    A number that the ledger does not know is in none of them: see ``unknown``.
    """
    where = collections.defaultdict(collections.Counter)
    for account, numbers in mailboxes.items():
        for number in numbers:
            where[number][account] += 1
    result = {}
    for number, message in known.items():
        copies = where[number][message["to"]]
        strangers = sorted(account for account, count in where[number].items() if account != message["to"] and count)
        result[number] = {"state": state(message, copies, strangers, late, end), "copies": copies, "strangers": strangers,
                          "delay": delay(message, end)[0]}
    return result


def unknown(known, mailboxes):
    """Numbers found in a mailbox that the ledger never sent (sorted list): the ledger itself is damaged."""
    return sorted({number for numbers in mailboxes.values() for number in numbers} - set(known))
