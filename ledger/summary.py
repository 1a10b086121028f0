"""All that a ledger says, in one structure: the JSON report, from which the other two are rendered. Pure functions."""

import collections
import datetime
import json

from . import figures, plan, reconcile


class EventsError(Exception):
    """The file of events cannot be understood; the text says where."""


def events(text):
    """JSON lines {time: seconds or ISO 8601, kind, text} -> the same with times in seconds, in order. Raises EventsError."""
    found = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        try:
            event = json.loads(line)
            time = event["time"]
            if isinstance(time, str):
                time = datetime.datetime.fromisoformat(time).timestamp()
            found.append({"time": float(time), "kind": str(event["kind"]), "text": str(event["text"])})
        except (ValueError, KeyError, TypeError) as error:
            raise EventsError(f"line {number} of the events is no {{time, kind, text}}: {error!r}") from error
    return sorted(found, key=lambda event: event["time"])


def spans(records):
    """[(begin, end)]: when messages were sent. A prober that was killed watched nothing until it was started again."""
    found, begin, last = [], None, None
    for record in records:
        if record["e"] in ("run", "stop") and begin is not None:
            found.append((begin, record["t"] if record["e"] == "stop" else last))
            begin = None
        elif record["e"] == "sending":
            begin = record["t"]
        # Notes come to disk in batches, so the last line is not always the latest.
        last = max(last or 0, record["t"])
    return found + ([(begin, last)] if begin is not None else [])


def service(successes, seconds, failures, watched):
    """One row: {"count", "failed", "longest_gap", "seconds": percentiles, "errors": {kind: count}}."""
    return {"count": len(successes), "failed": sum(failures.values()), "longest_gap": figures.longest_gap(successes, watched),
            "seconds": figures.percentiles(seconds), "errors": dict(failures.most_common())}


def rows(records, protocol, name, good, watched):
    """The row of a protocol, with one for each address under "vips". ``name`` is "end" or "probe", ``good`` says what succeeded."""
    chosen = [record for record in records if record["e"] == name and record["p"] == protocol]

    def row(some):
        fine = [record for record in some if good(record)]
        failures = collections.Counter(record["kind"] for record in some if not good(record))
        return service([record["t"] for record in fine], [record["s"] for record in fine], failures, watched)

    return row(chosen) | {"vips": {vip: row([record for record in chosen if record["vip"] == vip])
                                   for vip in sorted({record["vip"] for record in chosen})}}


def at_one_address(row):
    """The row with the longest gap of the address that had it: a client that chose this one waits, though another answers."""
    gaps = [one["longest_gap"] for one in row["vips"].values() if one["longest_gap"]]
    return row | {"longest_gap": max(gaps, key=lambda gap: gap["seconds"], default=None)}


def balance(entries, known):
    """{"sent", "accepted", one count for each state} of some messages; ``entries`` is {n: what reconcile says}."""
    counts = collections.Counter(entry["state"] for entry in entries.values())
    return {"sent": len(entries), "accepted": sum(known[n]["accepted"] is not None for n in entries)} \
        | {name: counts[name] for name in reconcile.STATES}


