# Copyright: the ha-mail authors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""etcd as one member sees it, and each member for itself."""

from __future__ import annotations

import functools

from ansible_collections.mail.ha.plugins.module_utils import etcd
from ansible_collections.mail.ha.plugins.module_utils.asking import NoAnswer, ask_json, bounded, parsed, reason, run as run_command

ARGUMENTS = {
    'url': {'type': 'str', 'required': True},
    'members': {'type': 'dict', 'required': True},
    'ca_file': {'type': 'path', 'default': '/etc/ha-mail/tls/ca.crt'},
    'cert_file': {'type': 'path', 'default': '/etc/ha-mail/tls/node.crt'},
    'key_file': {'type': 'path', 'default': '/etc/ha-mail/tls/node.key'},
    'timeout': {'type': 'float', 'default': 2},
}


def examine(parameters, run):
    """The answer. ``run`` is asking.run or a stand-in."""
    timeout, told = parameters['timeout'], []
    everyone = sorted(parameters['members'].values())

    def run_towards(urls):
        # By environment: etcdctl refuses an option that the environment sets too.
        return functools.partial(run, environ_update={
            'ETCDCTL_ENDPOINTS': ','.join(urls), 'ETCDCTL_CACERT': parameters['ca_file'], 'ETCDCTL_CERT': parameters['cert_file'],
            'ETCDCTL_KEY': parameters['key_file']})

    def etcdctl(words):
        return ['etcdctl', '--command-timeout=%gs' % timeout, '--write-out=json'] + list(words)

    def of_the_cluster(*words):
        try:
            return ask_json(run_towards([parameters['url']]), etcdctl(words), timeout + 2)
        except NoAnswer as error:
            told.append('this member gives no list: %s. It does not run or has no quorum; look at "systemctl status etcd".' % error)
            return None

    def of_each(*words):
        # etcdctl fails when one member does, and yet prints what the others said.
        argv, seconds = etcdctl(words), timeout * len(everyone) + 2
        code, out, err = run_towards(everyone)(bounded(argv, seconds))
        try:
            return parsed(out, argv)
        except NoAnswer:
            told.append('no member could be asked: %s.' % reason(argv, code, err, seconds))
            return []

    members = of_the_cluster('member', 'list')
    alarms = of_the_cluster('alarm', 'list') if members else None
    found = etcd.report(parameters['members'], members, alarms, of_each('endpoint', 'status'), of_each('endpoint', 'health'))
    return dict(found, problems=told + etcd.verdict(found))


def answer(parameters):
    """The answer of this node."""
    return examine(parameters, run_command)
