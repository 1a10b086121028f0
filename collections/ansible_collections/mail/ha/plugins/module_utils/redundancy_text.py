# Copyright: the ha-mail authors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""The report of ``redundancy`` for people: one screen of text, and a Mermaid picture. Pure functions."""

from __future__ import annotations

import collections
import re

from ansible_collections.mail.ha.plugins.module_utils.redundancy import MARGIN_MAX, PARTLY, SERVICES, UP


def screen(report):
    """The report as text.

    :param report: see ``redundancy.report``
    :returns: str of several lines
    """
    width = max(len(_label(loss)) for loss in report['losses'])
    lines = [f"{'WITHOUT':{width}}  " + ''.join(f'{service.upper():12}' for service in SERVICES) + 'WHAT MOVES, WHAT IS LEFT']
    for loss in report['losses']:
        states = ''.join(f"{_state(loss['services'][service]):12}" for service in SERVICES)
        lines.append(f'{_label(loss):{width}}  {states}{_consequences(loss)}')
    lines.append(f'+n: survives n more hosts, whichever they are (counted up to {MARGIN_MAX})')
    for title, sentences in (('FAILED', report['failures']), ('Warnings', report['warnings'])):
        if sentences:
            lines += ['', f'{title}:'] + [f'  - {sentence}' for sentence in sentences]
    lines += ['', 'Every service survives the loss of any one part, or the inventory accepts that it does not.' if not report['failures']
              else f"Not redundant: {len(report['failures'])} findings that nobody accepted."]
    return '\n'.join(lines)


def picture(site, report):
    """The site as a Mermaid flowchart: sites and racks as boxes, single points of failure in red, accepted ones in yellow.

    :param site: see ``redundancy``
    :param report: see ``redundancy.report``
    :returns: str, a Markdown code block
    """
    marks = {point['name']: 'accepted' if point['accepted'] else 'single' for point in report['single_points'] if point['service'] or point['accepted']}
    places = collections.defaultdict(lambda: collections.defaultdict(list))
    for name, host in site['hosts'].items():
        places[host['site']][host['rack']].append(name)
    lines = ['```mermaid', 'flowchart TB', '  classDef single fill:#f8cccc,stroke:#c00000', '  classDef accepted fill:#fff2cc,stroke:#bf9000']
    for place in sorted(places):
        lines.append(f'  subgraph {_id("site", place)} ["{place or "no site"}"]')
        for rack in sorted(places[place]):
            indent = '    '
            if rack:
                lines.append(f'    subgraph {_id("rack", rack)} ["rack {rack}"]')
                indent = '      '
            for name in places[place][rack]:
                lines.append(f'{indent}{_id("host", name)}["{name}<br/>{", ".join(site["hosts"][name]["groups"])}"]')
            if rack:
                lines.append('    end')
        lines.append('  end')
    lines += [f'  {_id("outside", point["name"])}(["{point["name"]}"])' for point in report['single_points'] if point['kind'] == 'outside']
    for upper, lower in (('firewalls', 'loadbalancers'), ('loadbalancers', 'mailservers'), ('mailservers', 'databases')):
        pairs = [(first, second) for first in _members(site, upper) for second in _members(site, lower) if first != second]
        # Mailservers that are databases ask themselves first: lines between them would say little.
        if set(_members(site, upper)) != set(_members(site, lower)):
            lines += [f'  {_id("host", first)} --> {_id("host", second)}' for first, second in pairs]
    lines += [f'  class {_id(point["kind"], point["name"])} {marks[point["name"]]}' for point in report['single_points'] if point['name'] in marks]
    return '\n'.join(lines + ['```', ''])


def _members(site, group):
    return [name for name, host in site['hosts'].items() if group in host['groups']]


def _id(kind, name):
    """Mermaid ids are words; the kind keeps a host, a rack and a site of one name apart."""
    return f"{kind}_{re.sub(r'[^A-Za-z0-9]', '_', name)}"


def _label(loss):
    return loss['name'] if loss['kind'] in ('', 'host') else f"{loss['kind']} {loss['name']}"


def _state(service):
    return f"up +{service['margin']}" if service['state'] == UP else service['state'] if service['state'] == PARTLY else service['state'].upper()


def _consequences(loss):
    parts = [f"{name} to {move['to'] or 'nobody'}" for name, move in loss['vips'].items()]
    if loss['seats']:
        heirs = collections.Counter(move['to'] or 'nobody' for move in loss['seats'].values())
        parts.append(f"{len(loss['seats'])} seats: {', '.join(f'{count} to {name}' for name, count in sorted(heirs.items()))}")
        if loss['load_factor']:
            parts.append(f"{max(loss['load'].values())} seats a node, {loss['load_factor']:g} times the load")
    databases = loss['etcd']
    if databases['alive'] < databases['members']:
        parts.append(f"etcd {databases['alive']}/{databases['members']} (needs {databases['quorum']})")
        parts.append(('leader' if loss['postgresql']['leader'] else 'no leader, reads only')
                     + (' with a synchronous standby' if loss['postgresql']['synchronous'] else
                        ', NO synchronous standby' if loss['postgresql']['leader'] else ''))
    store = loss['store']
    if store['alive'] < store['copies']:
        parts.append(f"store {store['alive']}/{store['copies']}{'' if store['writable'] else ', NOT writable'}")
    return '; '.join(parts)
