# Copyright: the ha-mail authors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Objectives: the defaults, what is refused, and what must hold for any objectives."""

from __future__ import annotations

import itertools

import pytest
from ansible_collections.mail.ha.plugins.module_utils.objectives import RTO, ObjectivesError, complete, derive, predict, refusals, table
from ansible_collections.mail.ha.plugins.module_utils.objectives_failures import FAULTS, REPORTED

# From impossible to loose, with steps that are no round parts of anything.
SCALES = [step * 0.0437 for step in range(1, 60)] + [3.1, 4.9, 7.77, 20, 100]
SERVICES = list(RTO)


def tried(rto):
    """The derivation, or None where the objectives are refused."""
    try:
        return derive({'rto': rto})
    except ObjectivesError:
        return None


def number(value):
    """A timer as a number of its own unit, milliseconds for HAProxy's."""
    if isinstance(value, str) and value[0].isdigit():
        return int(value[:-2]) if value.endswith('ms') else int(value[:-1]) * 1000
    return value


def row(derived, fault, service):
    """The one failure of that name."""
    return next(item for item in derived['failures'] if (item['fault'], item['service']) == (fault, service))


def test_defaults_give_the_timers_that_were_measured():
    assert derive({})['timers'] == {
        'keepalived_advert_interval': 0.2, 'keepalived_down_after_adverts': 3,
        'firewall_pair_advert_interval': 0.2, 'firewall_pair_down_after_adverts': 3, 'firewall_pair_silent_after': 400,
        'keepalived_check_interval': 0.5, 'keepalived_check_timeout': 1.2,
        # A probe each second was 0.3 s too slow for a store that hangs: 1 + 4 + 0.3 is more than the 5 s of imap.
        'keepalived_mail_store_interval': 0.7, 'keepalived_mail_store_timeout': 4.5,
        'haproxy_check_interval': '500ms', 'haproxy_check_timeout': '900ms', 'haproxy_check_again': '100ms', 'haproxy_check_fall': 2,
        'haproxy_connect_timeout': '400ms', 'haproxy_agent_interval': '1s',
        'dovecot_health_memory': 0.4, 'etcd_heartbeat_interval': 100, 'etcd_election_timeout': 1000,
        'postgresql_patroni_ttl': 20, 'postgresql_patroni_loop_wait': 1, 'postgresql_patroni_retry_timeout': 3,
        'postgresql_patroni_primary_start_timeout': 10, 'postgresql_patroni_synchronous_mode': 'quorum',
        'postgresql_patroni_synchronous_node_count': 1, 'postgresql_patroni_synchronous_mode_strict': False,
        'mail_store_probe_deadline': 4, 'mail_store_gluster_ping_timeout': 3, 'dns_ttl': 300}


def test_nothing_given_is_the_defaults():
    assert derive() == derive({}) == derive({'rto': None, 'rpo': {}}) == derive({'rto': dict(RTO), 'rpo': {'queue': 'returns_with_machine'}})
    assert complete({'rto': {'imap': '7'}})['rto']['imap'] == 7.0


def test_default_timers_keep_every_budget():
    late = [item for item in derive({})['failures'] if item['worst'] is not None and item['worst'] > item['allowed']]
    assert [(item['fault'], item['service']) for item in late] == [('mailserver-paused', 'imap')]  # known, and reported


def test_sums_by_hand():
    derived = derive({})
    assert row(derived, 'loadbalancer-cut', 'smtp')['worst'] == 0.9  # 3 x 0.2 + 0.2 + 0.1
    assert row(derived, 'haproxy-killed', 'imap')['worst'] == 1.4  # 0.5 + 3 x 0.2 + 0.2 + 0.1
    assert row(derived, 'haproxy-frozen', 'imap')['worst'] == 2.6  # 0.5 + 1.2 + 0.6 + 0.2 + 0.1
    assert row(derived, 'postfix-frozen', 'smtp')['worst'] == 2.4  # 0.5 + 0.1 + 2 x 0.9
    assert row(derived, 'mailserver-cut', 'imap')['worst'] == 3.5  # the store; the seats take 0.9 meanwhile
    assert row(derived, 'postgresql-leader-cut', 'directory_write')['worst'] == 28.5  # 3 + 20 + 0.5 + 1 + 2 + 2


def test_terms_add_up_and_say_where_they_come_from():
    for item in derive({})['failures']:
        assert sum(term['seconds'] for term in item['terms']) == pytest.approx(item['worst'] or 0)
        assert all(term['name'] and term['source'] for term in item['terms'])


def test_what_is_not_met_says_why_and_how_long_at_most():
    for item in derive({})['failures']:
        assert (item['verdict'] == 'met') == (item['note'] == '') == (item['grace'] is None)
        assert item['grace'] is None or item['grace'] > 0
    assert row(derive({}), 'mailserver-paused', 'imap')['grace'] == 11.0
    assert row(derive({'rto': {'imap': 40}}), 'mailserver-paused', 'imap')['grace'] is None, 'met, so the budget counts'
    assert {(fault, service) for fault, services in FAULTS.items() for service, (_budget, chains) in services.items() if chains is None} <= set(REPORTED)


@pytest.mark.parametrize('service', SERVICES)
def test_objectives_are_met_or_refused(service):
    results = [(RTO[service] * scale, tried({service: RTO[service] * scale})) for scale in SCALES]
    assert any(derived is None for _rto, derived in results) and any(derived for _rto, derived in results)
    for _rto, derived in results:
        for item in derived['failures'] if derived else []:
            assert item['worst'] is None or (item['fault'], item['service']) in REPORTED or item['worst'] <= round(item['objective'], 3)


