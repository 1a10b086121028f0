#!/usr/bin/python
# Copyright: the ha-mail authors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Open one SMTP session, and keep it open for a while."""

from __future__ import annotations

DOCUMENTATION = r"""
module: smtp_session_info
short_description: One SMTP session, held while something happens on its way
version_added: 0.5.0
description:
  - Connects, greets (EHLO) and, for O(seconds), says NOOP (RFC 5321, 4.1.1.9) about once in O(interval). Sends no mail.
  - Makes O(marker), and nothing else.
  - Fails when the session breaks, or when an answer takes longer than O(patience). So it shows that new sessions come through, or, run with
    C(async), that one which was there before a switchover lives on after it.
author: ["ha-mail authors (@ha-mail)"]
attributes:
  check_mode:
    description: The same as without it.
    support: full
options:
  address:
    description: Address or name of the server, such as a service VIP.
    type: str
    required: true
  port:
    description: TCP port.
    type: int
    default: 25
  seconds:
    description: How long the session is held, in seconds; 0 ends it after the greeting. Servers grow impatient with those who only say NOOP
      (Postfix after a hundred of them), so this divided by O(interval) is 90 at the most.
    type: float
    default: 0
  marker:
    description: File on the host that runs this, made when the server has greeted. The session ends, well, when somebody removes it, and after
      O(seconds) at the latest.
    type: path
  interval:
    description: Seconds between two NOOPs.
    type: float
    default: 1
  patience:
    description: Longest wait for a connection or an answer, in seconds.
    type: float
    default: 20
"""

EXAMPLES = r"""
- name: Prove that new sessions come through
  mail.ha.smtp_session_info:
    address: 192.0.2.101

- name: Hold a session for a minute and a half, while the next tasks do something to the firewalls
  mail.ha.smtp_session_info:
    address: 192.0.2.101
    seconds: 90
    marker: /run/session-held
  async: 120
  poll: 0
"""

RETURN = r"""
banner:
  description: What the server said first.
  returned: success
  type: str
  sample: mail.example.org ESMTP
greeted_seconds:
  description: From the connection to the answer to EHLO, in seconds.
  returned: success
  type: float
  sample: 0.05
answers:
  description: How many times NOOP was answered.
  returned: success
  type: int
  sample: 12
longest_wait:
  description: Longest time until one of these answers, in seconds.
  returned: success
  type: float
  sample: 0.44
"""

import os
import smtplib
import time

from ansible.module_utils.basic import AnsibleModule

MOST = 90  # NOOPs


class BrokenError(Exception):
    """The session did not come about, or broke; the text says what was found and what was expected."""


def expect(code, found, what):
    """An answer has to have this code."""
    if found[0] != code:
        raise BrokenError("%s was answered with %d %s, expected %d" % (what, found[0], found[1].decode(errors="replace"), code))
    return found[1].decode(errors="replace")


def hold(client, wanted, clock=time.monotonic, sleep=time.sleep):
    """Open a session and hold it; return the values of RETURN.

    :param client: smtplib.SMTP, not connected yet
    :raises BrokenError: with one sentence
    """
    begun, waits = clock(), []
    try:
        banner = expect(220, client.connect(wanted["address"], wanted["port"]), "the connection")
        expect(250, client.ehlo(), "EHLO")
        greeted = clock()
        if wanted["marker"]:
            with open(wanted["marker"], "x", encoding="ascii"):
                pass
        while clock() < greeted + wanted["seconds"] and (not wanted["marker"] or os.path.exists(wanted["marker"])):
            asked = clock()
            expect(250, client.noop(), "NOOP")
            waits.append(clock() - asked)
            sleep(wanted["interval"])
        client.quit()
    except (OSError, smtplib.SMTPException) as error:
        raise BrokenError("it ended with '%s', expected it to go on" % (str(error) or type(error).__name__)) from error
    finally:
        client.close()
    return {"banner": banner, "greeted_seconds": round(greeted - begun, 3), "answers": len(waits), "longest_wait": round(max(waits, default=0), 3)}


def main():
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "address": {"type": "str", "required": True},
            "port": {"type": "int", "default": 25},
            "seconds": {"type": "float", "default": 0},
            "marker": {"type": "path"},
            "interval": {"type": "float", "default": 1},
            "patience": {"type": "float", "default": 20},
        },
        supports_check_mode=True,
    )
    wanted = module.params
    if not 0 < wanted["interval"] or wanted["seconds"] / wanted["interval"] > MOST:
        module.fail_json(msg="found seconds %(seconds)g and interval %(interval)g, expected at most 90 intervals: servers hang up on whoever only "
                             "says NOOP." % wanted)
    begun = time.monotonic()
    try:
        found = hold(smtplib.SMTP(timeout=wanted["patience"]), wanted)
    except BrokenError as error:
        module.fail_json(msg="The SMTP session with %s port %d: %s (after %.1f s)." % (wanted["address"], wanted["port"], error, time.monotonic() - begun))
    module.exit_json(changed=False, **found)


if __name__ == "__main__":
    main()
