#!/usr/bin/python
# Copyright: the ha-mail authors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Gather from a node what must be the same on its twins."""

from __future__ import annotations

DOCUMENTATION = r"""
module: twin_state_info
short_description: Gather what is live on a node and must be the same on nodes that are alike
version_added: 0.2.0
description:
  - Asks daemons and tools, not the files that were once written, and returns flat mappings of settings which the filter
    P(mail.ha.drift_report#filter) compares. keepalived is the exception, for it cannot be asked without side effects.
  - Secrets leave the node as keyed digests only.
  - A subject that cannot be asked is named in RV(errors) and does not hide the others.
author: ["ha-mail authors (@ha-mail)"]
attributes:
  check_mode:
    description: Reads only, so check mode makes no difference.
    support: full
requirements: ["root on the node"]
options:
  subjects:
    description:
      - What to gather. V(clock) is measured from the control node, so it says how far both are apart, and how sure that is.
      - V(directory) is what the node's own replica answers to the reader that Postfix and Dovecot use, V(maps) what Postfix's
        own maps answer to O(map_keys).
      - V(certificates) is what O(endpoints) serve, on other nodes too, and so has a return value of its own, RV(served).
    type: list
    elements: str
    required: true
    choices: [certificates, chrony, clock, directory, dovecot, etcd, haproxy, keepalived, kernel, maps, packages, postfix, postgresql, sysctl]
  packages:
    description: Names or shell patterns of the packages whose versions are compared.
    type: list
    elements: str
    default: []
  sysctl_files:
    description: Files that name kernel settings. Their names are taken, the values come from the running kernel.
    type: list
    elements: path
    default: []
  map_keys:
    description: Addresses and domains that every map is asked for.
    type: list
    elements: str
    default: []
  endpoints:
    description: Where certificates are read.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: The node that serves there.
        type: str
        required: true
      address:
        description: IPv4 or IPv6 address or host name.
        type: str
        required: true
      port:
        description: TCP port.
        type: int
        required: true
      starttls:
        description: What is spoken before TLS begins.
        type: str
        choices: [none, smtp, lmtp, imap, pop3, sieve, postgresql]
        default: none
      proxy:
        description: Whether to send a PROXY protocol v2 header first, as the balancers do.
        type: bool
        default: false
      server_name:
        description: Name sent in the TLS handshake (SNI).
        type: str
  own_certificates:
    description:
      - Whether each node has a service certificate of its own, as with the internal authority. Not the fingerprint is returned then, but
        with which other port of the same node a port shares its certificate, so a daemon that was not reloaded is still found.
    type: bool
    default: false
  seal_key:
    description: A secret that all nodes share. Digests of other secrets are made with it, so that nobody can guess these from their digests.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Ask what is live
  mail.ha.twin_state_info:
    subjects: [postfix, packages]
    packages: [postfix*]
    seal_key: "{{ directory_reader_password }}"
  register: live
"""

RETURN = r"""
state:
  description: Settings by subject. C(clock) holds numbers, C(offset) and C(uncertainty) in seconds; all others hold text.
  returned: always
  type: dict
  sample: {"postfix": {"message_size_limit": "52428800"}, "clock": {"offset": 0.002, "uncertainty": 0.015}}
served:
  description: Fingerprints (SHA-256, cut) of the certificates that O(endpoints) serve, by node and port; see O(own_certificates).
  returned: always
  type: dict
  sample: {"mail1": {"port 10465": "1f0e2d..."}}
errors:
  description: One sentence for each subject that could not be asked.
  returned: always
  type: list
  elements: str
  sample: ["haproxy: [Errno 2] No such file or directory"]
"""

import os

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.mail.ha.plugins.module_utils import haproxy, served_certificate, twin_state

_SUBJECTS = ['certificates', 'chrony', 'clock', 'directory', 'dovecot', 'etcd', 'haproxy', 'keepalived', 'kernel', 'maps', 'packages', 'postfix',
             'postgresql', 'sysctl']
_KEEPALIVED_CONF = '/etc/keepalived/keepalived.conf'
_READER = 'host=/run/postgresql user=mail_reader dbname=mail connect_timeout=5'
_VIEWS = ('active_domains', 'active_accounts', 'logins', 'routes', 'sender_logins')
_TIMEOUT = 10


class Unanswered(Exception):
    """A subject could not be asked; the text says why."""


