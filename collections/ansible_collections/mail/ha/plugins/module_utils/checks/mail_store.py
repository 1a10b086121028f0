# Copyright: the ha-mail authors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""The mail store as one mailserver sees it."""

from __future__ import annotations

from ansible_collections.mail.ha.plugins.module_utils import gluster, mail_store
from ansible_collections.mail.ha.plugins.module_utils.asking import bounded, run as run_command

ARGUMENTS = {
    'engine': {'type': 'str', 'choices': ['glusterfs', 'mounted'], 'required': True},
    'path': {'type': 'path', 'default': '/srv/mail'},
    'probe': {'type': 'path', 'default': '/usr/local/lib/ha-mail/mail-store-probe'},
    'source': {'type': 'str', 'default': ''},
    'volume': {'type': 'dict', 'options': {
        'name': {'type': 'str', 'required': True},
        'address': {'type': 'str', 'required': True},
        'members': {'type': 'list', 'elements': 'str', 'required': True},
        'brick_members': {'type': 'list', 'elements': 'str', 'required': True},
        'brick_path': {'type': 'path', 'required': True},
    }},
    'timeout': {'type': 'float', 'default': 30},
}
RULES = {'required_if': [('engine', 'glusterfs', ['volume'])]}

FROM_GLUSTER = ('quorum', 'bricks', 'pending', 'split_brain')


def examine(parameters, run, mountinfo):
    """The answer. ``run`` is asking.run or a stand-in, ``mountinfo`` the text of /proc/self/mountinfo."""
    def run_bounded(argv):
        return run(bounded(argv, parameters['timeout']))

    code, out, err = run_bounded([parameters['probe']])
    written = mail_store.write(code, out or err)
    answer = {
        'problems': [] if written['writable'] else ['no mail can be stored: %s' % written['reason']],
        'writable': written['writable'],
        'write_seconds': written['seconds'],
        'mount': mail_store.mount(mountinfo, parameters['path']),
    }
    if parameters['engine'] == 'glusterfs':
        sources = ['%s:%s' % (member, parameters['volume']['name']) for member in parameters['volume']['members']]
    else:
        sources = [parameters['source']] if parameters['source'] else []
    answer['problems'] += mail_store.foreign(answer['mount'], parameters['path'], sources)
    if parameters['engine'] == 'glusterfs':
        state = gluster.state(parameters['volume'], run_bounded)
        answer.update({name: state[name] for name in FROM_GLUSTER})
        answer['problems'] += state['problems']
    return answer


def answer(parameters):
    """The answer of this node."""
    with open('/proc/self/mountinfo', encoding='utf-8', errors='surrogateescape') as table:
        mountinfo = table.read()
    return examine(parameters, run_command, mountinfo)
