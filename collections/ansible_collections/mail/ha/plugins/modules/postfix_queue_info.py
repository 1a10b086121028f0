#!/usr/bin/python
# Copyright: the ha-mail authors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""What waits in Postfix's queue on this node, and for whom."""

from __future__ import annotations

DOCUMENTATION = r'''
---
module: postfix_queue_info
short_description: Messages in Postfix's queue on this node, by queue and by destination
version_added: 0.2.0
description:
  - Counts what C(postqueue -j) lists, line by line, so that a queue of many thousands costs no memory.
  - The queue C(corrupt), which C(postqueue) does not list, is counted in the spool directory.
  - A queue that exceeds a limit, or a Postfix that does not run, is reported in RV(problems), not as a failure.
options:
  max_deferred:
    description: Most messages that may be deferred; without it their number is not judged.
    type: int
  max_age:
    description: Most seconds that a message may have waited, except one on hold; without it the age is not judged.
    type: float
  delivery_socket:
    description: Path of the socket at which this node delivers to the mailboxes of the service, by which deliveries that were put off are known.
    type: path
  max_undelivered:
    description:
      - Most seconds that a message may have waited for a mailbox of the service; without it that is not judged.
      - Needs O(delivery_socket).
    type: float
  domains:
    description: Domains of the service. Mail for them waits for nobody else, whatever the reason, and is counted in RV(own).
    type: list
    elements: str
    default: []
    version_added: 0.8.0
  max_waiting:
    description:
      - Most seconds that a message may have waited in the queues C(maildrop) and C(incoming), which are emptied at once when all is well, or anywhere
        but on hold for a recipient in O(domains); without it that is not judged.
      - Mail for others may wait for longer in the queues C(active) and C(deferred), for their servers may be slow, or down.
      - What is told of deliveries that were put off (O(max_undelivered)) is not told once more.
    type: float
    version_added: 0.8.0
  max_destinations:
    description: How many destinations to return, those with the most recipients first.
    type: int
    default: 100
  spool:
    description: Postfix's C(queue_directory).
    type: path
    default: /var/spool/postfix
  timeout:
    description: Limit of the listing, in seconds.
    type: float
    default: 30
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
    description: Postfix 3.1 and newer.
    support: full
    platforms: posix
extends_documentation_fragment:
  - ansible.builtin.action_common_attributes
'''

EXAMPLES = r'''
- name: Ask what waits in the queue
  mail.ha.postfix_queue_info:
    max_deferred: 100
    max_age: 3600
  register: queue
  failed_when: queue.problems | length > 0

- name: Ask for what waits though it could be delivered here
  mail.ha.postfix_queue_info:
    domains: [example.org, example.net]
    max_waiting: 120
  register: queue
  failed_when: queue.problems | length > 0

- name: Wait until a drained node has passed on all its mail
  mail.ha.postfix_queue_info:
  register: queue
  until: queue.queued == 0
  retries: 60
  delay: 5
'''

RETURN = r'''
problems:
  description: One sentence for everything that is not as it should be; empty when all is well.
  returned: always
  type: list
  elements: str
  sample: ["the oldest message in the queue deferred has waited for 7200 s, expected at most 3600 s. ..."]
queued:
  description: Messages in all queues but C(corrupt).
  returned: when the queue could be read
  type: int
  sample: 3
queues:
  description: Messages, their size in bytes and the age of the oldest in seconds for each queue; the age is none when the queue is empty.
  returned: when the queue could be read
  type: dict
  sample:
    active: {messages: 0, bytes: 0, oldest: null}
    incoming: {messages: 0, bytes: 0, oldest: null}
    deferred: {messages: 3, bytes: 1200, oldest: 42}
    hold: {messages: 0, bytes: 0, oldest: null}
    maildrop: {messages: 0, bytes: 0, oldest: null}
    corrupt: {messages: 0, bytes: 0, oldest: null}
destinations:
  description:
    - For whom the messages wait, by domain, those with the most recipients first; RV(ignore:oldest) in seconds.
    - RV(ignore:reason) is why the youngest message that was tried is still here; empty when none was.
  returned: when the queue could be read
  type: list
  elements: dict
  sample: [{"domain": "example.com", "recipients": 3, "oldest": 42, "reason": "connect to mx.example.com[192.0.2.9]:25: Connection timed out"}]
undelivered:
  description:
    - What was put off at O(delivery_socket), the age of the oldest in seconds, and why that one was put off.
    - No recipients, and none as age, where nothing was.
  returned: when the queue could be read
  type: dict
  sample: {"recipients": 2, "oldest": 95, "reason": "host mail1.example.org[/run/dovecot/lmtp-postfix] said: 451 4.3.0 Temporary internal error"}
own:
  description:
    - What waits for recipients in O(domains), the age of the oldest in seconds, and why that one waits; empty when no delivery of it has failed since it
      was last taken up.
    - No recipients, and none as age, where nothing does. What is on hold is not counted.
  returned: when the queue could be read
  type: dict
  sample: {"recipients": 2, "oldest": 95, "reason": "mail transport unavailable"}
  version_added: 0.8.0
destinations_total:
  description: Number of different destinations, also of those not returned.
  returned: when the queue could be read
  type: int
  sample: 1
'''

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.mail.ha.plugins.module_utils.checks import end, postfix_queue


def main():
    """Entry point."""
    module = AnsibleModule(argument_spec=postfix_queue.ARGUMENTS, supports_check_mode=True, **postfix_queue.RULES)
    end(module, postfix_queue)


if __name__ == '__main__':
    main()
