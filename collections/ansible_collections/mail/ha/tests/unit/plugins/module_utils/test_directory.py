# Copyright: the ha-mail authors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

import copy

import pytest

from ansible_collections.mail.ha.plugins.module_utils import directory, passwords

STORED = passwords.make_hash('secret-one', 'SSHA512')
CURRENT = {
    'seats': ['seat02', 'seat01', 'seat03'],
    'domains': {'a.test': {'catch_all': 'anna@a.test', 'enabled': True}, 'b.test': {'catch_all': None, 'enabled': True}},
    'accounts': {'anna@a.test': {'password': STORED, 'quota_bytes': 5, 'seat': 'seat02', 'enabled': True}},
    'aliases': {'info@a.test': {'destinations': ['anna@a.test', 'x@elsewhere.example']}},
}


def plan(wanted, current=None, **settings):
    before = copy.deepcopy(current or CURRENT)
    kept = copy.deepcopy(before)
    result = directory.plan(before, wanted, **{'scheme': 'SSHA512', **settings})
    assert before == kept, 'plan() changed its input'
    return result


def refused(wanted, part, **settings):
    _changes, errors = plan(wanted, **settings)
    assert len(errors) == 1, errors
    assert part in errors[0]
    assert 'secret' not in errors[0]


def test_what_is_there_is_no_change():
    wanted = {
        'domains': [{'name': 'a.test', 'catch_all': 'anna@a.test'}],
        'accounts': [{'address': 'anna@a.test', 'password': 'secret-one', 'quota': 5}],
        'aliases': [{'address': 'info@a.test', 'destinations': ['x@elsewhere.example', 'anna@a.test']}],
    }
    assert plan(wanted) == ([], [])


def test_omitted_keys_are_kept_for_single_objects():
    assert plan({'domains': [{'name': 'a.test'}], 'accounts': [{'address': 'anna@a.test'}], 'aliases': [{'address': 'info@a.test'}]}) == ([], [])


def test_omitted_keys_take_defaults_in_lists():
    wanted = directory.with_defaults({'domains': [{'name': 'a.test', 'catch_all': None}], 'accounts': [{'address': 'anna@a.test'}]})
    changes, errors = plan(wanted)
    assert errors == []
    assert [(change['name'], change['after']) for change in changes] == [
        ('a.test', {'catch_all': None, 'enabled': True}),
        ('anna@a.test', {'password': STORED, 'quota_bytes': 2 ** 30, 'seat': 'seat02', 'enabled': True}),
    ]


def test_new_accounts_go_to_the_least_loaded_seats_in_a_fixed_order():
    names = ['e@b.test', 'd@b.test', 'c@b.test', 'b@b.test']
    for order in (names, names[::-1]):
        changes, errors = plan({'accounts': [{'address': name, 'password': 'secret'} for name in order]})
        assert errors == []
        assert [(change['name'], change['after']['seat']) for change in changes] == [
            ('b@b.test', 'seat01'), ('c@b.test', 'seat03'), ('d@b.test', 'seat01'), ('e@b.test', 'seat02')]


def test_a_seat_that_is_given_wins():
    changes, _errors = plan({'accounts': [{'address': 'anna@a.test', 'seat': 'seat03'}]})
    assert changes[0]['after']['seat'] == 'seat03'


def test_rehash():
    assert plan({'accounts': [{'address': 'anna@a.test', 'password': 'secret-two'}]}, update_password='on_create') == ([], [])
    changes, _errors = plan({'accounts': [{'address': 'anna@a.test', 'password': 'secret-two'}]})
    assert passwords.verify('secret-two', changes[0]['after']['password'])
    changes, _errors = plan({'accounts': [{'address': 'anna@a.test', 'password': 'secret-one'}]}, scheme='BLF-CRYPT', cost={'rounds': 4})
    assert changes[0]['after']['password'].startswith('{BLF-CRYPT}')
    changes, _errors = plan({'accounts': [{'address': 'anna@a.test', 'password_hash': passwords.make_hash('x', 'SSHA256')}]})
    assert changes[0]['after']['password'].startswith('{SSHA256}')


@pytest.mark.parametrize(('wanted', 'part'), [
    ({'domains': [{'name': 'A.test'}]}, 'lower case'),
    ({'domains': [{'name': 'c.test', 'catch_all': 'x@c.test'}]}, 'catch_all of c.test runs into a loop'),
    ({'domains': [{'name': 'b.test', 'catch_all': 'x'}]}, "catch_all 'x' is no mail address"),
    ({'domains': [{'name': 'a.test', 'state': 'absent'}]}, 'domain a.test still has 1 account(s) and 1 alias(es); remove them first, or set force'),
    ({'accounts': [{'address': 'x@c.test', 'password': 'secret'}]}, "the domain 'c.test' does not exist; create it first"),
    ({'accounts': [{'address': 'x@b.test'}]}, 'neither password nor password_hash'),
    ({'accounts': [{'address': 'x@b.test', 'password': ''}]}, 'the password is empty'),
    ({'accounts': [{'address': 'x@b.test', 'password_hash': '{PLAIN}secret'}]}, 'weak scheme PLAIN'),
    ({'accounts': [{'address': 'x@b.test', 'password': 'secret', 'quota': 'much'}]}, "quota 'much' is no size"),
    ({'accounts': [{'address': 'x@b.test', 'password': 'secret', 'seat': 'seat9'}]}, "seat 'seat9' does not exist; there are seat01, seat02, seat03"),
    ({'accounts': [{'address': 'info@a.test', 'password': 'secret'}]}, 'there is an alias of that address'),
    ({'accounts': [{'address': 'a+b@a.test', 'password': 'secret'}]}, 'subaddress'),
    ({'aliases': [{'address': 'anna@a.test', 'destinations': ['x@y.example']}]}, 'there is an account of that address'),
    ({'aliases': [{'address': 'x@c.test', 'destinations': ['x@y.example']}]}, "the domain 'c.test' does not exist"),
    ({'aliases': [{'address': 'x@a.test'}]}, 'must hold at least one address'),
    ({'aliases': [{'address': 'x@a.test', 'destinations': []}]}, 'must hold at least one address'),
    ({'aliases': [{'address': 'x@a.test', 'destinations': ['x@a.test']}]}, 'leads to itself'),
    ({'aliases': [{'address': 'x@a.test', 'destinations': ['anna@a.test', 'anna@a.test']}]}, 'is there twice'),
    ({'aliases': [{'address': 'x@a.test', 'destinations': ['y']}]}, "destination 'y' is no mail address"),
    ({'aliases': [{'address': 'x@a.test', 'destinations': ['nobody@b.test']}]}, 'neither an account nor an alias'),
])
def test_refusals(wanted, part):
    refused(wanted, part)


