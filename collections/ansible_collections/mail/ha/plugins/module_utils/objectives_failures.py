# Copyright: the ha-mail authors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Failures, the services that each touches, and what its time is made of. Pure; see ``objectives`` for what a time means.

A chain takes the plan of ``objectives`` (milliseconds) and returns its terms, ``(name, milliseconds, source)``. Chains of one
service run at the same time, so the longest counts. Constants are what no timer sets: they were measured (docs/measurements.md)
or stand in the product's source, as their source says.
"""

from __future__ import annotations

# Putting an address on, and the ARP that says so. Measured: 0.73 to 0.85 s for a lost holder, of which VRRP's part is up to 0.8 s.
_TAKEOVER = ('address added and announced', 100, 'measured')
_PROMOTE = ('PostgreSQL ends recovery and promotes', 2000, 'measured: 1.6 s for a whole switchover')


def _vrrp_silence(plan):
    """A backup that hears no adverts any more."""
    return [
        (f"keepalived_advert_interval x {plan['adverts']}", plan['adverts'] * plan['advert'], 'RFC 9568 section 6.1, Active_Down_Interval'),
        ('skew of the backup, at most keepalived_advert_interval', plan['advert'], 'RFC 9568 section 6.1, Skew_Time'),
        _TAKEOVER,
    ]


def _vrrp_resigns(plan):
    """A holder at fault, which says that it gives up (priority 0)."""
    return [('skew of the backup, at most keepalived_advert_interval', plan['advert'], 'RFC 9568 section 6.4.2, an advert of priority 0'), _TAKEOVER]


def _vrrp_yields(plan):
    """A holder whose priority fell below the others': they pass over its adverts until their timer ends, as if it were silent."""
    return _vrrp_silence(plan)


def _check_refused(plan):
    """A check of keepalived that fails at once."""
    return [('keepalived_check_interval', plan['check_interval'], 'the failure comes just after a good check')] + _vrrp_yields(plan)


def _check_hangs(plan):
    """A check of keepalived that is not answered."""
    return [
        ('keepalived_check_interval', plan['check_interval'], 'the failure comes just after a good check'),
        ('keepalived_check_timeout', plan['check_timeout'], 'end of the check'),
    ] + _vrrp_yields(plan)


