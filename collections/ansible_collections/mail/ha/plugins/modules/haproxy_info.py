#!/usr/bin/python
# Copyright: the ha-mail authors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""What HAProxy on this load balancer thinks of its servers."""

from __future__ import annotations

DOCUMENTATION = r'''
---
module: haproxy_info
short_description: Backends and servers of HAProxy, as its Runtime API tells
version_added: 0.2.0
description:
  - Asks the running HAProxy over its admin socket, not its configuration.
  - A server that tracks another one has no check of its own; it is shown with the check of the one that it tracks.
options:
  socket:
    description: Admin socket of HAProxy.
    type: path
    default: /run/haproxy/admin.sock
author:
  - ha-mail (@ha-mail)
attributes:
  check_mode:
    description: Only reads.
    support: full
  diff_mode:
    description: Changes nothing.
    support: none
  platform:
    description: HAProxy 3.0.
    support: full
    platforms: posix
extends_documentation_fragment:
  - ansible.builtin.action_common_attributes
'''

EXAMPLES = r'''
- name: Ask for the state of all servers
  mail.ha.haproxy_info:
  register: haproxy
  failed_when: haproxy.problems | length > 0

- name: Wait until a balancer has seen that a node drains
  mail.ha.haproxy_info:
  register: haproxy
  until: haproxy.servers | selectattr('name', 'equalto', 'mail1') | map(attribute='status') | unique == ['DRAIN']
  retries: 10
  delay: 1
'''

RETURN = r'''
version:
  description: Version of the HAProxy that runs.
  returned: always
  type: str
  sample: 3.0.11-1+deb13u5
uptime:
  description: Age of the process that answers, in seconds. A reload starts a new one.
  returned: always
  type: int
  sample: 3600
services:
  description: Names of the backends that take traffic, without those whose servers are only tracked by others.
  returned: always
  type: list
  elements: str
  sample: [smtp, imaps]
servers:
  description: One entry for each server of each backend.
  returned: always
  type: list
  elements: dict
  sample:
    - backend: smtp
      name: mail1
      address: 192.0.2.21:10025
      status: UP
      status_text: UP
      usable: true
      admin: ready
      tracks: health_postfix/mail1
      check: L7OK
      agent: L7OK
      reason: check L7OK Layer7 check passed (tcp-check); agent L7OK
      sessions: 3
      last_change: 3600
  contains:
    backend:
      description: Name of the backend.
      returned: always
      type: str
    name:
      description: Name of the server.
      returned: always
      type: str
    address:
      description: Address and port.
      returned: always
      type: str
    status:
      description: V(UP), V(DOWN), V(NOLB), V(DRAIN), V(MAINT) or V(no check).
      returned: always
      type: str
    status_text:
      description: The same with what HAProxy adds to it, as in V(UP 1/2) or V(DRAIN (agent\)).
      returned: always
      type: str
    usable:
      description: Whether new sessions may go there.
      returned: always
      type: bool
    admin:
      description: V(ready), V(drain) or V(maint), as it was set on this server itself, by M(mail.ha.haproxy_server) for instance.
      returned: always
      type: str
    tracks:
      description: The server (backend/name) whose health and maintenance it follows; empty when it has a check of its own.
      returned: always
      type: str
    check:
      description: Result of the last health check, as in V(L7OK), V(L4TOUT) or V(L4CON).
      returned: always
      type: str
    agent:
      description: Result of the last question to the agent of the node.
      returned: always
      type: str
    reason:
      description: What the check and the agent last said.
      returned: always
      type: str
    sessions:
      description: Sessions at present.
      returned: always
      type: int
    last_change:
      description: Seconds since the server last went up or down.
      returned: always
      type: int
problems:
  description:
    - One sentence for each service without a usable server, and for each server that is down; empty when all is well.
    - A server that is drained or in maintenance was asked to be, and is no problem as long as another one is left. Whether it should be, with its node
      in service, is judged by M(mail.ha.cluster_health_info).
  returned: always
  type: list
  elements: str
  sample: ["Server health_postfix/mail1 (192.0.2.21:10026) is DOWN for smtp, expected UP: check L4TOUT Layer4 timeout; agent L4TOUT."]
'''

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.mail.ha.plugins.module_utils.checks import end, haproxy


def main():
    """Entry point."""
    module = AnsibleModule(argument_spec=haproxy.ARGUMENTS, supports_check_mode=True)
    end(module, haproxy)


if __name__ == '__main__':
    main()
