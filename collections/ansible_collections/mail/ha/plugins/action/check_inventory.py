# Copyright: the ha-mail authors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Gather what the rules for inventories need, on the control node, and render what they find."""

from __future__ import annotations

import datetime
import glob
import importlib.util
import os
import sys

from ansible.errors import AnsibleError
from ansible.inventory.manager import IGNORED
from ansible.module_utils.common.text.converters import to_bytes
from ansible.plugins.action import ActionBase
from ansible.release import __version__ as ansible_version

from ansible_collections.mail.ha.plugins.module_utils import inventory_certificates, inventory_rules
from ansible_collections.mail.ha.plugins.module_utils.inventory_addresses import HOST_ADDRESSES
from ansible_collections.mail.ha.plugins.module_utils.inventory_finding import ERROR
from ansible_collections.mail.ha.plugins.plugin_utils.plain import plain

try:
    from ansible._internal._datatag._tags import Origin
except ImportError:  # other versions keep it elsewhere; messages then come without file and line
    Origin = None

_LIBRARIES = ('cryptography', 'passlib')
_ENTRY_POINTS_OF_SITE = ('site', 'node', 'lab')


class ActionModule(ActionBase):
    """Check the inventory of a mail cluster."""

    TRANSFERS_FILES = False
    _requires_connection = False

    def run(self, tmp=None, task_vars=None):
        """Run the check; see the documentation of the module."""
        result = super().run(tmp, task_vars)
        _validation, arguments = self.validate_argument_spec({
            'roles_dir': {'type': 'path', 'required': True},
            'wiring_dir': {'type': 'path', 'required': True},
            'certificate_days': {'type': 'int', 'default': 14},
        })
        findings = inventory_rules.check_inventory(self._gather(arguments, task_vars))
        errors = [item['message'] for item in findings if item['severity'] == ERROR]
        result.update(changed=False, warnings=[item['message'] for item in findings if item['severity'] != ERROR])
        if errors:
            count = f'{len(errors)} errors' if len(errors) > 1 else 'an error'
            result.update(failed=True, msg='\n'.join(
                [f'The inventory has {count}; no host was touched.'] + [f'{number}. {text}' for number, text in enumerate(errors, 1)]))
        else:
            result.update(findings=findings)
        return result

    def _gather(self, arguments, task_vars):
        hostvars = task_vars['hostvars']
        groups = {str(name): [str(host) for host in hosts] for name, hosts in task_vars['groups'].items()}
        names = groups.get('all', [])
        raw = {name: hostvars.raw_get(name) for name in names}
        options = self._options(arguments['roles_dir'])
        site = {name: option for entry in ('site', 'node') for name, option in options.pop(entry).items()}
        lab = options.pop('lab')
        roles = {name: option for role in options.values() for name, option in role.items()}
        computed = self._computed(arguments['wiring_dir'])
        reader = _Reader(hostvars)

        of_groups = {name: [group for group in groups if name in groups[group] and group not in ('all', 'ungrouped')] for name in names}
        # Hosts in no group come last: one that got here by mistake is no source for the site's variables.
        nodes = sorted((name for name in names if 'lab_infrastructure' not in of_groups[name]), key=lambda name: not of_groups[name])
        shared = [name for name in site if name not in inventory_rules.PER_HOST]
        values = {name: reader.read(nodes[0], name) for name in shared if nodes and name in raw[nodes[0]]}
        differing = {}
        variants = []
        for name in shared:
            other = next((host for host in nodes[1:] if _differ(raw[nodes[0]], raw[host], name)), None)
            if other is None:
                continue
            if name in inventory_rules.PER_SITE:
                variants += [{name: reader.read(host, name)} for host in nodes[1:] if _differ(raw[nodes[0]], raw[host], name)]
            else:
                differing[name] = [nodes[0], other]
        return {
            'hosts': {
                name: {'groups': of_groups[name],
                       **{key: reader.read(name, key) for key in HOST_ADDRESSES + ('mail_firewall_addresses',) if key in raw[name]}}
                for name in names},
            'groups': groups,
            'values': {name: value for name, value in values.items() if value is not None},
            'variants': variants,
            'defined': _defined(raw),
            'differing': differing,
            'site_options': site,
            'role_options': roles,
            'role_values': list(_role_values(raw, set(roles) - set(computed), reader)),
            'known': set(site) | set(lab) | set(roles) | set(computed),
            'prefixes': sorted({'mail_', 'lab_'} | {f'{role}_' for role in options}),
            'certificate': self._certificate_files(values),
            'now': datetime.datetime.now(datetime.timezone.utc),
            'certificate_days': arguments['certificate_days'],
            'control': {
                'python': tuple(sys.version_info[:3]),
                'ansible': tuple(int(part) for part in ansible_version.split('.')[:2]),
                'libraries': {name: importlib.util.find_spec(name) is not None for name in _LIBRARIES},
            },
            'unreadable': reader.unreadable,
            'exposed': _exposed(values.get('mail_secrets_dir'), task_vars.get('ansible_inventory_sources') or []),
        }

    def _options(self, roles_dir):
        """``{role: {variable: option}}`` of all roles, and the entry points that describe inventories under their own names."""
        result = {name: {} for name in _ENTRY_POINTS_OF_SITE}
        files = glob.glob(os.path.join(roles_dir, '*', 'meta', 'argument_specs.yml'))
        if not files:
            raise AnsibleError(f"roles_dir: no */meta/argument_specs.yml in '{roles_dir}', expected the directory of the roles; correct the path.")
        for path in sorted(files):
            role = os.path.basename(os.path.dirname(os.path.dirname(path)))
            result.setdefault(role, {})
            for entry, spec in (plain(self._loader.load_from_file(path)) or {}).get('argument_specs', {}).items():
                describes_inventory = role == 'validate_inventory' and entry in _ENTRY_POINTS_OF_SITE
                result[entry if describes_inventory else role].update(spec.get('options') or {})
        return result

    def _computed(self, wiring_dir):
        """Names of the variables that playbooks compute."""
        files = sorted(glob.glob(os.path.join(wiring_dir, '*.yml')))
        if not files:
            raise AnsibleError(f"wiring_dir: no variable files in '{wiring_dir}', expected wiring.yml and services.yml; correct the path.")
        return {str(name) for path in files for name in self._loader.load_from_file(path) or {}}

    def _certificate_files(self, values):
        """Content of the given certificate and key; see check_service_certificate."""
        result = {}
        for variable in (inventory_certificates.CERTIFICATE, inventory_certificates.KEY):
            path = values.get(variable)
            if not isinstance(path, str) or not path:
                continue
            result[variable] = {'path': path, 'content': None, 'problem': ''}
            try:
                # One character for each byte: a file in binary form is then refused by the parser, with our words.
                text = self._loader.get_text_file_contents(os.path.expanduser(path), encoding='latin-1')
                result[variable]['content'] = str(text).encode('latin-1')
            except (AnsibleError, OSError) as error:
                cause = error.__cause__ if isinstance(error.__cause__, OSError) else error
                result[variable]['problem'] = getattr(cause, 'strerror', None) or 'no such file, or not to be decrypted'
        return result