def summarise(site, records, torn, mailboxes, faults):
    """The whole report as plain data.

    :param site: what settings.load gives; passwords are not copied.
    :param records: all records of the ledger. :param torn: lines that were cut off.
    :param mailboxes: {account or sink: [n, ...]} found at the end. :param faults: what ``events`` gives.
    """
    watched = spans(records)
    begin, end = (watched[0][0], watched[-1][1]) if watched else (0, 0)
    closed = max((record["t"] for record in records), default=0)
    known = reconcile.messages(records)
    tried = {(record["n"], record["a"]): record for record in records if record["e"] == "try"}
    # An end knows where it belongs by its try.
    records = [record | {key: tried[record["n"], record["a"]][key] for key in ("p", "port", "vip")} if record["e"] == "end" else record
               for record in records]
    result = reconcile.reconcile(known, mailboxes, site["late"], closed)
    stalls = [record["s"] for record in records if record["e"] == "stall"]
    accepted = [message for message in known.values() if message["accepted"] is not None]
    delays = {n: entry["delay"] for n, entry in result.items() if entry["delay"] is not None and known[n]["seen"] is not None}
    directions = {}
    for p in plan.DIRECTIONS:
        some = {n: entry for n, entry in result.items() if known[n]["p"] == p}
        directions[p] = balance(some, known) | {"delivery": figures.percentiles([delays[n] for n in some if n in delays])}
    summary = {
        "name": site["name"],
        "run": next((record["run"] for record in records if record["e"] == "run"), None),
        "begin": begin, "end": end, "closed": closed, "seconds": round(end - begin, 1),
        "asked": {key: site[key] for key in ("rate", "vips", "service_name", "late", "foreign_domain", "probe_interval")}
                 | {"accounts": sorted(site["accounts"])},
        "prober": {"starts": [record["t"] for record in records if record["e"] == "run"],
                   "finished": any(record["e"] == "done" for record in records),
                   "torn_lines": torn, "stalls": len(stalls), "longest_stall": max(stalls, default=0)},
        "messages": balance(result, known),
        "directions": directions,
        "unproved": [p for p, of_way in directions.items() if of_way["sent"] and not of_way["accepted"]],
        "unknown": reconcile.unknown(known, mailboxes),
        "services": {p: rows(records, p, "end", lambda r: r["outcome"] == "accepted", watched) for p in directions if directions[p]["sent"]},
        "probes": {p: at_one_address(rows(records, p, "probe", lambda r: r["ok"], watched)) for p in ("smtp", "submission", "imap")},
        "delivery": figures.percentiles(delays.values()),
        "elsewhere": sum(message["vip"] != message["first_vip"] for message in accepted),
        "retried": sum(message["attempts"] > 1 for message in known.values()),
        "idle": {account: figures.blind(
            [message["accepted"] for message in accepted if message["to"] == account and not message["first"]],
            [record["t"] for record in records if record.get("to") == account
             and (record["e"] == "push" or record["e"] == "session" and record["by"] == "idle" and record["up"])], closed)
            for account in sorted(site["accounts"])},
        "faults": faults,
        "notable": [dict(known[n]) | entry | {"meaning": reconcile.STATES[entry["state"]]}
                    for n, entry in sorted(result.items()) if entry["state"] != "once"],
        "timeline": timeline(records, [(known[n]["seen"], seconds) for n, seconds in delays.items()], begin, closed - begin),
    }
    return summary | {"verdict": verdict(summary)}


def timeline(records, delays, begin, seconds):
    """Figures per second from ``begin`` on: accepted, failed, probes_failed (counts) and delay (longest of what came in that second)."""
    longest = [0] * len(figures.per_second([], begin, seconds))
    for seen, delay in delays:
        second = int(seen - begin)
        if 0 <= second < len(longest):
            longest[second] = max(longest[second], round(delay, 3))

    def chosen(good):
        return figures.per_second([record["t"] for record in records if good(record)], begin, seconds)

    return {"accepted": chosen(lambda r: r["e"] == "end" and r["outcome"] == "accepted"),
            "failed": chosen(lambda r: r["e"] == "end" and r["outcome"] != "accepted"),
            "probes_failed": {p: chosen(lambda r, p=p: r["e"] == "probe" and r["p"] == p and not r["ok"])
                              for p in ("smtp", "submission", "imap")},
            "delay": longest}


def to_the_internet(summary):
    """A sentence on what the ledger knows of users' mail to others."""
    counts = summary["directions"]["outbound"]
    if not summary["asked"]["foreign_domain"]:
        return "Mail to the Internet was not tried: the settings name no foreign_domain."
    if not counts["sent"]:
        return "Mail to the Internet was not tried: the run was too short."
    longest = counts["delivery"]["max"]
    return f"{counts['accepted']} of the accepted were to the Internet" + ("." if longest is None else f"; the slowest came after {longest:.1f} s.")


def verdict(summary):
    """{"ok", "sentences"}: what was promised and broken, in words; ok means that no promise was."""
    counts, told = summary["messages"], []
    for name in reconcile.BROKEN:
        if counts[name]:
            told.append(f"{counts[name]} of {counts['sent']} messages: {reconcile.STATES[name]}.")
    if summary["unknown"]:
        told.append(f"{len(summary['unknown'])} messages in the mailboxes are not in the ledger: the ledger is damaged.")
    if not counts["accepted"]:
        told.append("No message was accepted: nothing is proved.")
    else:
        told += [f"No message {plan.DIRECTIONS[p]} was accepted: nothing is proved of that way." for p in summary["unproved"]]
    ok = not told
    if ok:
        told.append(f"All {counts['accepted']} messages that were accepted are in their mailboxes, each once"
                    + (f" ({counts['uncertain_duplicate']} more than once, after a lost answer)" if counts["uncertain_duplicate"] else "") + ".")
    if counts["late"]:
        told.append(f"{counts['late']} came later than {summary['asked']['late']:g} s.")
    if counts["not_accepted"]:
        told.append(f"{counts['not_accepted']} were accepted by no server, and none refused them for good: their senders know it.")
    told.append(to_the_internet(summary))
    gaps = [f"{name} {row['longest_gap']['seconds']:.1f} s" for name, row in summary["probes"].items() if row["longest_gap"]]
    told.append(f"Longest time without service at one address: {', '.join(gaps)}.")
    return {"ok": ok, "sentences": told}
