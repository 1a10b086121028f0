# Copyright: the ha-mail authors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""What ``etcdctl --write-out json`` says, as plain data, and what is wrong with it. Pure functions.

Shapes::

    report  {members: [member], unexpected: [name], leader: name or None, term: int or None, alarms: [{member, alarm}], quorum: int,
             healthy: int, may_fail: int}
    member  {name, id: int or None, known: bool, started: bool, learner: bool, answers: bool, healthy: bool, error: str,
             leader: name or None, term, index, applied: int or None, db_size, db_size_in_use: bytes or None, version, errors: [str]}

``known`` members are those in the cluster's own list, ``leader`` of a member is whom that member takes for the leader.

The list of members and the alarms come from a read that needs a quorum; the status of an endpoint does not, so it is the one answer
of a member that lost the others. The field names are those of etcdctl 3.5; a field that is 0 or empty is left out of its answers.
"""

from __future__ import annotations

# etcd API, rpc.proto, AlarmType.
ALARMS = {1: 'NOSPACE', 2: 'CORRUPT'}


def report(expected, member_list, alarm_list, status, health):
    """The answers of ``member list``, ``alarm list``, ``endpoint status`` and ``endpoint health`` -> report.

    :param expected: client URL by name (dict) of the members that the cluster should have.
    :param member_list: decoded JSON (dict), or None where it could not be had.
    :param alarm_list: decoded JSON (dict), or None where it could not be had.
    :param status: decoded JSON (list) of the endpoints that answered.
    :param health: decoded JSON (list) of all endpoints.
    """
    listed = (member_list or {}).get('members', [])
    statuses = {entry['Endpoint']: entry['Status'] for entry in status}
    healths = {entry['endpoint']: entry for entry in health}
    names = {entry['ID']: entry.get('name') or _unborn(entry) for entry in listed}
    names.update({statuses[url]['header']['member_id']: name for name, url in expected.items() if url in statuses})
    members = [_member(name, statuses.get(url), healths.get(url, {}), listed, names) for name, url in sorted(expected.items())]
    healthy = sum(member['healthy'] for member in members)
    quorum = max(len(expected), sum(not entry.get('isLearner') for entry in listed)) // 2 + 1
    leaders = {member['leader'] for member in members if member['answers']}
    terms = [member['term'] for member in members if member['term'] is not None]
    return {
        'members': members,
        'unexpected': sorted(names[entry['ID']] for entry in listed if names[entry['ID']] not in expected),
        'leader': leaders.pop() if len(leaders) == 1 else None,
        'term': max(terms, default=None),
        'alarms': [
            {'member': names.get(entry.get('memberID'), str(entry.get('memberID'))), 'alarm': ALARMS.get(entry['alarm'], str(entry['alarm']))}
            for entry in (alarm_list or {}).get('alarms', [])
        ],
        'quorum': quorum,
        'healthy': healthy,
        'may_fail': max(0, healthy - quorum),
    }


def _unborn(entry):
    """What to call a member that never started: it has no name yet."""
    return 'the one at ' + ', '.join(entry.get('peerURLs', []))


def _member(name, status, health, listed, names):
    entry = next((entry for entry in listed if entry.get('name') == name), {})
    status = status or {}
    return {
        'name': name,
        'id': entry.get('ID') or status.get('header', {}).get('member_id'),
        'known': bool(entry),
        # A member has no client URLs until it first starts.
        'started': bool(entry.get('clientURLs')),
        'learner': bool(entry.get('isLearner') or status.get('isLearner')),
        'answers': bool(status),
        'healthy': bool(health.get('health')),
        'error': health.get('error', ''),
        'leader': names.get(status['leader'], str(status['leader'])) if status.get('leader') else None,
        'term': status.get('raftTerm'),
        'index': status.get('raftIndex'),
        'applied': status.get('raftAppliedIndex'),
        'db_size': status.get('dbSize'),
        'db_size_in_use': status.get('dbSizeInUse'),
        'version': status.get('version'),
        'errors': [text.strip() for text in status.get('errors', [])],
    }


def verdict(found):
    """What keeps the cluster from being at full strength, one sentence each; the empty list means all is well.

    :param found: report.
    """
    told = []
    members = found['members']
    listed = any(member['known'] for member in members)
    if found['healthy'] < found['quorum']:
        told.append('%d of %d members work, expected %d or more for a quorum: nothing can be decided. Start the others; '
                    'do not make a new cluster.' % (found['healthy'], len(members), found['quorum']))
    for member in members:
        told += _member_problems(member, listed)
    told += ['the cluster has a member that is not expected: %s. Remove it with "etcdctl member remove".' % name
             for name in found['unexpected']]
    answering = [member for member in members if member['answers']]
    views = {member['leader'] for member in answering}
    if answering and views == {None}:
        told.append('there is no leader, expected one.')
    elif len(views) > 1:
        told.append('the members see different leaders: %s.' % ', '.join(
            '%s sees %s' % (member['name'], member['leader'] or 'none') for member in answering))
    told += ['alarm %s on %s, expected none. Look at the size of the database, then "etcdctl alarm disarm".' % (entry['alarm'], entry['member'])
             for entry in found['alarms']]
    return told


def _member_problems(member, listed):
    told = []
    if listed and not member['known']:
        told.append('%s is not a member, expected it to be one. Run the playbook that builds the cluster.' % member['name'])
    elif listed and not member['started']:
        told.append('%s is a member that never started.' % member['name'])
    if member['learner']:
        told.append('%s is a learner, which has no vote.' % member['name'])
    if not member['healthy']:
        told.append('%s does not work (%s), expected it to. Look at "journalctl -u etcd" there.'
                    % (member['name'], member['error'] or 'no answer'))
    return told
