# Copyright: the ha-mail authors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the site wants (mail_objectives) becomes timers, and for each failure the time that it takes at the worst. Pure.

A time counts from the failure until every new session of a service is answered. What a client adds that had begun before is its
own: its TCP sends an unanswered SYN again after 1 s (RFC 6298 section 2.1), then after 2 s more.

The timers follow the objectives in proportion: half the objective, half the timer, down to a floor and up to a ceiling. A
service that misses its objective with timers in proportion gets those at the floor; one that misses it then is refused.
All sums are made in whole milliseconds.
"""

from __future__ import annotations

from fractions import Fraction

from ansible_collections.mail.ha.plugins.module_utils.inventory_finding import finding
from ansible_collections.mail.ha.plugins.module_utils.objectives_failures import FAULTS, REPORTED

# Seconds. The longest time that the failures of one service are allowed.
RTO = {'smtp': 3, 'submission': 3, 'imap': 5, 'directory_write': 30, 'site': 900}

# Seconds of acknowledged changes that may be lost; a word is what is true without a promise.
RPO = {'queue': 'returns_with_machine', 'mailbox': 0, 'directory': 0, 'site': 'returns_with_site'}

# What would have to be there for a promise in seconds.
_MISSING = {
    'queue': 'a message waits in the local queue of the node that accepted it, and the journal on a peer is not there yet',
    'site': 'there is no copy of mailboxes and directory at another site yet',
}
LONGEST_S = 7 * 86400  # more is no objective, and a typing error of a unit
PEOPLE_MS = 300_000  # what people need at the least to see that a site is lost and to decide
_FRONT = ('smtp', 'submission', 'imap')


class ObjectivesError(ValueError):
    """Objectives that cannot be met; the text has one sentence for each."""


def derive(objectives=None):
    """Timers and worst cases of a site.

    :param objectives: ``{'rto': {service: seconds}, 'rpo': {kind: seconds or word}}``; what is not given is as in RTO and RPO
    :returns: dict with

        - ``objectives``: the complete objectives
        - ``timers``: ``{role variable: value}``, in the unit of that variable; ``dns_ttl`` in seconds
        - ``failures``: list of ``{fault, service, worst, objective, allowed, verdict, terms, note, grace}``. ``worst`` is in seconds, or
          None where nothing ends the failure by itself; ``objective`` is the RTO of the service, ``allowed`` the budget of this
          fault in proportion to it; ``terms`` are ``{name, seconds, source}`` and add up to ``worst``. ``verdict`` is ``met``,
          ``exceeded`` (known, reported, not refused) or ``open`` (worst is None); ``note`` says why, else it is ''. ``grace`` is what such
          a failure may take at the most, in seconds beyond ``worst``, or beyond the length of the failure itself; None where it is met

    :raises ObjectivesError: objectives that are malformed or cannot be met
    """
    found = refusals(objectives)
    if found:
        raise ObjectivesError('\n'.join(item['message'] for item in found))
    wanted = complete(objectives)
    plan = _plan(wanted['rto'])
    return {'objectives': wanted, 'timers': _timers(plan), 'failures': _failures(plan, wanted['rto'])}


def predict(objectives=None, fault=None, service=None):
    """Worst cases only, as a drill wants them.

    :returns: ``{fault: {service: seconds or None}}`` of the services that a fault touches; with ``fault`` the inner dict; with
        ``service`` too the number, which is 0.0 for a service that the fault does not touch
    :raises ObjectivesError: as in :func:`derive`, and for an unknown fault or service
    """
    result = {}
    for item in derive(objectives)['failures']:
        result.setdefault(item['fault'], {})[item['service']] = item['worst']
    if fault is None:
        return result
    if fault not in result:
        raise ObjectivesError(f"fault: found '{fault}', expected one of {', '.join(result)}; choose one of them.")
    if service is None:
        return result[fault]
    if service not in RTO:
        raise ObjectivesError(f"service: found '{service}', expected one of {', '.join(RTO)}; choose one of them.")
    return result[fault].get(service, 0.0)


def complete(objectives=None):
    """The objectives with every default filled in and every number a float.

    :raises ValueError, TypeError: a value is no number where it has to be one
    """
    given = objectives or {}
    rpo = {**RPO, **_set(given.get('rpo'))}
    return {
        'rto': {service: float(value) for service, value in {**RTO, **_set(given.get('rto'))}.items()},
        'rpo': {kind: value if value == RPO[kind] and kind in _MISSING else float(value) for kind, value in rpo.items()},
    }


def refusals(objectives=None):
    """What is wrong with objectives.

    :returns: findings (see ``inventory_finding.finding``), none where they are well formed and can be met
    """
    given = objectives or {}
    result = _malformed(given)
    if result:
        return result
    for kind, missing in _MISSING.items():
        value = _set(given.get('rpo')).get(kind, RPO[kind])
        if value != RPO[kind]:
            result.append(finding(f'mail_objectives.rpo.{kind}', f'{_number(value)} s asked, but {missing}', f"'{RPO[kind]}'",
                                  'write that, or leave it out'))
    asked = complete({'rto': given.get('rto')})['rto']
    return result + [_refuse(service, asked) for service in _late(_plan(asked), asked)]


def _malformed(given):
    """Findings about unknown keys and values that are no times."""
    result = []
    for part, known in (('rto', RTO), ('rpo', RPO)):
        for name, value in _set(given.get(part)).items():
            place = f'mail_objectives.{part}.{name}'
            if name not in known:
                result.append(finding(place, 'nothing reads a key of this name', f"one of {', '.join(known)}", 'correct the name, or remove it'))
                continue
            if part == 'rpo' and name in _MISSING and value == RPO[name]:
                continue
            least = 'more than 0' if part == 'rto' else '0 or more'
            seconds = _seconds(value)
            if seconds is None or not 0 <= seconds <= LONGEST_S or part == 'rto' and seconds == 0:
                words = f"'{RPO[name]}'" if part == 'rpo' and name in _MISSING else f'seconds, {least}, {LONGEST_S} at most'
                result.append(finding(place, f"found '{value}'", words, 'write that, or leave it out'))
    return result


def _refuse(service, asked):
    """The finding for a service that misses its objective with the tightest timers: names the term in the way."""
    tightest = _plan(asked, tightest=(service,))
    least, fault, terms = max((_sum(terms), fault, terms) for fault, of, terms in _chains(tightest) if of == service and terms is not None
                              and (fault, service) not in REPORTED)
    name, milliseconds, source = max(terms, key=lambda term: term[1])
    return finding(
        f'mail_objectives.rto.{service}',
        f'{_number(asked[service])} s asked, but {fault} takes {_number(least / 1000)} s with the tightest timers, '
        f'of which {name} alone is {_number(milliseconds / 1000)} s ({source})',
        f'{_number(least / 1000)} s or more', 'ask for that much')


def _set(values):
    """The keys that have a value."""
    return {name: value for name, value in (values or {}).items() if value is not None}


def _seconds(value):
    """The value as a float, or None."""
    try:
        return None if isinstance(value, bool) else float(value)
    except (TypeError, ValueError):
        return None


def _plan(rto, tightest=()):
    """Timers in milliseconds for recovery times in seconds; those of late services are as tight as can be."""
    plan = _timers_for(rto, {service: 0 if service in tightest else Fraction(_ms(rto[service]), _ms(RTO[service])) for service in RTO})
    late = _late(plan, rto)
    return plan if set(late) <= set(tightest) else _plan(rto, set(tightest) | set(late))


def _timers_for(rto, factor):
    """The proportions. Each line: default, factor, floor, ceiling, step."""
    front = min(factor[service] for service in _FRONT)
    # What is shared follows the most demanding service. VRRP counts in hundredths of a second (RFC 9568 section 5.2.7); below
    # 50 ms a busy host loses its addresses for nothing.
    plan = {
        'advert': _scale(200, front, 50, 1000, 10),
        'adverts': 3,  # RFC 9568; two make a loaded host lose its addresses for nothing
        # A member that is cut off on one side has to know it before the adverts that it misses there tell the other one to take over.
        'silent_after': 2 * _scale(200, front, 50, 1000, 10),
        'check_interval': _scale(500, front, 200, 2000, 10),
        # One long silence tells a daemon that hangs from one that is slow better than two short ones, and nothing gets lost on the way.
        'check_timeout': _scale(1200, front, 500, 3000, 10),
        'balancer_interval': _scale(500, front, 100, 2000, 10),
        # Over the network one failure may be a lost packet, so the check is repeated at once.
        'balancer_timeout': _scale(900, front, 200, 2000, 10),
        'balancer_again': _scale(100, front, 50, 500, 10),
        'balancer_fall': 2,
        'balancer_connect': _scale(400, front, 200, 1000, 10),
        'agent_interval': _scale(1000, front, 500, 5000, 100),
        # Several ask for Dovecot's health in that time, and each question of its own would cost Dovecot a process.
        'health_memory': _scale(400, front, 100, 1000, 10),
        # A probe waits for an fsync on three nodes.
        'probe_interval': _scale(700, factor['imap'], 500, 2000, 100),
    }
    # GlusterFS counts in seconds. Below 2 a busy node is taken for dead, above 10 clients give up. It gets what the objective leaves
    # when the probe's interval, the half second more that a stall lasts, half a second of margin, and the move of the seats are
    # taken off, all in exact proportion, for a rounding that jumps would make the time-out jump against the objective.
    left = _ms(rto['imap']) - _limit(700 * factor['imap'], 500, 2000) - 1000 - _limit(200 * factor['imap'], 50, 1000) - 100
    plan['ping'] = _limit(int(left) // 1000, 2, 10) * 1000
    # Longer than the stall of the survivors when a node dies, or all of them would give up their seats at that moment.
    plan['probe_deadline'] = plan['ping'] + 1000
    plan['probe_timeout'] = plan['probe_deadline'] + 500
    # Patroni counts in seconds and accepts no less than these floors. loop_wait + 2 * retry_timeout <= ttl holds throughout.
    write = factor['directory_write']
    plan.update({
        'etcd_heartbeat': 100,
        # Ten heartbeats (etcd's tuning guide). An election takes up to twice that, which is below Patroni's least retry_timeout.
        'etcd_election': 1000,
        'ttl': _scale(20_000, write, 20_000, 30_000, 1000),
        'loop_wait': _scale(1000, write, 1000, 10_000, 1000),
        'retry_timeout': _scale(3000, write, 3000, 10_000, 1000),
        'start_timeout': _scale(10_000, write, 1000, 60_000, 1000),
        # Resolvers ignore a TTL that is too small; a third leaves two to people.
        'dns_ttl': _scale(300_000, factor['site'], 30_000, 3_600_000, 1000),
    })
    plan['people'] = max(PEOPLE_MS, _ms(rto['site']) - plan['dns_ttl'])
    return plan


def _timers(plan):
    """The plan under the names of the roles' variables, in their units."""
    return {
        'keepalived_advert_interval': _number(plan['advert'] / 1000),
        'keepalived_down_after_adverts': plan['adverts'],
        'keepalived_check_interval': _number(plan['check_interval'] / 1000),
        'keepalived_check_timeout': _number(plan['check_timeout'] / 1000),
        'keepalived_mail_store_interval': _number(plan['probe_interval'] / 1000),
        'keepalived_mail_store_timeout': _number(plan['probe_timeout'] / 1000),
        # The pair of firewalls moves its addresses by VRRP too.
        'firewall_pair_advert_interval': _number(plan['advert'] / 1000),
        'firewall_pair_down_after_adverts': plan['adverts'],
        'firewall_pair_silent_after': plan['silent_after'],
        'haproxy_check_interval': _haproxy(plan['balancer_interval']),
        'haproxy_check_timeout': _haproxy(plan['balancer_timeout']),
        'haproxy_check_again': _haproxy(plan['balancer_again']),
        'haproxy_check_fall': plan['balancer_fall'],
        'haproxy_connect_timeout': _haproxy(plan['balancer_connect']),
        'haproxy_agent_interval': _haproxy(plan['agent_interval']),
        'dovecot_health_memory': _number(plan['health_memory'] / 1000),
        # Far below Patroni's retry_timeout, and no objective moves them: heartbeats are for a LAN and one slow write.
        'etcd_heartbeat_interval': plan['etcd_heartbeat'],
        'etcd_election_timeout': plan['etcd_election'],
        'postgresql_patroni_ttl': plan['ttl'] // 1000,
        'postgresql_patroni_loop_wait': plan['loop_wait'] // 1000,
        'postgresql_patroni_retry_timeout': plan['retry_timeout'] // 1000,
        'postgresql_patroni_primary_start_timeout': plan['start_timeout'] // 1000,
        # Whatever the directory's RPO: without a synchronous replica nothing bounds the loss, so there is no looser setting to derive.
        # One replica keeps three nodes writable with one lost; not strict, for a promise is about one failure.
        'postgresql_patroni_synchronous_mode': 'quorum',
        'postgresql_patroni_synchronous_node_count': 1,
        'postgresql_patroni_synchronous_mode_strict': False,
        'mail_store_probe_deadline': _number(plan['probe_deadline'] / 1000),
        'mail_store_gluster_ping_timeout': plan['ping'] // 1000,
        'dns_ttl': plan['dns_ttl'] // 1000,
    }