def _side_silent(plan):
    """An active firewall that hears nobody on one of its sides, while its peer does."""
    return [
        ('firewall_pair_silent_after', plan['silent_after'], 'no neighbour on that side answers a ping'),
        ('firewall_pair_silent_after / 4', plan['silent_after'] // 4, 'rhythm of the pings'),
    ] + _vrrp_resigns(plan)


def _balancer_redispatch(plan):
    """HAProxy tries one dead server, then another; this long before the checks say so."""
    return [('haproxy_connect_timeout', plan['balancer_connect'], 'option redispatch 1: the next try goes to another server')]


def _balancer_redispatch_twice(plan):
    return [('haproxy_connect_timeout x 2', 2 * plan['balancer_connect'], 'option redispatch 1, two servers dead')]


def _balancer_refused(plan):
    """HAProxy's check is refused. A session is redispatched at once, unless a process that is ending still took it."""
    again = plan['balancer_fall'] - 1
    return [
        ('haproxy_check_interval', plan['balancer_interval'], 'the failure comes just after a good check'),
        (f'haproxy_check_again x {again}', again * plan['balancer_again'], 'fastinter: a check that failed is repeated soon'),
    ]


def _balancer_hangs(plan):
    """HAProxy's check connects, because the kernel answers, and then waits; the next one starts after its end."""
    return _balancer_refused(plan) + [
        ('haproxy_check_timeout x haproxy_check_fall', plan['balancer_fall'] * plan['balancer_timeout'], 'timeout check'),
    ]


def _remembered(chain):
    """The same where the check asks for Dovecot's health, which answers with a success of just now."""
    return lambda plan: [('dovecot_health_memory', plan['health_memory'], 'what Dovecot was just before the failure')] + chain(plan)


def _store_stalls(plan):
    """A node that says nothing any more: writes of the others wait for it."""
    return [
        ('mail_store_gluster_ping_timeout', plan['ping'], 'also the TCP user timeout of both sides (tcp(7))'),
        ('GlusterFS goes on with the others', 500, 'measured: 3.45 s in all with a time-out of 3 s'),
    ]


def _store_stalls_on_frozen(plan):
    """A frozen node's kernel acknowledges, so only GlusterFS's own ping counts."""
    return [
        ('mail_store_gluster_ping_timeout until the next ping', plan['ping'], 'GlusterFS sends a ping one time-out after the last answer'),
        ('mail_store_gluster_ping_timeout for its answer', plan['ping'], 'GlusterFS, rpc-clnt-ping.c'),
        ('mail_store_gluster_ping_timeout once more', plan['ping'], 'whatever was sent meanwhile counts as activity'),
        ('GlusterFS goes on with the others', 500, 'what the measured stall of 3.45 s is longer than its time-out'),
    ]


def _store_refuses(_plan):
    """A brick whose connections are closed: the others go on without a time-out."""
    return [('GlusterFS goes on with the others', 500, 'what the measured stall of 3.45 s is longer than its time-out')]


def _beside_the_healer(_plan):
    """A brick that was away is brought up to date, on processors and disks that the databases use too where mailservers are databases."""
    return [('a change beside the healer', 1500, 'measured: up to 1.9 s between two changes, half a second of which is the rhythm')]


def _probe_hangs(plan):
    """A write that does not come back: one failed probe is enough."""
    return [
        ('keepalived_mail_store_interval', plan['probe_interval'], 'the failure comes just after a good probe'),
        ('mail_store_probe_deadline', plan['probe_deadline'], 'longer than the stall of survivors, 0.5 s as a margin'),
    ] + _vrrp_resigns(plan)


def _leader_silent(plan):
    """The leader's lock ends. etcd's leader may be lost with it: the new one gives every lease its whole time anew."""
    return [
        ('etcd elects a leader and extends leases, 3 x etcd_election_timeout', 3 * plan['etcd_election'],
         'etcd: an election within two time-outs, leases extended by one'),
        ('postgresql_patroni_ttl', plan['ttl'], 'Patroni: the lock outlives its last renewal; no less than 20 s'),
        ('etcd ends a lease', 500, 'etcd looks at leases twice a second'),
        ('postgresql_patroni_loop_wait', plan['loop_wait'], 'Patroni: next look at the cluster'),
        ('Patroni asks the dead member', 2000, 'Patroni: time-out of a request to a member'),
        _PROMOTE,
    ]


def _leader_crashes(plan):
    """The postmaster is gone, its Patroni is there and tries to start it, in vain."""
    return [
        ('postgresql_patroni_loop_wait', plan['loop_wait'], 'Patroni: loop_wait + primary_start_timeout + loop_wait'),
        ('postgresql_patroni_primary_start_timeout', plan['start_timeout'], 'Patroni: time to recover in place'),
        ('postgresql_patroni_loop_wait', plan['loop_wait'], 'Patroni: next look at the cluster'),
        _PROMOTE,
    ]


def _switchover(plan):
    return [
        ('postgresql_patroni_loop_wait', plan['loop_wait'], 'Patroni: next look at the cluster'),
        ('checkpoint and shutdown of the old leader', 1000, 'measured: 1.6 s for a whole switchover'),
        _PROMOTE,
    ]


def _packets_lost(plan):
    """Some packets get lost between a balancer and a server. Three in a row of one connection are rare (1 in 8000 at one in twenty)."""
    return _balancer_redispatch(plan) + [
        ('a packet that is sent three times', 600, 'Linux: 200 ms for the first time-out at the least (TCP_RTO_MIN), then twice that'),
    ]


def _packets_lost_twice(plan):
    return _packets_lost(plan) + [('and one on the way to the seat, the store or the leader', 600, 'the same')]


def _nothing(_plan):
    return []


def _site_moves(plan):
    return [
        ('people decide and act', plan['people'], 'what the objective leaves them, 5 minutes at the least'),
        ('dns_ttl', plan['dns_ttl'], 'RFC 1035: resolvers keep the old addresses for so long'),
    ]


def _clients(budget, *chains):
    """The same for all services that clients use."""
    return {service: (budget, chains) for service in ('smtp', 'submission', 'imap')}


_NODE_LOST = {
    'smtp': (1000, (_balancer_redispatch,)),
    'submission': (1000, (_balancer_redispatch,)),
    'directory_write': (30_000, (_leader_silent,)),
}
_NOTHING_LOST = {service: (0, (_nothing,)) for service in ('smtp', 'submission', 'imap', 'directory_write')}
_READS_GO_ON = {service: (0, (_nothing,)) for service in ('smtp', 'submission', 'imap')}

# {fault: {service: (budget in milliseconds with the default objectives, chains, or None where nothing ends it by itself)}}
# Nodes that are mailservers only have no part in directory_write; this is the site where mailservers are databases too, and the
# lost one is the leader.
FAULTS = {
    'firewall-killed': _clients(1000, _vrrp_silence),
    'firewall-power-off': _clients(1000, _vrrp_silence),
    'firewall-paused': _clients(1000, _vrrp_silence),
    'firewall-cut': _clients(1000, _side_silent),
    'firewall-uplink-cut': _clients(1000, _side_silent),
    'firewall-keepalived-killed': _clients(1000, _vrrp_silence),
    'firewall-conntrackd-killed': _READS_GO_ON,
    'firewall-switchover': _clients(1000, _vrrp_yields),
    'loadbalancer-killed': _clients(1000, _vrrp_silence),
    'loadbalancer-power-off': _clients(1000, _vrrp_silence),
    'loadbalancer-cut': _clients(1000, _vrrp_silence),
    'haproxy-killed': _clients(2000, _check_refused),
    'haproxy-frozen': _clients(3000, _check_hangs),
    'mailserver-killed': {**_NODE_LOST, 'imap': (5000, (_vrrp_silence, _store_refuses))},
    'mailserver-power-off': {**_NODE_LOST, 'imap': (5000, (_vrrp_silence, _store_stalls))},
    'mailserver-cut': {**_NODE_LOST, 'imap': (5000, (_vrrp_silence, _store_stalls))},
    'mailserver-paused': {
        'smtp': (3000, (_balancer_hangs,)),
        'submission': (3000, (_balancer_hangs,)),
        'imap': (5000, (_balancer_hangs, _vrrp_silence, _store_stalls_on_frozen)),
        'directory_write': (30_000, (_leader_silent,)),
    },
    'mailserver-packet-loss': {
        'smtp': (3000, (_packets_lost,)),
        'submission': (3000, (_packets_lost,)),
        'imap': (5000, (_packets_lost_twice,)),
        'directory_write': (30_000, (_packets_lost_twice,)),
    },
    'postfix-killed': {'smtp': (3000, (_balancer_refused,)), 'submission': (3000, (_balancer_refused,))},
    'postfix-frozen': {'smtp': (3000, (_balancer_hangs,)), 'submission': (3000, (_balancer_hangs,))},
    'dovecot-killed': {'imap': (3000, (_remembered(_balancer_refused), _remembered(_check_refused))), 'submission': (3000, (_remembered(_balancer_refused),))},
    'dovecot-frozen': {'imap': (3000, (_remembered(_balancer_hangs), _remembered(_check_hangs))), 'submission': (3000, (_remembered(_balancer_hangs),))},
    'delivery-outage': _NOTHING_LOST,
    'store-not-writable': {'imap': (5000, (_probe_hangs,))},
    'store-brick-killed': {'imap': (5000, (_store_refuses,)), 'directory_write': (5000, (_beside_the_healer,))},
    'postgresql-leader-killed': {**_READS_GO_ON, 'directory_write': (30_000, (_leader_crashes,))},
    # Whoever cuts off the leader cuts off its mailserver too, see above.
    'postgresql-leader-cut': {**_NODE_LOST, 'imap': (5000, (_vrrp_silence, _store_stalls))},
    'postgresql-switchover': {**_READS_GO_ON, 'directory_write': (30_000, (_switchover,))},
    'etcd-member-killed': _NOTHING_LOST,
    'clock-off': _NOTHING_LOST,
    'disk-full': {**_NOTHING_LOST, 'imap': (5000, (_store_refuses,)), 'directory_write': (5000, (_beside_the_healer,))},
    'two-of-three-cut': {
        'smtp': (3000, (_balancer_redispatch_twice,)),
        'submission': (3000, (_balancer_redispatch_twice,)),
        'imap': (5000, None),
        'directory_write': (30_000, None),
    },
    'site-lost': {'site': (900_000, (_site_moves,))},
}

# Known, and no reason to refuse objectives: {(fault, service): (why, seconds)}. The seconds are what it may take all the same, on top of what was
# worked out, or of the fault itself where nothing else ends it: more than that is nothing that is known.
REPORTED = {
    ('mailserver-paused', 'imap'): (
        'GlusterFS may wait for a frozen node longer than the probe does, and both survivors give up their seats; measured: 16.5 s once, 4 to 6 in nine runs',
        11.0),  # both take them back after keepalived_recovery, 10 s in whole probes of the store
    # Majority, mount and seats: 14 s measured; more where the store has much to heal.
    ('two-of-three-cut', 'imap'): ('fails closed until one of the two is back', 60.0),
    # A leader is found as after any loss: the budget. 2 s measured.
    ('two-of-three-cut', 'directory_write'): ('fails closed until one of the two is back', 30.0),
}
