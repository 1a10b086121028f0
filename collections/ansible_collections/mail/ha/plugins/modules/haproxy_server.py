#!/usr/bin/python
# Copyright: the ha-mail authors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Take servers of HAProxy out of service and put them back, on one load balancer."""

from __future__ import annotations

DOCUMENTATION = r'''
---
module: haproxy_server
short_description: Administrative state of servers behind one HAProxy
version_added: 0.2.0
description:
  - Sets the state of servers in the backends that take traffic, through the Runtime API, and waits until their sessions are gone.
  - This is the tool for one service, or for one balancer. For a whole node M(mail.ha.node_maintenance) is the better one, since all
    balancers and keepalived follow it.
notes:
  - The state is set in the service backends, such as C(smtp), and not in the backend that they track, such as C(health_postfix). The
    agent of the node is asked there every second, and its C(ready) would take back what was set; in a service backend it
    stays. The module refuses a backend that is only tracked.
  - What the node says counts as well. While its agent says C(drain) or C(maint), or its check fails, a server that is V(ready) here still
    gets no traffic; RV(servers[].status) shows it.
  - HAProxy keeps the state over a reload (the role haproxy saves it), and loses it with a restart.
  - Neither V(drain) nor V(maint) ends a session that is running.
options:
  servers:
    description: Names of the servers, as in the configuration of HAProxy. Each must exist in each of the backends.
    type: list
    elements: str
    required: true
  backends:
    description: Names of the backends. Without any, all that take traffic.
    type: list
    elements: str
    default: []
  state:
    description: V(ready) for all traffic, V(drain) for no new sessions, V(maint) for no checks either.
    type: str
    choices: [ready, drain, maint]
    required: true
  wait:
    description:
      - Whether to wait until no session is left on the servers.
      - Sessions that are left at the O(deadline) are no failure, since those of IMAP last for hours. RV(drained) tells.
      - Has no meaning with O(state=ready), nor in check mode.
    type: bool
    default: false
  deadline:
    description: How long to wait at most, in seconds.
    type: float
    default: 60
  socket:
    description: Admin socket of HAProxy.
    type: path
    default: /run/haproxy/admin.sock
author:
  - ha-mail (@ha-mail)
attributes:
  check_mode:
    description: Tells what would be set, from the state at present.
    support: full
  diff_mode:
    description: Shows the administrative state of each server.
    support: full
  platform:
    description: HAProxy 3.0.
    support: full
    platforms: posix
extends_documentation_fragment:
  - ansible.builtin.action_common_attributes
seealso:
  - module: mail.ha.node_maintenance
  - module: mail.ha.haproxy_info
'''

EXAMPLES = r'''
- name: No new IMAP sessions to mail1 from this balancer; give those that run five minutes
  mail.ha.haproxy_server:
    servers: [mail1]
    backends: [imaps]
    state: drain
    wait: true
    deadline: 300
  register: drain
  failed_when: drain is failed or not drain.drained

- name: Back in service, everywhere
  mail.ha.haproxy_server:
    servers: [mail1]
    state: ready
'''

RETURN = r'''
servers:
  description: The servers that are meant, as they are at the end; in check mode, as they are now.
  returned: success
  type: list
  elements: dict
  sample: [{backend: imaps, name: mail1, old: ready, new: drain, status: DRAIN, sessions: 0}]
  contains:
    backend:
      description: Name of the backend.
      returned: always
      type: str
    name:
      description: Name of the server.
      returned: always
      type: str
    old:
      description: Administrative state before, as it was set on this server itself.
      returned: always
      type: str
    new:
      description: Administrative state after, or what it would be in check mode.
      returned: always
      type: str
    status:
      description: What HAProxy makes of that state, the checks and the agent of the node together.
      returned: always
      type: str
    sessions:
      description: Sessions at the end.
      returned: always
      type: int
drained:
  description: Whether no session was left on any of the servers at the end.
  returned: success
  type: bool
  sample: true
waited:
  description: Seconds spent waiting for sessions to end.
  returned: success
  type: float
  sample: 12.5
'''

import time

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.mail.ha.plugins.module_utils import haproxy

POLL = 0.5  # seconds between two looks at the sessions


class Servers:
    """The steps; ``ask(command)`` is haproxy.ask over the socket or a stand-in, and likewise ``clock`` and ``sleep``."""

    def __init__(self, parameters, check_mode, ask, clock=time.monotonic, sleep=time.sleep):
        self.parameters = parameters
        self.check_mode = check_mode
        self.ask = ask
        self.clock = clock
        self.sleep = sleep

    def look(self):
        """Return the servers that are meant, as they are now."""
        found = haproxy.servers(self.ask('show stat'), self.ask('show servers state'))
        return haproxy.select(found, self.parameters['servers'], self.parameters['backends'])

    def set(self, server):
        """Set the state of one server; HAProxy says nothing when it has done so."""
        command = 'set server %s/%s state %s' % (server['backend'], server['name'], self.parameters['state'])
        answer = self.ask(command).strip()
        if answer:
            raise haproxy.HaproxyError('HAProxy answered "%s" to "%s".' % (answer, command))

    def wait(self):
        """Wait until no session is left or the deadline has come; return the seconds that it took."""
        start = self.clock()
        while any(server['sessions'] for server in self.look()) and self.clock() - start < self.parameters['deadline']:
            self.sleep(POLL)
        return round(self.clock() - start, 1)

    def ensure(self):
        """Bring the servers to the wanted state. Returns the module's answer; raises HaproxyError."""
        state = self.parameters['state']
        before = self.look()
        wrong = [server for server in before if server['admin'] != state]
        waited = 0.0
        if not self.check_mode:
            for server in wrong:
                self.set(server)
            if self.parameters['wait'] and state != 'ready':
                waited = self.wait()
        after = self.look()
        for server in after if not self.check_mode else []:
            if server['admin'] != state:
                raise haproxy.HaproxyError('%(backend)s/%(name)s is %(admin)s after it was set to ' % server + state
                                           + '; somebody else sets it, too. Run again.')
        return {
            'changed': bool(wrong),
            'servers': [{'backend': new['backend'], 'name': new['name'], 'old': old['admin'], 'new': state, 'status': new['status'],
                         'sessions': new['sessions']} for old, new in zip(before, after)],
            'drained': not any(server['sessions'] for server in after),
            'waited': waited,
            'diff': {'before': listing(before), 'after': listing(before, state)},
        }


def listing(servers, state=None):
    """One line for each server with its administrative state, or with ``state``."""
    return ''.join('%s/%s %s\n' % (server['backend'], server['name'], state or server['admin']) for server in servers)


def main():
    """Entry point."""
    module = AnsibleModule(
        argument_spec={
            'servers': {'type': 'list', 'elements': 'str', 'required': True},
            'backends': {'type': 'list', 'elements': 'str', 'default': []},
            'state': {'type': 'str', 'choices': list(haproxy.STATES), 'required': True},
            'wait': {'type': 'bool', 'default': False},
            'deadline': {'type': 'float', 'default': 60},
            'socket': {'type': 'path', 'default': haproxy.SOCKET},
        },
        supports_check_mode=True,
    )
    if not module.params['servers']:
        module.fail_json(msg='servers is empty: name at least one server.')
    try:
        answer = Servers(module.params, module.check_mode, lambda command: haproxy.ask(command, module.params['socket'])).ensure()
    except haproxy.HaproxyError as error:
        module.fail_json(msg=str(error))
    module.exit_json(**answer)


if __name__ == '__main__':
    main()
