# Copyright: the ha-mail authors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""All rules for an inventory, in one pure function: what a run of Ansible would stumble over later, said at once.

The themes have modules of their own: ``inventory_variables``, ``inventory_names``, ``inventory_addresses``,
``inventory_topology``, ``inventory_firewall``, ``inventory_certificates``, ``objectives``, and ``addresses`` for domains, accounts and aliases.
"""

from __future__ import annotations

import os.path

from ansible_collections.mail.ha.plugins.module_utils import (
    inventory_addresses,
    inventory_firewall,
    inventory_names,
    inventory_topology,
    inventory_variables,
    objectives,
)
from ansible_collections.mail.ha.plugins.module_utils.addresses import check_accounts, check_aliases, check_domains
from ansible_collections.mail.ha.plugins.module_utils.inventory_certificates import check_service_certificate
from ansible_collections.mail.ha.plugins.module_utils.inventory_finding import ERROR, enumerate_names, finding, finding_from_sentence

# Oldest versions on the control node that the playbooks are tested with.
PYTHON_MIN = (3, 11)
ANSIBLE_MIN = (2, 19)

# Each node has its own; nodes of different sites may ask different servers; all other site variables have one value.
PER_HOST = ('mail_address', 'mail_address6', 'mail_rack', 'mail_firewall_addresses')
PER_SITE = ('mail_nameservers', 'mail_ntp_servers')

# Lists whose entries module_utils/addresses.py checks, together and with better words than a spec has.
_DIRECTORY_LISTS = ('mail_domains', 'mail_accounts', 'mail_aliases')


def check_inventory(data):
    """Check everything that is known about an inventory before any host is touched.

    :param data: dict with

        - ``hosts``: ``{host: {'groups': [str], 'ansible_host': ..., 'mail_address': ..., 'mail_address6': ..., 'mail_firewall_addresses': ...}``, addresses as
          str or None
        - ``groups``: ``{group: [host]}``
        - ``values``: ``{variable: value}`` of the site variables (templated, plain types)
        - ``variants``: ``[{variable: value}]``, further values of the variables in ``PER_SITE``
        - ``defined``: ``{variable: {'hosts': [host], 'origin': str, 'origins': [str]}}`` of all variables, with ``file:line``
        - ``differing``: ``{variable: [host, host]}``
        - ``unreadable``: ``[{'variable': str, 'host': str, 'reason': str}]``
        - ``site_options``, ``role_options``: ``{variable: option}`` of the argument specs
        - ``role_values``: ``[{'variable': str, 'host': str or '', 'value': value}]`` set for roles by the inventory itself
        - ``known``: names of all variables that something reads; ``prefixes``: ours, with underscore
        - ``certificate``: see :func:`check_service_certificate`; ``now``: aware datetime; ``certificate_days``: int
        - ``exposed``: ``[inventory directory, name in it]`` where mail_secrets_dir is read as an inventory, or []
        - ``control``: ``{'python': (3, 11, 7), 'ansible': (2, 19, 14), 'libraries': {name: bool}}``

    :returns: list of findings (see ``inventory_finding.finding``), errors first, each once
    """
    if data['exposed']:
        # Names of hosts may be passwords then, so nothing else is said.
        return [exposed_secrets(*data['exposed'])]
    hosts, groups, given = data['hosts'], data['groups'], data['values']
    nodes = [name for name in sorted(hosts) if 'lab_infrastructure' not in hosts[name]['groups']]
    options = {name: option for name, option in data['site_options'].items() if name not in PER_HOST + _DIRECTORY_LISTS}
    values = inventory_variables.well_formed(options, given)

    result = check_control_node(data['control'])
    result += inventory_topology.check_groups(groups)
    result += inventory_topology.check_membership(hosts, groups)
    result += inventory_variables.check_names(data['defined'], data['known'], data['prefixes'], sorted(hosts))
    result += inventory_variables.check_unreadable(data['unreadable'])
    result += inventory_variables.check_differing(data['differing'])
    unreadable = {item['variable'] for item in data['unreadable']}
    result += inventory_variables.check_required(
        {name: option for name, option in options.items() if name not in unreadable}, given, nodes)
    result += inventory_variables.check_values(options, given)
    for item in data['role_values']:
        result += inventory_variables.check_values(
            data['role_options'], {item['variable']: item['value']}, {item['variable']: item['host']})

    result += inventory_names.check_site_names(values)
    result += inventory_names.check_labels(hosts, values)
    result += check_secrets_dir(values)
    result += inventory_addresses.check_networks(values)
    result += inventory_addresses.check_hosts(hosts, values)
    result += inventory_addresses.check_unique(hosts, values)
    result += inventory_addresses.check_vips(values, groups.get('loadbalancers', []))
    for variable, group in (('mail_service_vips', 'loadbalancers'), ('mail_seats', 'mailservers')):
        result += inventory_addresses.check_virtual(variable, values, hosts, groups.get(group, []), group)
    result += inventory_addresses.check_vrids(values)
    result += inventory_firewall.check_firewalls(hosts, groups, values)
    for variant in [values] + [inventory_variables.well_formed(options, variant) for variant in data['variants']]:
        result += inventory_addresses.check_servers(variant)

    single_points = inventory_variables.as_bool(values.get('mail_allow_single_points', False))
    result += inventory_topology.check_redundancy(groups, values, single_points)
    result += inventory_topology.check_seats(groups, values, single_points)
    result += check_timers(data['defined'])
    result += objectives.refusals(values.get('mail_objectives'))
    result += check_directory_lists(given, values)
    names = [values['mail_service_name']] if 'mail_service_name' in values else []
    result += check_service_certificate(
        data['certificate'], names + values.get('mail_service_alternative_names', []), data['now'], data['certificate_days'])

    unique = {item['message']: item for item in result}.values()
    return sorted(unique, key=lambda item: item['severity'] != ERROR)


def check_directory_lists(given, values):
    """Check mail_domains, mail_accounts and mail_aliases with the rules that the modules apply to them."""
    domains, accounts, aliases = (given.get(name) if given.get(name) is not None else [] for name in _DIRECTORY_LISTS)
    seats = [str(seat['name']) for seat in values['mail_seats']] if 'mail_seats' in values else None
    sentences = [('mail_domains', sentence) for sentence in check_domains(domains)]
    sentences += [('mail_accounts', sentence) for sentence in check_accounts(accounts, domains, seats)]
    sentences += [('mail_aliases', sentence) for sentence in check_aliases(aliases, accounts, domains)]
    return [finding_from_sentence(variable, sentence) for variable, sentence in sentences]


def check_timers(defined):
    """Find timers that something other than wiring.yml sets: they depend on each other, so one alone breaks the sums."""
    result = []
    for name in sorted(set(defined) & set(objectives.derive()['timers'])):
        others = [origin for origin in defined[name].get('origins', []) if os.path.basename(origin.partition(':')[0]) != 'wiring.yml']
        if others:
            result.append(finding(name, f'set in {enumerate_names(others)}', 'no value, for it is derived from mail_objectives together with all other timers',
                                  'remove it, and say in mail_objectives what it was meant to achieve'))
    return result


def check_secrets_dir(values):
    """Check mail_secrets_dir: a relative path would mean another directory for each place Ansible is started from."""
    path = values.get('mail_secrets_dir')
    if path is None or os.path.isabs(os.path.expanduser(str(path))):
        return []
    return [finding('mail_secrets_dir', f"found '{path}'", 'an absolute path',
                    f"write \"{{{{ inventory_dir }}}}/{path}\" for a directory beside the hosts file")]


def exposed_secrets(directory, name):
    """Ansible reads every file of an inventory directory as an inventory: the word in a password file becomes a host."""
    return finding('mail_secrets_dir', f"'{name}' lies in '{directory}', where Ansible reads all files as inventories and takes passwords for hosts",
                   'a directory that Ansible does not read as an inventory',
                   f'add ^{name}$ to ignore_patterns in the section [inventory] of ansible.cfg, or name the hosts file with -i')


def check_control_node(control):
    """Check the versions and the Python libraries of the machine that Ansible runs on."""
    result = []
    remedy = 'use the virtual environment that is made from requirements.txt'
    for name, found, wanted in (('Python', control['python'], PYTHON_MIN), ('ansible-core', control['ansible'], ANSIBLE_MIN)):
        if tuple(found[:len(wanted)]) < wanted:
            result.append(finding('control node', f"{name} {'.'.join(str(part) for part in found)}",
                                  f"{name} {'.'.join(str(part) for part in wanted)} or newer", remedy))
    for name, present in sorted(control['libraries'].items()):
        if not present:
            result.append(finding('control node', f'the Python library {name} is not installed for Ansible\'s Python',
                                  f'{name}, for certificates and passwords are checked and made with it', remedy))
    return result
