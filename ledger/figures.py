"""Percentiles and gaps. Pure functions."""

import math

RANKS = (50, 90, 99, 100)


def percentiles(values):
    """{"count", "p50", "p90", "p99", "max"} by nearest rank, in the unit of the values; None where there is no value."""
    ordered = sorted(values)
    figures = {"count": len(ordered)}
    for rank in RANKS:
        name = "max" if rank == 100 else f"p{rank}"
        figures[name] = round(ordered[math.ceil(rank / 100 * len(ordered)) - 1], 3) if ordered else None
    return figures


def gaps(times, spans):
    """[(seconds, begin, end)], longest first: how long nothing succeeded within each span [(begin, end)] of watching.

    A span's own begin and end bound the first and the last gap, so that a service that never answers has a gap too.
    """
    ordered = sorted(times)
    found = []
    for begin, end in spans:
        marks = [begin] + [time for time in ordered if begin < time < end] + [end]
        found += [(round(after - before, 3), before, after) for before, after in zip(marks, marks[1:])]
    return sorted(found, key=lambda gap: (-gap[0], gap[1]))


def longest_gap(times, spans):
    """{"seconds", "begin", "end"} of the longest gap, or None when nothing was watched."""
    found = gaps(times, spans)
    return dict(zip(("seconds", "begin", "end"), found[0])) if found else None


def per_second(times, begin, seconds):
    """How many times fall into each second from ``begin`` on (list of int)."""
    counts = [0] * max(1, math.ceil(seconds))
    for time in times:
        second = math.floor(time - begin)
        if 0 <= second < len(counts):
            counts[second] += 1
    return counts


def blind(accepted, awake, end):
    """Longest time a mailbox's owner was blind: {"seconds", "begin", "end", "noticed"} or None when nothing came for him.

    ``accepted``: times at which a server had taken a message for him; ``awake``: times at which his IDLE session was told of
    something or came up anew; ``end``: when the watching ended. ``noticed`` is False where he was blind until the end.
    """
    awake = sorted(awake)
    longest, position = None, 0
    for time in sorted(accepted):
        while position < len(awake) and awake[position] < time:
            position += 1
        noticed = position < len(awake)
        until = awake[position] if noticed else max(end, time)
        if longest is None or until - time > longest["seconds"]:
            longest = {"seconds": round(until - time, 3), "begin": time, "end": until, "noticed": noticed}
    return longest
