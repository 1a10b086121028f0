# Copyright: the ha-mail authors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""The policy of the firewall pair for people: what passes, for whom, and why. Pure."""

from __future__ import annotations


def text(policy):
    """Lines of one screen.

    :param policy: of firewall_policy.build
    """
    lines = ['Zones:']
    lines += ['  %-14s %s' % (zone['name'], ', '.join(zone.get('networks', [])) or 'whatever is in no other zone') for zone in policy['zones']]
    lines += ['', 'New connections that pass, first fit; everything else is dropped, and an answer always passes:']
    rows = [('action', 'from', 'to', 'what', 'limit for one source', 'because of')]
    for rule in policy['rules']:
        rows.append((
            rule['action'], _end(rule['from'], rule['words']['from']), _end(rule['to'], rule['words']['to']),
            ' '.join([rule['protocol'], ', '.join(rule['ports'])]).strip(),
            '%d a minute, %d at once' % (rule['limit']['per_minute'], rule['limit']['burst']) if rule['limit'] else '',
            ('service: ' if rule['origin'] == 'service' else 'site: ') + rule['name']))
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines += ['  ' + '  '.join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in rows]
    if policy['nat']:
        lines += ['', 'Connections that leave under another address:']
        lines += ['  %s: from %s to %s, %s, as %s' % (
            entry['name'], _end(entry['from'], ', '.join(entry['sources'])), entry['to'], ' '.join([entry['protocol'], ', '.join(entry['ports'])]).strip(),
            ' and '.join(filter(None, (entry['address'], entry['address6'])))) for entry in policy['nat']]
    if policy['direct']:
        lines += ['', 'Between hosts of one zone, so not seen by the firewall: %s.' % ', '.join(policy['direct'])]
    if policy['notes']:
        lines += ['', 'What may not be meant:', *('  ' + note for note in policy['notes'])]
    return lines


def _end(zone, words):
    """A zone, and who of it."""
    return zone if words in ('', 'any', zone) else '%s: %s' % (zone, words)
