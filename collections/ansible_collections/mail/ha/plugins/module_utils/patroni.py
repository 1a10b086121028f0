# Copyright: the ha-mail authors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""What Patroni's REST API says, as plain data, and what is wrong with it. Pure functions.

Shapes::

    report  {scope, leader: name or None, paused: bool, scheduled_switchover: {at, from, to} or None, members: [member], this: node}
    member  {name, role, state, timeline: int or None, lag: bytes or None, synchronous: bool, pending_restart: bool, tags: dict,
             replay_delay: seconds or None}
    node    {name, state, primary: bool, timeline: int or None, replay_delay: seconds or None, replay_paused: bool,
             failsafe: bool, dcs_age: seconds or None, standbys: [{name, state, sync_state}]}

The field names of the answers are those of Patroni 4.0 (its documentation, "Patroni REST API"). Two of its habits matter here:

- ``/cluster`` is answered from what the member last read from etcd, also long after etcd is gone; it looks healthy then. The
  member's own ``/patroni`` tells how old that is (``dcs_last_seen``), and that the leader goes on without etcd because all others
  agreed (``failsafe_mode_is_active``; a replica repeats it for one more ttl).
- ``lag`` is a number of bytes, or the word "unknown".
"""

from __future__ import annotations

import datetime

# Roles that /cluster gives to members whose copy a commit waits for.
SYNCHRONOUS = ('sync_standby', 'quorum_standby')
LEADERS = ('leader', 'standby_leader')


def _seconds_since(text, now):
    return max(0.0, round(now - datetime.datetime.fromisoformat(text).timestamp(), 3))


def _delay(xlog, now, earlier):
    """Seconds by which a replica's view of the data is behind, from the time of the last commit that it replayed. On an idle primary that
    time is long ago on every replica: one that replayed all that it received is not behind at all. Nor is one that by now replayed
    what it had received ``earlier``: it was seen while something arrived, after a long silence perhaps."""
    received = [seen['received_location'] for seen in (earlier, xlog) if seen.get('received_location') is not None]
    replayed = xlog.get('replayed_location')
    if not received or replayed is None:
        return None
    if replayed >= min(received):
        return 0.0
    return _seconds_since(xlog['replayed_timestamp'], now) if xlog.get('replayed_timestamp') else None


def node(answer, now, earlier=None):
    """``GET /patroni`` -> node. ``now`` is the present time in seconds since the epoch, ``earlier`` the answer of a second or so before."""
    xlog = answer.get('xlog', {})
    primary = answer.get('role') in ('primary', 'master')
    seen = answer.get('dcs_last_seen')
    return {
        'name': answer.get('patroni', {}).get('name', ''),
        'state': answer.get('state', 'unknown'),
        'primary': primary,
        'timeline': answer.get('timeline'),
        'replay_delay': None if primary else _delay(xlog, now, (earlier or {}).get('xlog', {})),
        'replay_paused': bool(xlog.get('paused')),
        'failsafe': bool(answer.get('failsafe_mode_is_active')),
        'dcs_age': max(0.0, round(now - seen, 3)) if seen else None,
        'standbys': [
            {'name': standby['application_name'], 'state': standby['state'], 'sync_state': standby['sync_state']}
            for standby in answer.get('replication', [])
        ],
    }


def report(cluster, this):
    """``GET /cluster`` (dict) and the node that was asked -> report."""
    members = [
        {
            'name': member['name'],
            'role': member['role'],
            'state': member.get('state', 'unknown'),
            'timeline': member.get('timeline'),
            'lag': 0 if member['role'] in LEADERS else member['lag'] if isinstance(member.get('lag'), int) else None,
            'synchronous': member['role'] in SYNCHRONOUS,
            'pending_restart': bool(member.get('pending_restart')),
            'tags': member.get('tags', {}),
            'replay_delay': this['replay_delay'] if member['name'] == this['name'] else None,
        }
        for member in sorted(cluster.get('members', []), key=lambda member: member['name'])
    ]
    leaders = [member['name'] for member in members if member['role'] in LEADERS]
    return {
        'scope': cluster.get('scope', ''),
        'leader': leaders[0] if len(leaders) == 1 else None,
        'paused': bool(cluster.get('pause')),
        'scheduled_switchover': cluster.get('scheduled_switchover'),
        'members': members,
        'this': this,
    }


def verdict(found, expected_members, max_lag_bytes=1048576, max_dcs_age=20, max_lag_seconds=60):
    """What keeps the database cluster from being at full strength, one sentence each; the empty list means all is well.

    :param found: report.
    :param expected_members: names of all members that the cluster should have (list of str).
    :param max_lag_bytes: most that a replica may be behind (int).
    :param max_dcs_age: most seconds that may have passed since the member last reached etcd (float).
    :param max_lag_seconds: most seconds that the member asked may be behind in replaying what it received (float).
    """
    told = []
    members = {member['name']: member for member in found['members']}
    leaders = [member for member in found['members'] if member['role'] in LEADERS]
    if len(leaders) != 1:
        told.append('leaders found: %s, expected exactly one. Account changes wait until there is one; look at "patronictl list" and at '
                    'the health of etcd.' % (', '.join(member['name'] for member in leaders) or 'none'))
    elif leaders[0]['state'] != 'running':
        told.append('%s is leader and its state is %s, expected running.' % (leaders[0]['name'], leaders[0]['state']))
    for name in sorted(set(expected_members) - set(members)):
        told.append('%s is not a member, expected it to be one. Look at "journalctl -u patroni" there.' % name)
    for name in sorted(set(members) - set(expected_members)):
        told.append('%s is a member and is not expected to be one.' % name)
    for name in sorted(set(members) & set(expected_members)):
        if members[name]['role'] not in LEADERS:
            told += _replica_problems(members[name], leaders[0] if len(leaders) == 1 else None, max_lag_bytes)
    if len(expected_members) > 1 and not any(member['synchronous'] and member['state'] == 'streaming' for member in found['members']):
        told.append('no member is a streaming synchronous standby, expected at least one: what is committed now is on the leader alone.')
    if found['paused']:
        told.append('the cluster is paused: no member takes over when the leader is lost. End it with "patronictl resume".')
    return told + _node_problems(found['this'], max_dcs_age, max_lag_seconds)


def _replica_problems(member, leader, max_lag_bytes):
    name = member['name']
    if member['state'] != 'streaming':
        return ['%s is a replica and its state is %s, expected streaming. Look at "journalctl -u patroni" there; "patronictl reinit" copies '
                'it anew.' % (name, member['state'])]
    told = []
    if leader is not None and member['timeline'] != leader['timeline']:
        told.append('%s is on timeline %s, expected %s, that of the leader %s.' % (name, member['timeline'], leader['timeline'], leader['name']))
    if member['lag'] is None:
        told.append('%s does not say how far it is behind, expected a number of bytes.' % name)
    elif member['lag'] > max_lag_bytes:
        told.append('%s is %d bytes behind, expected at most %d.' % (name, member['lag'], max_lag_bytes))
    return told


def _node_problems(this, max_dcs_age, max_lag_seconds):
    told = []
    if this['failsafe']:
        told.append('%s says that failsafe mode is active: the leader goes on without etcd, and nobody can take over from it. '
                    'Look at the health of etcd; a replica says so for some seconds more.' % this['name'])
    if this['dcs_age'] is None or this['dcs_age'] > max_dcs_age:
        told.append('%s reached etcd %s, expected within the last %g s: what it knows of the others is old.'
                    % (this['name'], 'never' if this['dcs_age'] is None else '%.0f s ago' % this['dcs_age'], max_dcs_age))
    if this['replay_paused']:
        told.append('%s does not replay what it receives (pg_wal_replay_pause), expected it to.' % this['name'])
    elif this['replay_delay'] is not None and this['replay_delay'] > max_lag_seconds:
        told.append('%s has not replayed all that it received, and the last change it shows is %.0f s old, expected at most %g s. Look at "journalctl -u '
                    'patroni" there, and in pg_stat_activity for a query that holds it up.' % (this['name'], this['replay_delay'], max_lag_seconds))
    return told


def agreement(reports):
    """What the reports of several nodes contradict each other in, one sentence each.

    :param reports: report by host name (dict); one for each database that answered.
    """
    told = []
    primaries = sorted(host for host, found in reports.items() if found['this']['primary'])
    if len(primaries) != 1:
        told.append('databases that take writes: %s, expected exactly one.' % (', '.join(primaries) or 'none'))
    named = {}
    for host, found in sorted(reports.items()):
        named.setdefault(found['leader'] or 'nobody', []).append(host)
    if len(named) > 1:
        told.append('the members name different leaders: %s.' % '; '.join(
            '%s by %s' % (leader, ', '.join(hosts)) for leader, hosts in sorted(named.items())))
    return told
