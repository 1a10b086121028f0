# Copyright: the ha-mail authors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a drill has shown: gaps of the services, events of the nodes, and whether that is what was predicted and allowed. Pure.

Times are seconds since the epoch, as floats. Shapes::

    record   a line of the loss ledger (ledger/book.py); only {e: 'probe', p, vip, ok, t} and {e: 'sending', t} are looked at
    failure  {fault, service, worst: seconds or None, allowed: seconds, verdict, note, grace: seconds or None}, from ``objectives.derive``
    event    {time, kind, text}, what ledger-report.yml takes
    run      {begun, mended, watched}: when the fault began, when it was mended, and until when clients were watched
    row      {service, predicted, measured, each: [of every run], usual, allowed, bound, ok, wrong, note}, seconds or None
    step     {detection, takeover, recovery: seconds after the fault or None, text}
"""

from __future__ import annotations

import re

PROBED = ('smtp', 'submission', 'imap')
SERVICES = PROBED + ('directory_write',)

# Two probes of one address are never closer than this, whatever the load: a gap below it says nothing.
RESOLUTION = 0.5
# Seconds that stand for "no end by itself".
OPEN = 30
# Seconds between two changes that are asked of the directory at one host (files/directory-writer).
WRITE_INTERVAL = 0.5
# A service is calm as long as no more than one probe is missed, and the next one takes this many seconds more than usual at the most.
LATE_ANSWER = 1.0

_VRRP = re.compile(r'vrrp-notify\[\d+\]: (\S+) (MASTER|BACKUP|FAULT|STOP) priority (\d+) at ([\d.]+)$')
# HAProxy says it twice, on stderr with a level in brackets, and a backend that follows another one's checks says so ("via").
_HAPROXY = re.compile(r'haproxy\[\d+\]: Server (\S+) is (UP|DOWN)(?! via)')
_FIREWALL = re.compile(r'ha-mail-firewall(?:\[\d+\])?: this member is (\w+)$')
_PATRONI = re.compile(r'patroni\[\d+\]: INFO: (promoted self to leader.*|[Dd]emot\w+ self.*|no action\. .*not healthy.*)$')
# Of the events made of these: somebody has something that he did not have.
_TAKEN = re.compile(r' MASTER$|promoted self to leader')
_STAMP = re.compile(r'^(\d+\.\d+) (\S+) ')


def journal_events(text):
    """Events from ``journalctl -o short-unix`` of any node: addresses that move, servers that balancers give up or take back, leaders.

    :returns: events in order, of kind ``takeover`` (VRRP, firewalls and Patroni) or ``detection`` (HAProxy); other lines are passed over
    """
    found = []
    for line in text.splitlines():
        stamp = _STAMP.match(line)
        if not stamp:
            continue
        time, host = float(stamp[1]), stamp[2]
        vrrp, haproxy, patroni, firewall = _VRRP.search(line), _HAPROXY.search(line), _PATRONI.search(line), _FIREWALL.search(line)
        if vrrp:
            # Its own time is that of the transition; the journal's is when the line arrived.
            found.append({'time': float(vrrp[4]), 'kind': 'takeover', 'text': f'{host}: {vrrp[1]} {vrrp[2]}'})
        elif haproxy:
            found.append({'time': time, 'kind': 'detection', 'text': f'{host}: {haproxy[1]} {haproxy[2]}'})
        elif patroni:
            found.append({'time': time, 'kind': 'takeover', 'text': f'{host}: {patroni[1]}'})
        elif firewall:
            found.append({'time': time, 'kind': 'takeover', 'text': f'{host}: firewall {firewall[1]}'})
    return sorted(found, key=lambda event: event['time'])


def gaps(times, begin, end):
    """Times without a success between ``begin`` and ``end``: [(seconds, from, to)], longest first.

    The last success before ``begin`` starts the first gap, the first one after ``end`` closes the last; where there is none,
    ``begin`` and ``end`` do.
    """
    inside = sorted(time for time in times if begin < time < end)
    before = max((time for time in times if time <= begin), default=begin)
    after = min((time for time in times if time >= end), default=end)
    marks = [before] + inside + [after]
    return sorted(((round(late - early, 3), early, late) for early, late in zip(marks, marks[1:])), key=lambda gap: (-gap[0], gap[1]))


def longest_gaps(records, writes, begin, end):
    """The longest gap of each service between two times, at the address where it was worst.

    One address alone counts, though the other one answers: a client that chose it waits.

    :param records: of the ledger. :param writes: times at which the directory took a change
    :returns: ``{service: {seconds, begin, end, vip, over}}`` of the services that were watched; ``vip`` is '' for directory_write, and
        ``over`` is False where no success ended it
    """
    successes = {}
    for record in records:
        if record.get('e') == 'probe' and record['p'] in PROBED:
            times = successes.setdefault((record['p'], record['vip']), [])
            if record['ok']:
                times.append(record['t'])
    if writes:
        successes['directory_write', ''] = list(writes)
    found = {}
    for (service, vip), times in sorted(successes.items()):
        seconds, early, late = gaps(times, begin, end)[0]
        if service not in found or seconds > found[service]['seconds']:
            found[service] = {'seconds': seconds, 'begin': early, 'end': late, 'vip': vip, 'over': any(time >= late for time in times)}
    return found


def prediction(failures, fault):
    """``{service: failure}`` of one fault; empty for one that nobody has worked out."""
    return {failure['service']: failure for failure in failures if failure['fault'] == fault}


def hold(failures, fault, least=15):
    """How long a fault has to last, in whole seconds, so that what it does is over before it is mended.

    Where nothing ends it, long enough for all that answers to it: Patroni's ttl and what follows it.
    """
    worst = [OPEN if failure['worst'] is None else failure['worst'] for failure in prediction(failures, fault).values()]
    return max(least, int(1.2 * max(worst, default=0) + 5))


def broken_sessions(records, runs):
    """Long-lived sessions of the ledger that ended while clients were watched; ``[record]``."""
    return [record for record in records if record.get('e') == 'session' and not record['up']
            and any(run['begun'] <= record['t'] <= run['watched'] for run in runs)]


def calm(report):
    """``{service: seconds}``: the longest time without an answer at one address while nothing is wrong, by the rhythm of the questions.

    :param report: report.json of the ledger, which says how often it asks, by turns through how many addresses
    """
    asked = report['asked']
    rhythm = {service: asked['probe_interval'][service] * len(asked['vips']) for service in PROBED} | {'directory_write': WRITE_INTERVAL}
    return {service: round(2 * seconds + LATE_ANSWER, 3) for service, seconds in rhythm.items()}


def not_closed(closed, records, writes, runs):
    """What is wrong where services have to refuse while it is broken; a sentence for each service.

    :param closed: ``{service: seconds}``: from so long after the fault until it is mended nothing may succeed
    :param records: of the ledger. :param writes: times at which the directory took a change. :param runs: all of them count
    """
    told = []
    for service, after in closed.items():
        if service in PROBED:
            probes = [record for record in records if record.get('e') == 'probe' and record['p'] == service]
            asked, answered = [record['t'] for record in probes], [record['t'] for record in probes if record['ok']]
        else:  # the writer asks all the time, and writes down only what was confirmed
            asked, answered = [run['begun'] + after for run in runs], writes
        answers = [seconds for run in runs for seconds in _refusing(answered, run, after)]
        if answers:
            told.append(f"{service}: answered {len(answers)} times while it has to refuse, first {min(answers):.1f} s after the fault, expected never from "
                        f'{after:g} s on until it was mended: it does not fail closed; look for them in the ledger or in writes.')
        elif not all(_refusing(asked, run, after) for run in runs):
            told.append(f'{service}: nobody asked between {after:g} s after the fault and its mending, so that it refuses is not proved; '
                        'let the fault last longer (drill_hold).')
    return told


def _refusing(times, run, after):
    """Of some times those at which a service has to refuse, in seconds after the fault."""
    return [time - run['begun'] for time in times if run['begun'] + after <= time < run['mended']]


def steps(events, measured, usual, runs):
    """How each run went on, in seconds after the fault; ``[step]``.

    ``detection`` is the first server that a balancer gave up, ``takeover`` the first address or database that another node took, both until
    it was mended. ``recovery`` is the end of the longest gap of the service that came back last, of those that missed more than one probe.
    """
    found = []
    for run, gaps_of_run in zip(runs, measured):
        during = [event for event in events if run['begun'] <= event['time'] <= run['mended']]
        marks = {
            'detection': [event['time'] for event in during if event['kind'] == 'detection' and event['text'].endswith(' DOWN')],
            'takeover': [event['time'] for event in during if event['kind'] == 'takeover' and _TAKEN.search(event['text'])],
        }
        step = {kind: round(min(times) - run['begun'], 3) if times else None for kind, times in marks.items()}
        ends = [gap['end'] for service, gap in gaps_of_run.items() if gap['over'] and gap['seconds'] > 2 * _rhythm(usual.get(service))]
        step['recovery'] = round(max(ends) - run['begun'], 3) if ends else None
        words = (('detection', 'a balancer gave up a server'), ('takeover', 'another node took over'), ('recovery', 'the last longest gap ended'))
        told = [f'{text} after {step[kind]:.1f} s' for kind, text in words if step[kind] is not None]
        step['text'] = f"Run {len(found) + 1}: {', '.join(told) or 'no node acted, and no client missed more than one probe'}."
        found.append(step)
    return found


def judge(fault, failures, records, writes, report, runs, *, events=(), allowance=0.0, sessions_live=False, closed=None):
    """The verdict on a drill.

    A gap is what lies between two successes, so it also holds the rhythm of the probes: what was usual before the fault is allowed
    on top. Where that is more than the rhythm can be, nothing is proved. A service that the fault should not touch may miss one probe, which
    is twice that: a single late answer is no outage. What is known not to keep its budget has a bound all the same, and has to end.

    :param report: report.json of the ledger
    :param runs: ``[run]``; the worst of them counts
    :param events: of the nodes' journals, for ``steps``
    :param allowance: seconds on top of every budget, for a machine that has other things to do; what is kept with it is no proof
    :param sessions_live: whether sessions that are there when it breaks have to live on
    :param closed: ``{service: seconds}`` of services that have to refuse from so long after the fault until it is mended
    :returns: dict with ``ok``, ``rows``, ``steps`` (see the module), ``lost``, ``duplicated``, ``sentences`` (what is wrong, else one that
        says that nothing is)
    """
    begun = min(run['begun'] for run in runs)
    settled = min((record['t'] for record in records if record.get('e') == 'sending'), default=begun)
    usual = longest_gaps([record for record in records if record.get('t', 0) <= begun], [], settled, begun)
    before = [time for time in writes if time <= begun]
    if before:  # the writer is started later than the ledger
        usual.update(longest_gaps([], before, min(before), begun))
    # Between runs nobody writes, so the next run's writes end no gap of this one.
    measured = [longest_gaps(records, [time for time in writes if time <= run['watched']], run['begun'], run['watched']) for run in runs]
    predicted = prediction(failures, fault)
    longest = calm(report)
    rows = [_row(service, predicted, [(run, gap.get(service)) for run, gap in zip(runs, measured)], usual.get(service), longest[service], allowance)
            for service in SERVICES]
    told = [row['wrong'] for row in rows if row['wrong']] + not_closed(closed or {}, records, writes, runs)
    if not report['verdict']['ok']:
        told = [report['verdict']['sentences'][0]] + told
    broken = broken_sessions(records, runs) if sessions_live else []
    if broken:
        told.append(f"{len(broken)} long-lived IMAP sessions broke ({', '.join(sorted({record['kind'] for record in broken}))}), expected none: whoever "
                    'stands between clients and service has to know their connections; look at the session lines of the ledger.')
    if sessions_live and not any(record.get('e') == 'session' and record['up'] and record['t'] < begun for record in records):
        told.append('No IMAP session was there when it broke, so that they live on is not proved; look for the session lines of the ledger.')
    counts = report['messages']
    fine = f"{counts['accepted']} messages accepted, none lost, none duplicated; every service came back in time."
    return {'ok': not told, 'rows': rows, 'steps': steps(events, measured, usual, runs), 'lost': counts['lost'], 'duplicated': counts['duplicated'],
            'sentences': told or [fine]}


def _rhythm(usual):
    """Seconds between two answers while nothing is wrong, from the longest gap before the fault, or None."""
    return max(RESOLUTION, usual['seconds'] if usual else 0.0)


def _row(service, predicted, measured, usual, longest, allowance):
    """The row of a service.

    :param measured: ``[(run, gap or None)]``. :param usual: its longest gap before the fault, or None. :param longest: what that may be
    """
    failure = predicted.get(service)
    # A run that did not measure it makes the whole worth nothing.
    gaps_of_runs = [gap['seconds'] for _run, gap in measured if gap]
    worst = max(gaps_of_runs) if len(gaps_of_runs) == len(measured) else None
    rhythm = _rhythm(usual)
    allowed = failure['allowed'] if failure else 0.0 if predicted else None
    # What is known not to hold is reported with its reason, and is no surprise up to its own bound.
    known = bool(failure) and failure['verdict'] != 'met'
    bounded = [(gap, allowed if not known else failure['grace'] + (run['mended'] - run['begun'] if failure['worst'] is None else failure['worst']))
               for run, gap in measured if gap]
    # The run that is nearest to its bound, or farthest beyond it.
    gap, bound = max(bounded, key=lambda item: item[0]['seconds'] - (item[1] or 0.0), default=(None, allowed))
    wrong = ''
    if worst is None:
        wrong = 'it was not measured, so nothing is proved; look for the probes in the ledger.'
    elif not usual:
        wrong = 'nothing was answered before the fault, so nothing is proved; look for it in the ledger or in writes.'
    elif rhythm > longest + allowance:
        wrong = (f'the service was not calm before the fault, {rhythm:.1f} s without an answer, expected {longest:g} s at most, so nothing is proved; '
                 'see the time line in report.html, and drill again.')
    elif bound is not None and gap['seconds'] > (bound or rhythm) + rhythm + allowance:
        wrong = (f"{gap['seconds']:.1f} s without an answer, expected {round(bound, 1):g} s at most and {rhythm:.1f} s "
                 'that are usual between two probes; see the time line in report.html.')
    elif known and any(not other['over'] and other['seconds'] > 2 * rhythm + allowance for _run, other in measured):
        wrong = 'it had not come back when the watching ended; see the time line in report.html, or watch for longer (drill_heal).'
    return {
        'service': service,
        'predicted': failure['worst'] if failure else 0.0 if predicted else None,
        'measured': worst,
        'each': gaps_of_runs,
        'usual': rhythm,
        'allowed': allowed,
        'bound': None if bound is None else round(bound, 3),
        'ok': not wrong,
        'wrong': f'{service}: {wrong}' if wrong else '',
        'note': failure['note'] if known else '',
    }


def table(results):
    """Lines of Markdown over several drills.

    :param results: ``[{fault, runs, ok, rows, lost, duplicated}]``; several drills of one fault are one line with the worst of them, and one
        that did not get as far as a verdict has no rows
    """
    lines = ['| fault | runs | ' + ' | '.join(SERVICES) + ' | lost | duplicated | verdict |', '|---' * (len(SERVICES) + 5) + '|']
    drills = {}
    for result in results:
        drills.setdefault(result['fault'], []).append(result)
    for fault, some in drills.items():
        judged = [result for result in some if result.get('rows')]
        cells = [_cell([row for result in judged for row in result['rows'] if row['service'] == service]) for service in SERVICES]
        broken = len(some) - sum(bool(result['ok']) for result in some)
        runs = sum(result['runs'] for result in some)
        lines.append(f"| {fault} | {runs} | {' | '.join(cells)} | {_total(judged, 'lost')} | {_total(judged, 'duplicated')} | "
                     f"{f'{broken} of {len(some)} broken' if broken else 'kept'} |")
    return lines + ['', 'Seconds: measured (predicted, allowed), the worst of all runs. Measured holds the rhythm of the probes too.']


def _cell(rows):
    """``measured (predicted, allowed)``, or nothing where nothing was measured."""
    measured = [row['measured'] for row in rows if row['measured'] is not None]
    if not measured:
        return ''
    first = rows[0]
    if first['allowed'] is None:
        return f'{max(measured):.1f}'
    predicted = 'open' if first['predicted'] is None else f"{first['predicted']:g}"
    return f"{max(measured):.1f} ({predicted}, {first['allowed']:g})"


def _total(results, key):
    return sum(result[key] for result in results) if results else ''
