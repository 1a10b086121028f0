"""Percentiles, gaps and blindness."""

from ledger import figures


def test_percentiles_by_nearest_rank():
    assert figures.percentiles([0.1 * number for number in range(1, 101)]) == {"count": 100, "p50": 5.0, "p90": 9.0, "p99": 9.9, "max": 10.0}
    assert figures.percentiles([3]) == {"count": 1, "p50": 3, "p90": 3, "p99": 3, "max": 3}
    assert figures.percentiles([]) == {"count": 0, "p50": None, "p90": None, "p99": None, "max": None}


def test_gap_between_successes_and_at_both_ends():
    assert figures.longest_gap([1, 2, 8, 9], [(0, 10)]) == {"seconds": 6, "begin": 2, "end": 8}
    assert figures.longest_gap([8, 9], [(0, 10)]) == {"seconds": 8, "begin": 0, "end": 8}
    assert figures.longest_gap([1, 2], [(0, 10)]) == {"seconds": 8, "begin": 2, "end": 10}


def test_a_service_that_never_answers_is_one_gap():
    assert figures.longest_gap([], [(0, 10)]) == {"seconds": 10, "begin": 0, "end": 10}
    assert figures.longest_gap([], []) is None


def test_nobody_watched_between_two_spans():
    """The prober was dead from 4 to 50: no gap of the service."""
    assert figures.longest_gap([1, 2, 3, 51, 53], [(0, 4), (50, 54)])["seconds"] == 2


def test_per_second():
    assert figures.per_second([10.0, 10.9, 12.1, 9.9, 13.5], 10, 3) == [2, 0, 1]


def test_blind_from_the_acceptance_until_told_or_connected_anew():
    assert figures.blind([10, 11, 12], [10.2, 11.1, 30], 60) == {"seconds": 18, "begin": 12, "end": 30, "noticed": True}
    assert figures.blind([10, 11], [10.2], 60) == {"seconds": 49, "begin": 11, "end": 60, "noticed": False}
    assert figures.blind([], [1, 2], 60) is None
