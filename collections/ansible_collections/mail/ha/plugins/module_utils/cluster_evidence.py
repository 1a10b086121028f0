# Copyright: the ha-mail authors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a verdict over a cluster rests on, in figures: one line for each check, and one screen for people. Pure functions.

Shapes are those of cluster_health.py; ``answers`` are reports with useful answers only. Every line says how many answered, of how many.
"""

from __future__ import annotations

import textwrap

from ansible_collections.mail.ha.plugins.module_utils import cluster_health

WIDTH = 120
MOST = 12  # problems on the screen; they are ordered, and what follows is mostly a consequence of the first
STRENGTHS = {
    'full': 'FULL STRENGTH',
    'degraded': 'DEGRADED: mail goes on, with less in reserve than there should be',
    'down': 'DOWN: some of the service is not there, or not safe',
}


def _counted(words):
    """['a', 'b', 'a'] -> 'a 2, b 1'."""
    return ', '.join('%s %d' % (word, words.count(word)) for word in dict.fromkeys(words))


def _node(found):
    parts = [part for result in found.values() for part in result['results']]
    return _counted([part['name'] for part in parts if part['ok']]) + ' ok'


def _maintenance(found):
    return _counted([result['old']['state'] for result in found.values()])


def _vrrp(found, verdict):
    known = {name: host for name, host in verdict['holders'].items() if host}
    return '%d of %d addresses have one holder: %s' % (len(known), len(verdict['holders']), _counted(sorted(known.values())) or 'none')


def _haproxy(found):
    servers = [server for result in found.values() for server in result['servers'] if server['backend'] in result['services']]
    return '%d of %d servers of %d services usable, %d sessions' % (
        sum(server['usable'] for server in servers), len(servers), len({server['backend'] for server in servers}),
        sum(server['sessions'] for server in servers))


def _mail_store(found):
    slowest = max((result['write_seconds'] or 0 for result in found.values()), default=0)
    text = '%d can write, the slowest in %.3f s' % (sum(result['writable'] for result in found.values()), slowest)
    bricks = [result for result in found.values() if 'bricks' in result]
    if bricks:
        text += '; %d of %d bricks online, %d files to heal' % (
            min(sum(brick['online'] for brick in result['bricks']) for result in bricks), len(bricks[0]['bricks']),
            max(result['pending'] for result in bricks))
    return text


def _postfix_queue(found):
    ages = [queue['oldest'] for result in found.values() for queue in result['queues'].values() if queue['oldest'] is not None]
    own = [result['own'] for result in found.values() if result.get('own', {}).get('recipients')]
    return '%d messages, %s%s' % (
        sum(result['queued'] for result in found.values()), 'the oldest for %d s' % max(ages) if ages else 'none of them waiting',
        '; %d recipients of the service wait, the longest for %d s' % (
            sum(waiting['recipients'] for waiting in own), max(waiting['oldest'] for waiting in own)) if own else '')


def _dovecot(found):
    counts = {kind: sum(sum(result['sessions'][kind].values()) for result in found.values()) for kind in ('served', 'proxied')}
    return '%(served)d sessions served, %(proxied)d passed on' % counts


def _patroni(found):
    leaders = list(dict.fromkeys(result['leader'] or 'none' for result in found.values()))
    members = {member['name']: member for result in found.values() for member in result['members']}
    lags = [member['lag'] for member in members.values() if member['lag'] is not None]
    delays = [result['this']['replay_delay'] for result in found.values() if result['this']['replay_delay'] is not None]
    return 'leader %s; %d of %d members at work, synchronous %s, at most %d bytes and %.0f s behind' % (
        ' or '.join(leaders), sum(member['state'] in ('running', 'streaming') for member in members.values()), len(members),
        ', '.join(sorted(name for name, member in members.items() if member['synchronous'])) or 'none', max(lags, default=0), max(delays, default=0))


def _etcd(found):
    worst = min(found.values(), key=lambda result: result['healthy'])
    return 'leader %s; %d of %d members at work, %d may fail' % (
        worst['leader'] or 'none', worst['healthy'], len(worst['members']), worst['may_fail'])


def _certificates(found):
    served = [entry for result in found.values() for entry in result['certificates']]
    days = [entry['days_left'] for entry in served if 'days_left' in entry]
    return '%d of %d read, the first ends in %s days' % (len(days), len(served), min(days, default='?'))


def _firewall(found):
    facts = {host: member['facts'] for host, member in found.items()}
    text = '%s; %d of %d in sync, at most %d sessions' % (
        ', '.join('%s %s' % (host, fact['role']) for host, fact in facts.items()), sum(fact['in_sync'] for fact in facts.values()), len(facts),
        max(fact['sessions'] or 0 for fact in facts.values()))
    providers = [provider['alive'] for fact in facts.values() for provider in fact['providers']]
    return text + ('; %d of %d looks at providers find them alive' % (sum(providers), len(providers)) if providers else '')


LINES = {
    'node': _node, 'maintenance': _maintenance, 'haproxy': _haproxy, 'mail_store': _mail_store, 'postfix_queue': _postfix_queue,
    'dovecot': _dovecot, 'patroni': _patroni, 'etcd': _etcd, 'certificates': _certificates,
    'firewall': _firewall,
}


def evidence(answers, expected, verdict):
    """{check: text} for all checks that some node must answer."""
    told = {}
    for check in cluster_health.ANSWERS:
        due = [host for host, node in expected['nodes'].items() if check in cluster_health.checks(node['groups'])]
        found = cluster_health.by_check(answers, check)
        if due:
            line = _vrrp(found, verdict) if check == 'vrrp' else LINES[check](found) if found else 'nothing is known'
            told[check] = '%d of %d answered; %s' % (len(found), len(due), line)
    return told


def _wrapped(first, text):
    return textwrap.wrap(text, WIDTH, initial_indent=first, subsequent_indent=' ' * len(first), break_long_words=False, break_on_hyphens=False)


def screen(verdict, told):
    """The verdict for people (str).

    :param verdict: as cluster_health.verdict returns it.
    :param told: as :func:`evidence` returns it.
    """
    lines = [STRENGTHS[verdict['strength']], '']
    for check, text in told.items():
        lines += _wrapped('  %-14s ' % check, text)
    lines += ['', 'Could be taken out now: %s' % (', '.join(verdict['can_lose']) or 'none')]
    # A reason that keeps several nodes is told once.
    kept = {}
    for host, sentences in verdict['why_not'].items():
        for sentence in sentences:
            kept.setdefault(sentence, []).append(host)
    if verdict['problems']:
        lines += ['', 'Problems:']
        for number, sentence in enumerate(verdict['problems'][:MOST], 1):
            lines += _wrapped('%3d. ' % number, sentence)
        if verdict['problems'][MOST:]:
            lines.append('     ... and %d more, which the verdict as JSON has.' % len(verdict['problems'][MOST:]))
    others = {sentence: hosts for sentence, hosts in kept.items() if sentence not in verdict['problems']}
    if others:
        lines += ['', 'Cannot be taken out now:']
        for sentence, hosts in others.items():
            lines += _wrapped('  %s: ' % ', '.join(hosts), sentence)
    return '\n'.join(lines)
