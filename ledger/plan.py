"""Which message comes n-th. A pure function of n, so that a prober that was killed goes on with the same messages."""

import email.utils

DOMAIN = "ledger.invalid"
LINE = "The loss ledger counts this message. " * 2 + "\r\n"


def message_id(run, number):
    """The Message-ID of message ``number``."""
    return f"<{run}.{number}@{DOMAIN}>"


def number_of(text, run):
    """The number within a Message-ID of this run, or None."""
    inner = text.strip().strip("<>")
    head, _dot, number = inner.removesuffix(f"@{DOMAIN}").rpartition(".")
    return int(number) if head == run and inner.endswith(f"@{DOMAIN}") and number.isdigit() else None


def planned(site, number):
    """Message ``number``: {p, port, vip (index of the first to try), to, size}. Every address meets every service and account."""
    vips, services, accounts = site["vips"], site["services"], sorted(site["accounts"])
    turn, vip = divmod(number, len(vips))
    turn, service = divmod(turn, len(services))
    # Knuth's multiplicative hash: sizes look mixed, and are the same again after a restart.
    lot = number * 2654435761 % 2 ** 32 * 100 // 2 ** 32
    for size, share in site["sizes"]:
        if lot < share:
            break
        lot -= share
    return {"p": services[service][0], "port": services[service][1], "vip": vip, "to": accounts[turn % len(accounts)], "size": size}


def sender_of(site, plan):
    """Who sends it: users write to themselves, everything else comes from outside."""
    return plan["to"] if plan["p"] == "submission" else site["sender"]


def compose(site, run, number, when):
    """The bytes of message ``number``."""
    plan = planned(site, number)
    head = (f"From: {sender_of(site, plan)}\r\nTo: {plan['to']}\r\nSubject: ledger {site['name']} {number}\r\n"
            f"Date: {email.utils.formatdate(when)}\r\nMessage-ID: {message_id(run, number)}\r\n\r\n")
    return (head + LINE * max(1, (plan["size"] - len(head)) // len(LINE))).encode()
