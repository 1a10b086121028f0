# Copyright: the ha-mail authors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Rules for the names of a site: hosts, seats, VIPs, the service's name and the domain of its nodes."""

from __future__ import annotations

import re

from ansible_collections.mail.ha.plugins.module_utils.addresses import check_domain
from ansible_collections.mail.ha.plugins.module_utils.inventory_finding import enumerate_names, finding, show

# RFC 1123 section 2.1: letters, digits and inner hyphens; 63 octets (RFC 1035 section 2.3.4). Lower case, because these
# names become host names, certificate names and keys of etcd and Patroni, which do compare case.
_LABEL = re.compile(r'[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?')


def check_site_names(values):
    """Check mail_service_name, mail_service_alternative_names and mail_internal_domain.

    :param values: ``{variable: value}`` of the site, well formed by type
    """
    result = []
    named = [(name, values[name]) for name in ('mail_service_name', 'mail_internal_domain') if name in values]
    alternatives = values.get('mail_service_alternative_names', [])
    named += [(f'mail_service_alternative_names[{index}]', name) for index, name in enumerate(alternatives)]
    for variable, name in named:
        if check_domain(str(name)):
            result.append(finding(
                variable, f'found {show(name)}', 'a full host name in lower case such as mail.example.org',
                f'correct it ({_after_value(check_domain(str(name))[0], name)})'))
    for name in sorted({name for name in alternatives if alternatives.count(name) > 1 or name == values.get('mail_service_name')}, key=str):
        result.append(finding('mail_service_alternative_names', f'{show(name)} is there twice or is mail_service_name itself',
                              'further names only', 'remove it from the list'))
    return result


def check_labels(hosts, values):
    """Check that hosts, seats and VIPs have names that can be host names, and each a name of its own.

    :param hosts: ``{host: ...}`` of the inventory
    :param values: ``{variable: value}`` of the site
    """
    owners = {}
    result = []
    entries = [('inventory host', name) for name in hosts]
    entries += [(variable, str(entry['name'])) for variable in ('mail_seats', 'mail_service_vips') for entry in values.get(variable, [])]
    for kind, name in entries:
        if not _LABEL.fullmatch(name):
            result.append(finding(
                kind, f'the name {show(name)}', 'letters a-z, digits and inner hyphens, at most 63 of them (it becomes a host name)',
                f'rename it, for instance to {show(_label(name))}'))
        owners.setdefault(name.lower(), []).append(kind)
    for name, kinds in sorted(owners.items()):
        if len(kinds) > 1:
            result.append(finding(
                kinds[-1], f'the name {show(name)} is used {len(kinds)} times ({enumerate_names(sorted(set(kinds)))})',
                'a name of its own for every host, seat and VIP', 'rename all but one of them'))
    return result


def _label(name):
    """The nearest usable host name."""
    return re.sub(r'-+', '-', re.sub(r'[^a-z0-9-]', '-', name.split('.')[0].lower())).strip('-')[:63] or 'host1'


def _after_value(sentence, value):
    """A sentence of module_utils/addresses.py without the value it starts with."""
    return sentence[len(repr(str(value))):].strip() if sentence.startswith(repr(str(value))) else sentence
