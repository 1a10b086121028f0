# Copyright: the ha-mail authors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""What rules fit as boxes, and what others leave of it; compared with every single point where spaces are small enough."""

from __future__ import annotations

import itertools
import random
import time

from ansible_collections.mail.ha.plugins.module_utils import firewall_space

ZONES = [{'name': 'wan', 'internet': True}, {'name': 'dmz', 'networks': ['203.0.113.0/24', '2001:db8:1::/64']}]
SIDE, SIDES = 4, 3


def rule(**change):
    """From everybody to the dmz, over IPv4."""
    return {'from': 'wan', 'to': 'dmz', 'protocol': 'tcp', 'ports': ['25', '80-90'], 'families': [{'version': 4, 'sources': [], 'destinations': []}], **change}


def points(box):
    """All of them."""
    return set(itertools.product(*(range(low, high + 1) for low, high in box)))


def random_box(dice):
    """Somewhere in a small space."""
    return tuple(tuple(sorted((dice.randrange(SIDE), dice.randrange(SIDE)))) for _side in range(SIDES))


def test_a_rule_as_boxes():
    dmz = (0xcb007100, 0xcb0071ff)
    assert firewall_space.boxes(rule(), ZONES) == [
        ((4, 4), (6, 6), (0, 2 ** 32 - 1), dmz, (25, 25)), ((4, 4), (6, 6), (0, 2 ** 32 - 1), dmz, (80, 90))]
    six = {'version': 6, 'sources': ['2001:db8:9::1/128'], 'destinations': []}
    (version, protocol, source, destination, ports), = firewall_space.boxes(rule(protocol='any', ports=[], families=[six]), ZONES)
    assert (version, protocol, ports) == ((6, 6), (0, 255), (0, 65535)) and source[0] == source[1]
    assert destination == (0x20010db8000100000000000000000000, 0x20010db800010000ffffffffffffffff)


def test_what_is_left_is_left_by_all_others_and_nothing_is_overlooked():
    dice, whole, none = random.Random(4), 0, 0
    for _try in range(2000):
        box, others = random_box(dice), [random_box(dice) for _other in range(dice.randrange(8))]
        rest = points(box).difference(*map(points, others))
        found = firewall_space.left(box, others)
        assert (points(found) <= rest and found) if rest else found is None, (box, others, found)
        whole, none = whole + (found == box), none + (found is None)
    # All three happen often enough to mean something.
    assert min(whole, none, 2000 - whole - none) > 100, (whole, none)


def test_many_rules_take_no_long_time():
    """As many as a site that lists everybody it knows, each with a hole of its own, in one that all of them are part of."""
    others = [((4, 4), (6, 6), (2 * number, 2 * number), (0, 255), (25, 25)) for number in range(500)]
    between = [((4, 4), (6, 6), (2 * number + 1, 2 * number + 1), (0, 255), (25, 25)) for number in range(500)]
    # Seconds of the processor: it may have other things to do.
    begun = time.process_time()
    assert firewall_space.left(((4, 4), (0, 255), (0, 1000), (0, 255), (0, 65535)), others)
    assert firewall_space.left(((4, 4), (6, 6), (0, 1000), (0, 255), (25, 25)), others)
    assert firewall_space.left(((4, 4), (6, 6), (0, 999), (0, 255), (25, 25)), others + between) is None
    assert time.process_time() - begun < 5
