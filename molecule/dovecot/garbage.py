"""garbage.py ADDRESS: where ADDRESS is served, leave zeros at the end of what its INBOX's log says, see deliveries put off, and accepted again.

Prints "elsewhere", or how long it took. Ends with an error if no delivery is put off (then this proves nothing), if none is accepted within
60 s, or if a message or a flag is missing afterwards.
"""
import os
import smtplib
import subprocess
import sys
import time

SPOILT = 20  # bytes: a part of the last record


def doveadm(*command):
    return subprocess.run(["doveadm", *command], capture_output=True, text=True, check=True).stdout


def deliver(address):
    """Have Dovecot store a message -> its answer's code."""
    with smtplib.LMTP("/run/dovecot/lmtp-postfix") as lmtp:
        try:
            lmtp.sendmail("", [address], f"Subject: {time.time()}\r\n\r\ngarbage\r\n")
        except smtplib.SMTPRecipientsRefused as refused:
            return refused.recipients[address][0]
        except smtplib.SMTPResponseException as refused:
            return refused.smtp_code
    return 250


def count(address):
    """Messages of the INBOX, and those without the flag \\Seen."""
    words = doveadm("mailbox", "status", "-u", address, "messages unseen", "INBOX").split()
    return [int(word.partition("=")[2]) for word in words[1:]]


def main(address):
    seat = next(line.split()[-1] for line in doveadm("auth", "lookup", address).splitlines() if line.split()[:1] == ["host"])
    if not subprocess.run(["ip", "-oneline", "address", "show", "to", seat], capture_output=True, check=True).stdout:
        print("elsewhere")
        return
    doveadm("flags", "add", "-u", address, "\\Seen", "mailbox", "INBOX", "ALL")
    before, unseen = count(address)
    assert unseen == 0
    assert [deliver(address), deliver(address)] == [250, 250]
    home = doveadm("user", "-f", "home", address).strip()
    with open(f"{home}/mail/mailboxes/INBOX/dbox-Mails/dovecot.index.log", "rb+") as log:
        log.seek(-SPOILT, os.SEEK_END)
        log.write(bytes(SPOILT))
    started = time.monotonic()
    answers = [deliver(address)]
    assert answers[0] // 100 == 4, f"found {answers[0]} after the log was spoilt, expected that the message is put off"
    while answers[-1] != 250:
        assert time.monotonic() - started < 60, f"still put off after 60 s: {answers}"
        time.sleep(1)
        answers.append(deliver(address))
    found = count(address)
    assert found == [before + 3, 3], f"found {found} messages and unseen ones, expected {[before + 3, 3]}"
    print(f"open again after {time.monotonic() - started:.0f} s")


main(sys.argv[1])