@pytest.mark.parametrize('service', SERVICES)
def test_the_refusal_names_what_would_be_enough(service):
    found, = refusals({'rto': {service: 0.2}})
    enough = float(found['expected'].split(' ', maxsplit=1)[0])
    assert tried({service: enough}) is not None
    assert tried({service: enough - 0.001}) is None


@pytest.mark.parametrize('service', SERVICES)
@pytest.mark.parametrize('others', [1, 1.7, 4])
def test_a_tighter_objective_never_gives_a_larger_timer(service, others):
    base = {name: seconds * others for name, seconds in RTO.items()}
    derived = [tried(base | {service: RTO[service] * scale}) for scale in SCALES]
    assert all(looser for tighter, looser in itertools.pairwise(derived) if tighter), 'met, and a looser one was refused'
    for tighter, looser in itertools.pairwise([item['timers'] for item in derived if item]):
        for name, value in tighter.items():
            assert name.startswith('postgresql_patroni_synchronous') or number(value) <= number(looser[name]), name


@pytest.mark.parametrize('scale', SCALES)
def test_timers_respect_the_limits_of_their_products(scale):
    derived = tried({name: max(seconds * scale, least) for (name, seconds), least in zip(RTO.items(), (1.2, 2, 4, 29, 400))})
    assert derived
    timers = derived['timers']
    assert 0.05 <= timers['keepalived_advert_interval'] <= 40.95
    # A firewall that is cut off on one side knows it before its peer takes over there.
    assert timers['firewall_pair_silent_after'] < 1000 * timers['firewall_pair_advert_interval'] * timers['firewall_pair_down_after_adverts']
    assert timers['postgresql_patroni_ttl'] >= 20 and timers['postgresql_patroni_loop_wait'] >= 1 and timers['postgresql_patroni_retry_timeout'] >= 3
    assert timers['postgresql_patroni_loop_wait'] + 2 * timers['postgresql_patroni_retry_timeout'] <= timers['postgresql_patroni_ttl']
    assert timers['mail_store_gluster_ping_timeout'] + 0.5 < timers['mail_store_probe_deadline'] < timers['keepalived_mail_store_timeout']
    assert isinstance(timers['mail_store_gluster_ping_timeout'], int)
    # etcd refuses less than five heartbeats; an election takes up to two time-outs, in which Patroni must not give up.
    assert 5 * timers['etcd_heartbeat_interval'] <= timers['etcd_election_timeout'] < 500 * timers['postgresql_patroni_retry_timeout']


@pytest.mark.parametrize('objectives,sentence', [
    ({'rto': {'directory_write': 10}},
     'mail_objectives.rto.directory_write: 10 s asked, but postgresql-leader-cut takes 28.5 s with the tightest timers, of which '
     'postgresql_patroni_ttl alone is 20 s (Patroni: the lock outlives its last renewal; no less than 20 s), expected 28.5 s or more; ask for that much.'),
    ({'rto': {'site': 100}}, 'mail_objectives.rto.site: 100 s asked, but site-lost takes 330 s with the tightest timers, of which people'),
    ({'rpo': {'queue': 0}},
     "mail_objectives.rpo.queue: 0 s asked, but a message waits in the local queue of the node that accepted it, and the journal on a peer "
     "is not there yet, expected 'returns_with_machine'; write that, or leave it out."),
    ({'rpo': {'site': 60}}, 'mail_objectives.rpo.site: 60 s asked, but there is no copy'),
    ({'rpo': {'mailbox': -1}}, "mail_objectives.rpo.mailbox: found '-1', expected seconds, 0 or more, 604800 at most"),
    ({'rpo': {'queue': 'never'}}, "mail_objectives.rpo.queue: found 'never', expected 'returns_with_machine'"),
    ({'rto': {'smtp': 0}}, "mail_objectives.rto.smtp: found '0', expected seconds, more than 0"),
    ({'rto': {'smtp': 'soon'}}, "mail_objectives.rto.smtp: found 'soon'"),
    ({'rto': {'smtp': float('nan')}}, "mail_objectives.rto.smtp: found 'nan'"),
    ({'rto': {'smtp': True}}, "mail_objectives.rto.smtp: found 'True'"),
    ({'rto': {'smpt': 3}}, 'mail_objectives.rto.smpt: nothing reads a key of this name, expected one of smtp, submission'),
])
def test_refused(objectives, sentence):
    found, = refusals(objectives)
    assert found['message'].startswith(sentence)
    with pytest.raises(ObjectivesError) as error:
        derive(objectives)
    assert str(error.value) == found['message']


def test_predict():
    assert predict()['mailserver-cut'] == {'smtp': 0.4, 'submission': 0.4, 'imap': 3.5, 'directory_write': 28.5}
    assert predict(fault='two-of-three-cut')['imap'] is None
    assert predict(fault='loadbalancer-cut', service='smtp') == 0.9
    assert predict(fault='postfix-frozen', service='imap') == 0.0
    assert set(predict()) == set(FAULTS)
    with pytest.raises(ObjectivesError, match="fault: found 'fire', expected one of firewall-killed, "):
        predict(fault='fire')
    with pytest.raises(ObjectivesError, match="service: found 'pop3', expected one of smtp, "):
        predict(fault='postfix-frozen', service='pop3')


def test_table():
    lines = table(derive({}))
    assert ('| loadbalancer-cut | smtp, submission | 0.9 s | 0.6 s keepalived_advert_interval x 3 '
            '+ 0.2 s skew of the backup, at most keepalived_advert_interval + 0.1 s address added and announced | 3 s | met |') in lines
    assert '| `postgresql_patroni_ttl` | 20 |' in lines