class Node:
    """Asks the node's daemons. ``run_command`` is AnsibleModule's, or a stand-in in tests."""

    def __init__(self, parameters, run_command):
        self.parameters = parameters
        self.run_command = run_command

    def run(self, *arguments, accepted=(0,), **options):
        """Output of a command."""
        code, out, err = self.run_command(list(arguments), **options)
        if code not in accepted:
            raise Unanswered(f"{' '.join(arguments[:3])} ended with {code}: {(err or out).strip()[:200]}")
        return out

    def certificates(self):
        """``{node: {port: fingerprint}}``, and a sentence for each endpoint without an answer."""
        served, errors = {}, []
        for endpoint in self.parameters['endpoints']:
            try:
                der, dummy = served_certificate.read(endpoint['address'], endpoint['port'], endpoint['starttls'], endpoint['server_name'],
                                                     endpoint['proxy'], _TIMEOUT)
            except (OSError, served_certificate.ServedCertificateError) as error:
                errors.append(f"certificates: {endpoint['name']} ({endpoint['address']} port {endpoint['port']}): {error}")
            else:
                served.setdefault(endpoint['name'], {})[f"port {endpoint['port']}"] = served_certificate.fingerprint(der)[:16]
        if self.parameters['own_certificates']:
            served = {node: twin_state.shared_certificates(ports) for node, ports in served.items()}
        return served, errors

    def chrony(self):
        """Whether the clock follows a server."""
        return twin_state.chrony(self.run('chronyc', '-c', '-n', 'tracking'))

    def directory(self):
        """Size and digest of each view, as the node's own replica has it."""
        # Sorted in C, for the order of a collation may differ between versions of the C library.
        queries = [f"SELECT '{view}', count(*) || ' rows, md5 ' || md5(coalesce(string_agg(v::text, E'\\n' ORDER BY v::text COLLATE \"C\"), '')) "
                   f'FROM mail.{view} v' for view in _VIEWS]
        text = self.run('psql', '--no-psqlrc', '--no-align', '--tuples-only', '--field-separator==', f'--dbname={_READER}',
                        f"--command={' UNION ALL '.join(queries)}")
        return twin_state.assignments(text)

    def dovecot(self):
        """Settings that differ from Dovecot's defaults."""
        return twin_state.dovecot(self.run('doveconf', '-n'))

    def etcd(self):
        """Environment of the running member, and its version."""
        process = self.run('systemctl', 'show', '--property=MainPID', '--value', 'etcd.service').strip()
        with open(f'/proc/{process}/environ', encoding='utf-8') as file:
            variables = twin_state.environment(file.read())
        client = {name: value for name, value in variables.items() if name.startswith('ETCDCTL_')}
        status = self.run('etcdctl', 'endpoint', 'status', '--write-out=json', environ_update=client)
        return twin_state.etcd(variables, status)

    def haproxy(self):
        """What the runtime API says."""
        return twin_state.haproxy(haproxy.ask('show info'), haproxy.ask('show stat'))

    def keepalived(self):
        """What the daemon reads at a reload."""
        with open(_KEEPALIVED_CONF, encoding='utf-8') as file:
            return twin_state.keepalived(file.read())

    def kernel(self):
        """The running kernel."""
        return {'release': os.uname().release}

    def maps(self):
        """What Postfix's maps answer."""
        paths = twin_state.postfix_maps(twin_state.assignments(self.run('postconf')))
        keys = '\n'.join(self.parameters['map_keys']) + '\n'
        # 1 means that no key was found, which is an answer.
        return {os.path.basename(path): twin_state.answers(self.run('postmap', '-q', '-', f'pgsql:{path}', data=keys, accepted=(0, 1))) for path in paths}

    def packages(self):
        """Versions of what is installed; 1 means that a pattern fits nothing."""
        return twin_state.packages(self.run('dpkg-query', '-W', '-f', '${Package} ${Version} ${db:Status-Abbrev}\n', *self.parameters['packages'],
                                            accepted=(0, 1)))

    def postfix(self):
        """All settings, and all services."""
        return twin_state.postfix(self.run('postconf'), self.run('postconf', '-F'), self.run('postconf', '-P'))

    def postgresql(self):
        """All settings of the running server."""
        return twin_state.postgresql(self.run(
            'runuser', '-u', 'postgres', '--', 'psql', '--no-psqlrc', '--no-align', '--tuples-only', '--dbname=postgres',
            '--command=SELECT json_object_agg(name, json_build_array(setting, pending_restart)) FROM pg_settings'))

    def sysctl(self):
        """Values of the running kernel."""
        names = {}
        for path in self.parameters['sysctl_files']:
            with open(path, encoding='utf-8') as file:
                names.update(twin_state.assignments(file.read()))
        found = {}
        for name in names:
            with open('/proc/sys/' + name.replace('.', '/'), encoding='utf-8') as file:
                found[name] = ' '.join(file.read().split())
        return found


def examine(parameters, run_command):
    """The module's answer."""
    node = Node(parameters, run_command)
    state, served, errors = {}, {}, []
    for subject in parameters['subjects']:
        if subject == 'clock':
            continue  # measured by the action plugin
        if subject == 'certificates':
            served, unanswered = node.certificates()
            errors += unanswered
            continue
        try:
            state[subject] = twin_state.sealed(getattr(node, subject)(), parameters['seal_key'])
        except (Unanswered, haproxy.HaproxyError, OSError, ValueError, KeyError, IndexError) as error:
            errors.append(f'{subject}: {error}')
    return {'state': state, 'served': served, 'errors': errors}


def main():
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            'subjects': {'type': 'list', 'elements': 'str', 'required': True, 'choices': _SUBJECTS},
            'packages': {'type': 'list', 'elements': 'str', 'default': []},
            'sysctl_files': {'type': 'list', 'elements': 'path', 'default': []},
            'map_keys': {'type': 'list', 'elements': 'str', 'default': [], 'no_log': False},
            'endpoints': {'type': 'list', 'elements': 'dict', 'default': [], 'options': {
                'name': {'type': 'str', 'required': True},
                'address': {'type': 'str', 'required': True},
                'port': {'type': 'int', 'required': True},
                'starttls': {'type': 'str', 'choices': list(served_certificate.STARTTLS), 'default': 'none'},
                'proxy': {'type': 'bool', 'default': False},
                'server_name': {'type': 'str'},
            }},
            'own_certificates': {'type': 'bool', 'default': False},
            'seal_key': {'type': 'str', 'required': True, 'no_log': True},
        },
        supports_check_mode=True,
    )
    module.run_command_environ_update = {'LC_ALL': 'C.UTF-8'}
    module.exit_json(changed=False, **examine(module.params, module.run_command))


if __name__ == '__main__':
    main()