def _chains(plan):
    """``(fault, service, terms)`` of all failures, terms of the longest of the chains that run at the same time."""
    for fault, services in FAULTS.items():
        for service, (_budget, chains) in services.items():
            yield fault, service, max((chain(plan) for chain in chains), key=_sum) if chains is not None else None


def _late(plan, rto):
    """Services with a failure that takes longer than their objective, in the order of RTO."""
    late = {service for fault, service, terms in _chains(plan)
            if terms is not None and (fault, service) not in REPORTED and _sum(terms) > _ms(rto[service])}
    return [service for service in RTO if service in late]


def _failures(plan, rto):
    result = []
    for fault, service, terms in _chains(plan):
        worst = None if terms is None else _sum(terms)
        verdict = 'open' if worst is None else 'met' if worst <= _ms(rto[service]) else 'exceeded'
        note, grace = ('', None) if verdict == 'met' else REPORTED[fault, service]
        result.append({
            'fault': fault,
            'service': service,
            'worst': None if worst is None else worst / 1000,
            'objective': rto[service],
            'allowed': float(FAULTS[fault][service][0] * Fraction(_ms(rto[service]), _ms(RTO[service])) / 1000),
            'verdict': verdict,
            'terms': [{'name': name, 'seconds': milliseconds / 1000, 'source': source} for name, milliseconds, source in terms or []],
            'note': note,
            'grace': grace,
        })
    return result


