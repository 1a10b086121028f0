#!/usr/bin/python
# Copyright: the ha-mail authors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Send one message and fetch it again, as a mail client would."""

from __future__ import annotations

DOCUMENTATION = r"""
module: mail_round_trip
short_description: Prove that mail is carried, by sending one message and fetching it again
version_added: 0.1.0
description:
  - Submits a message, or hands it in like a foreign mail server, then waits by IMAP until that very message is in the
    recipient's inbox, fetches it, compares it and deletes it.
  - Certificates are verified for O(server_name), whatever address is connected to.
  - Sends nothing in check mode.
author: ["ha-mail authors (@ha-mail)"]
attributes:
  check_mode:
    description: In check mode the module is skipped.
    support: full
options:
  smtp_address:
    description: Address or name to hand the message to, such as a service VIP.
    type: str
    required: true
  smtp_port:
    description: TCP port; 465 for submission with implicit TLS, 587 for submission with STARTTLS, 25 for inbound mail.
    type: int
    default: 465
  smtp_tls:
    description: How the connection is protected (RFC 8314, RFC 3207).
    type: str
    choices: [implicit, starttls]
    default: implicit
  smtp_user:
    description: Login name for AUTH; without it the message is handed in unauthenticated, as foreign servers do.
    type: str
  smtp_password:
    description: Password of O(smtp_user).
    type: str
  sender:
    description: Envelope and header sender.
    type: str
    required: true
  recipient:
    description: Envelope and header recipient.
    type: str
    required: true
  imap_address:
    description: Address or name to fetch the message from, such as the other service VIP.
    type: str
    required: true
  imap_port:
    description: TCP port of IMAP with implicit TLS.
    type: int
    default: 993
  imap_user:
    description: Login name of the mailbox; the recipient unless given.
    type: str
  imap_password:
    description: Password of the mailbox.
    type: str
    required: true
  server_name:
    description: DNS name that every certificate must be valid for.
    type: str
    required: true
  ca_file:
    description: PEM file of trusted authorities; those of the system unless given.
    type: path
  timeout:
    description: Longest wait for an answer of a server, and for the message to arrive, in seconds.
    type: float
    default: 30
"""

EXAMPLES = r"""
- name: Prove that a message goes in by one VIP and comes out by the other
  mail.ha.mail_round_trip:
    smtp_address: 192.0.2.101
    smtp_user: anna@example.org
    smtp_password: "{{ password }}"
    sender: anna@example.org
    recipient: anna@example.org
    imap_address: 192.0.2.102
    imap_password: "{{ password }}"
    server_name: mail.example.org
"""

RETURN = r"""
message_id:
  description: Message-ID of the message sent.
  returned: success
  type: str
  sample: <176380.4242@probe>
accepted_seconds:
  description: Time from the connection to the 250 after the data, in seconds.
  returned: success
  type: float
  sample: 0.12
delivered_seconds:
  description: Time from the 250 until IMAP showed the message, in seconds.
  returned: success
  type: float
  sample: 0.31
reply:
  description: What the server said when it accepted the message; holds the queue id.
  returned: success
  type: str
  sample: "250 2.0.0 Ok: queued as 4d5f2z"
received:
  description: Received headers of the message as fetched, newest first.
  returned: success
  type: list
  elements: str
  sample: ["from mail1 ..."]
"""

import email
import email.message
import email.utils
import imaplib
import smtplib
import time

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.mail.ha.plugins.module_utils import mail_clients


class ProbeError(Exception):
    """A stage of the round trip failed; the text says which, with what was found."""


def compose(sender, recipient):
    """Return a message with an id of its own (email.message.EmailMessage)."""
    message = email.message.EmailMessage()
    message["From"] = sender
    message["To"] = recipient
    message["Subject"] = "ha-mail round trip"
    message["Date"] = email.utils.formatdate()
    message["Message-ID"] = email.utils.make_msgid(domain="probe.invalid")
    message.set_content(f"Proof of service, {message['Message-ID']}\n")
    return message