class _Reader:
    """Evaluates single variables of hosts, and remembers what could not be evaluated."""

    def __init__(self, hostvars):
        self._hostvars = hostvars
        self.unreadable = []
        self._cache = {}

    def read(self, host, name):
        """The value in plain types, or None when its template fails."""
        if host not in self._cache:
            self._cache[host] = self._hostvars[host]
        try:
            return plain(self._cache[host][name])
        except AnsibleError as error:
            reason = ' '.join(str(getattr(error, 'message', error)).split())
            self.unreadable.append({'variable': name, 'host': host, 'reason': reason})
            return None


def _differ(first, second, name):
    return (name in first) != (name in second) or name in first and first[name] != second[name]


def _defined(raw):
    """``{variable: {hosts, origin, origins}}`` of everything that hosts have.

    ``origin`` is where the name was first written, ``origins`` are those of all values: a name that several files set
    keeps the place of the first.
    """
    result = {}
    for host, variables in raw.items():
        for name, value in variables.items():
            entry = result.setdefault(str(name), {'hosts': [], 'origin': '', 'origins': []})
            entry['hosts'].append(host)
            entry['origin'] = entry['origin'] or _origin(name) or _origin(value)
            origin = _origin(value) or _origin(name)
            if origin and origin not in entry['origins']:
                entry['origins'].append(origin)
    return result


def _origin(value):
    """``file:line`` where something was written, or ''."""
    origin = Origin.get_tag(value) if Origin is not None else None
    if origin is None or not origin.path:
        return ''
    path = str(origin.path)
    near = os.path.relpath(path)
    return f"{path if near.startswith('..') else near}{f':{origin.line_num}' if origin.line_num else ''}"


def _exposed(secrets_dir, sources):
    """``[directory, name in it]`` where Ansible reads the files of mail_secrets_dir as inventories, or []."""
    if not isinstance(secrets_dir, str):
        return []
    path = os.path.realpath(os.path.expanduser(secrets_dir))
    for source in sources:
        directory = os.path.realpath(str(source))
        names = os.path.relpath(path, directory).split(os.sep)
        if os.path.isdir(directory) and os.path.isdir(path) and '..' not in names and not any(IGNORED.search(to_bytes(name)) for name in names):
            return [directory, names[0]]
    return []


def _role_values(raw, names, reader):
    """What the inventory sets for roles, once where all hosts that have it agree."""
    for name in sorted(names):
        hosts = [host for host in raw if name in raw[host]]
        if not hosts:
            continue
        agree = not any(_differ(raw[hosts[0]], raw[host], name) for host in hosts[1:])
        for host in hosts[:1] if agree else hosts:
            yield {'variable': name, 'host': '' if agree else host, 'value': reader.read(host, name)}