def _scale(default, factor, least, most, step):
    """``default`` in proportion, rounded down to ``step``, within its limits."""
    return _limit(int(default * factor) // step * step, least, most)


def _limit(value, least, most):
    return min(max(value, least), most)


def _sum(terms):
    return sum(milliseconds for _name, milliseconds, _source in terms)


def _ms(seconds):
    return round(float(seconds) * 1000)


def _number(value):
    """2.0 as 2, 0.5 as it is; a text as it is."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _haproxy(milliseconds):
    """A time as HAProxy writes it."""
    return f'{milliseconds}ms' if milliseconds % 1000 else f'{milliseconds // 1000}s'


def table(derived):
    """What :func:`derive` returns, as lines of Markdown."""
    lines = ['| failure | service | worst | terms | objective | verdict |', '|---|---|---|---|---|---|']
    for fault, services in _grouped(derived['failures']):
        for item in services:
            terms = ' + '.join(f"{_number(term['seconds'])} s {term['name']}" for term in item['terms']) or ('' if item['worst'] is None else 'not touched')
            worst = 'no end by itself' if item['worst'] is None else f"{_number(item['worst'])} s"
            verdict = item['verdict'] + (f": {item['note']}" if item['note'] else '')
            lines.append(f"| {fault} | {item['services']} | {worst} | {terms} | {_number(item['objective'])} s | {verdict} |")
    lines += ['', '| timer | value |', '|---|---|']
    return lines + [f'| `{name}` | {value} |' for name, value in derived['timers'].items()]


def _grouped(failures):
    """``(fault, rows)``; services of a fault with the same figures share a row."""
    result = {}
    for item in failures:
        rows = result.setdefault(item['fault'], [])
        same = next((row for row in rows if all(row[key] == item[key] for key in ('terms', 'worst', 'objective', 'verdict', 'note'))), None)
        if same:
            same['services'] += f", {item['service']}"
        else:
            rows.append({**item, 'services': item['service']})
    return result.items()