def test_a_loop_over_two_aliases_names_the_chain():
    _changes, errors = plan({'aliases': [{'address': 'x@a.test', 'destinations': ['y@a.test']}, {'address': 'y@a.test', 'destinations': ['x@a.test']}]})
    assert 'alias x@a.test runs into a loop (x@a.test -> y@a.test -> x@a.test)' in errors[0]


def test_an_account_that_others_lead_to_stays():
    current = copy.deepcopy(CURRENT)
    current['domains']['a.test']['catch_all'] = None
    _changes, errors = plan({'accounts': [{'address': 'anna@a.test', 'state': 'absent'}]}, current)
    assert errors == ["alias info@a.test delivers to 'anna@a.test', which is neither an account nor an alias of that domain; "
                      'create it, or correct the destination']


def test_an_old_problem_does_not_block_other_changes():
    current = copy.deepcopy(CURRENT)
    current['aliases']['old@b.test'] = {'destinations': ['gone@b.test']}
    changes, errors = plan({'accounts': [{'address': 'x@b.test', 'password': 'secret'}]}, current)
    assert errors == []
    assert [change['name'] for change in changes] == ['x@b.test']


def test_forced_removal_takes_everything_in_an_order_that_foreign_keys_allow():
    changes, errors = plan({'domains': [{'name': 'a.test', 'state': 'absent'}]}, force=True)
    assert errors == []
    assert [(change['kind'], change['after']) for change in changes] == [('alias', None), ('account', None), ('domain', None)]


def test_absent_twice():
    wanted = {'domains': [{'name': 'c.test', 'state': 'absent'}], 'accounts': [{'address': 'x@b.test', 'state': 'absent'}],
              'aliases': [{'address': 'y@b.test', 'state': 'absent'}]}
    assert plan(wanted) == ([], [])


def test_an_account_can_become_an_alias_in_one_run():
    current = copy.deepcopy(CURRENT)
    current['aliases'] = {}
    current['accounts']['ben@b.test'] = dict(current['accounts']['anna@a.test'])
    wanted = {'accounts': [{'address': 'ben@b.test', 'state': 'absent'}], 'aliases': [{'address': 'ben@b.test', 'destinations': ['anna@a.test']}]}
    changes, errors = plan(wanted, current)
    assert errors == []
    assert [(change['kind'], change['after'] is None) for change in changes] == [('account', True), ('alias', False)]


def test_no_seat():
    current = {**CURRENT, 'seats': [], 'accounts': {}, 'aliases': {}, 'domains': {'b.test': {'catch_all': None, 'enabled': True}}}
    _changes, errors = plan({'accounts': [{'address': 'x@b.test', 'password': 'secret'}]}, current)
    assert 'the directory has no seat' in errors[0]


def test_no_description_holds_a_password_or_a_hash():
    wanted = {'accounts': [{'address': 'anna@a.test', 'password': 'secret-two'}, {'address': 'new@b.test', 'password': 'secret-three'},]}
    changes, _errors = plan(wanted)
    removed, _errors = plan({'aliases': [{'address': 'info@a.test', 'state': 'absent'}], 'domains': [{'name': 'a.test', 'catch_all': ''}],
                             'accounts': [{'address': 'anna@a.test', 'state': 'absent'}]})
    text = str([directory.describe(change) for change in changes + removed]) + str(directory.diff_of(changes + removed))
    assert '(changed)' in text
    assert 'secret' not in text
    assert 'SSHA' not in text
    assert [directory.describe(change)['action'] for change in changes] == ['updated', 'created']
    assert [directory.describe(change)['action'] for change in removed] == ['removed', 'removed', 'updated']


def test_an_unchanged_password_is_not_called_changed():
    changes, _errors = plan({'accounts': [{'address': 'anna@a.test', 'quota': 6}]})
    assert directory.diff_of(changes) == {
        'before': {'account anna@a.test': {'quota_bytes': 5, 'seat': 'seat02', 'enabled': True}},
        'after': {'account anna@a.test': {'quota_bytes': 6, 'seat': 'seat02', 'enabled': True}},
    }


def test_statements_have_a_parameter_for_every_placeholder():
    changes, _errors = plan({'domains': [{'name': 'c.test'}, {'name': 'a.test', 'state': 'absent'}],
                             'accounts': [{'address': 'x@b.test', 'password': 'secret'}],
                             'aliases': [{'address': 'y@b.test', 'destinations': ['x@b.test']}]}, force=True)
    assert len(changes) == 6
    for change in changes:
        for statement, values in directory.statements(change):
            assert statement.count('%s') == len(values)