def send(params, context, message):
    """Hand the message in; return the server's reply to the data (str)."""
    place = (params["smtp_address"], params["smtp_port"], params["server_name"], params["timeout"])
    try:
        if params["smtp_tls"] == "implicit":
            client = mail_clients.SMTPS(*place, context)
        else:
            client = mail_clients.SMTP(*place)
            client.starttls(context=context)
        with client:
            if params["smtp_user"]:
                client.login(params["smtp_user"], params["smtp_password"])
            client.ehlo_or_helo_if_needed()
            for command, argument in ((client.mail, params["sender"]), (client.rcpt, params["recipient"])):
                code, text = command(argument)
                if code != 250:
                    raise ProbeError(f"{argument} was answered with {code} {text.decode(errors='replace')}, expected 250")
            code, text = client.data(message.as_bytes())
            if code != 250:
                raise ProbeError(f"the message was answered with {code} {text.decode(errors='replace')}, expected 250")
            return f"{code} {text.decode(errors='replace')}"
    except (OSError, smtplib.SMTPException) as error:
        raise ProbeError(f"handing the message to {place[0]} port {place[1]} failed: {error}") from error


def fetch(params, context, message):
    """Wait for the message, fetch and delete it; return it (email.message.Message)."""
    place = (params["imap_address"], params["imap_port"])
    deadline = time.monotonic() + params["timeout"]
    try:
        with mail_clients.IMAPS(*place, params["server_name"], params["timeout"], context) as client:
            client.login(params["imap_user"] or params["recipient"], params["imap_password"])
            client.select("INBOX")
            while True:
                found = client.uid("SEARCH", "HEADER", "Message-ID", message["Message-ID"])[1][0].split()
                if found:
                    break
                if time.monotonic() > deadline:
                    raise ProbeError(f"the message was accepted but is not in the inbox after {params['timeout']:g} s")
                time.sleep(0.1)
                client.noop()
            data = client.uid("FETCH", found[0], "(BODY.PEEK[])")[1][0][1]
            client.uid("STORE", found[0], "+FLAGS.SILENT", r"(\Deleted)")
            client.expunge()
    except (OSError, imaplib.IMAP4.error) as error:
        raise ProbeError(f"fetching from {place[0]} port {place[1]} failed: {error}") from error
    return email.message_from_bytes(data)


def main():
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "smtp_address": {"type": "str", "required": True},
            "smtp_port": {"type": "int", "default": 465},
            "smtp_tls": {"type": "str", "choices": ["implicit", "starttls"], "default": "implicit"},
            "smtp_user": {"type": "str"},
            "smtp_password": {"type": "str", "no_log": True},
            "sender": {"type": "str", "required": True},
            "recipient": {"type": "str", "required": True},
            "imap_address": {"type": "str", "required": True},
            "imap_port": {"type": "int", "default": 993},
            "imap_user": {"type": "str"},
            "imap_password": {"type": "str", "required": True, "no_log": True},
            "server_name": {"type": "str", "required": True},
            "ca_file": {"type": "path"},
            "timeout": {"type": "float", "default": 30},
        },
        required_together=[("smtp_user", "smtp_password")],
        supports_check_mode=True,
    )
    if module.check_mode:
        module.exit_json(changed=False, skipped=True, msg="check mode: no message was sent")
    params = module.params
    context = mail_clients.tls_context(params["ca_file"])
    message = compose(params["sender"], params["recipient"])
    try:
        start = time.monotonic()
        reply = send(params, context, message)
        accepted = time.monotonic()
        fetched = fetch(params, context, message)
        delivered = time.monotonic()
        if fetched.get_payload(decode=True).strip() != message.get_payload(decode=True).strip():
            raise ProbeError("the message that came back is not the one that was sent")
    except ProbeError as error:
        module.fail_json(msg=f"No round trip from {params['sender']} to {params['recipient']}: {error}.")
    module.exit_json(
        changed=False,
        message_id=message["Message-ID"],
        accepted_seconds=round(accepted - start, 3),
        delivered_seconds=round(delivered - accepted, 3),
        reply=reply,
        received=[" ".join(line.split()) for line in fetched.get_all("Received", [])],
    )


if __name__ == "__main__":
    main()
