# Copyright: the ha-mail authors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""The node is mail1 of a running cluster, cut to two seats."""

from __future__ import annotations

import json

import pytest

from ansible_collections.mail.ha.plugins.module_utils import neighbours, vrrp
from ansible_collections.mail.ha.plugins.module_utils.checks import vrrp as check

HELD = {'name': 'seat01', 'address': '10.77.1.201', 'state': 'MASTER', 'priority': 254, 'since': 1795556351.640158, 'address_present': True,
        'good': True}
FREE = {'name': 'seat02', 'address': '10.77.1.202', 'state': 'BACKUP', 'priority': 154, 'since': 1795556352.314387, 'address_present': False,
        'good': True}
LINKS = [{'ifname': 'lo', 'link_type': 'loopback', 'address': '00:00:00:00:00:00', 'addr_info': []},
         {'ifname': 'dmz0', 'link_type': 'ether', 'address': '36:fd:ae:18:ab:f0', 'addr_info': [
             {'local': '10.77.1.21', 'prefixlen': 24}, {'local': '10.77.1.201', 'prefixlen': 32}]}]
ADDRESSES = [{'name': 'seat01', 'address': '10.77.1.201'}, {'name': 'seat02', 'address': '10.77.1.202'}]


def node(instances=(HELD, FREE)):
    """A stand-in for asking.run."""
    def run(command):
        if command[-3:] == ['ip', '-json', 'address']:
            return 0, json.dumps(LINKS), ''
        assert command == [check.PROGRAM, 'status']
        return 0 if all(entry['good'] for entry in instances) else 1, json.dumps(list(instances)), ''
    return run


def network(**answers):
    """A stand-in for neighbours.ask: MACs by the last byte of the address."""
    def ask(addresses, links, seconds):
        assert links == LINKS and seconds == 0.6
        return {address: answers.get('_' + address.rpartition('.')[2], []) for address in addresses}
    return ask


def parameters(**changed):
    return dict({'status': True, 'addresses': ADDRESSES, 'arp': True, 'wait': 0.6}, **changed)


def test_what_a_node_and_its_neighbours_say():
    assert check.examine(parameters(), node(), network(_202=['22:b0:0e:22:88:c6'])) == {
        'instances': [HELD, FREE],
        'neighbours': [{'name': 'seat01', 'address': '10.77.1.201', 'macs': []},
                       {'name': 'seat02', 'address': '10.77.1.202', 'macs': ['22:b0:0e:22:88:c6']}],
        'macs': {'36:fd:ae:18:ab:f0': 'dmz0'},
        'problems': [],
    }


def test_without_arp_nobody_is_asked():
    answer = check.examine(parameters(arp=False), node(), ask=None)
    assert (answer['neighbours'], answer['problems']) == ([], [])


def test_a_host_without_keepalived_only_looks():
    answer = check.examine(parameters(status=False), node(), network(_201=['a'], _202=['b', 'c']))
    assert answer['instances'] == []
    problem, = answer['problems']
    assert problem.startswith('seat02 (10.77.1.202): b, c answer for it, expected one')


def test_what_is_wrong_here_and_another_holder_are_problems():
    broken = dict(FREE, state='FAULT', good=False)
    problems = check.examine(parameters(), node([HELD, broken]), network(_201=['22:b0:0e:22:88:c6']))['problems']
    assert [problem.partition(':')[0] for problem in problems] == ['seat02 (10.77.1.202)', 'seat01 (10.77.1.201)']
    assert 'state FAULT' in problems[0] and 'only this node to hold it' in problems[1]


def test_no_keepalived_is_a_failure_with_the_cure():
    def run(command):
        raise FileNotFoundError(2, 'No such file or directory')
    with pytest.raises(vrrp.VrrpError, match='vrrp-addresses status: .*No such file.* Apply the role keepalived to this host'):
        check.examine(parameters(), run)


def test_an_address_of_another_network_is_a_failure():
    with pytest.raises(neighbours.NeighbourError, match='203.0.113.9 is in no network of this host'):
        check.examine(parameters(addresses=[{'name': 'far', 'address': '203.0.113.9'}]), node())
