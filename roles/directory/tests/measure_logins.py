#!/usr/bin/env python3
"""How many logins per second a password scheme allows, measured with Dovecot's own verification.

Run as root on a throw-away Debian 13 host with dovecot-core and python3-passlib, -argon2 and -bcrypt:

    python3 measure_logins.py [SECONDS_PER_SCHEME]

It starts a private Dovecot (own base directory, no network port), speaks the auth protocol to its UNIX socket with
eight requests under way, and prints for each scheme: the CPU milliseconds of one login (of the processes auth and
auth-worker, so other load on the machine does not matter), logins per second and core that follow from it, and the
logins per second really seen, with verification in the auth process and in its workers.
"""

import base64
import os
import pathlib
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time

from passlib.hash import argon2, bcrypt, pbkdf2_sha1, sha256_crypt, sha512_crypt

PASSWORD = 'correct horse battery staple'
UNDER_WAY = 8
CONFIG = """
dovecot_config_version = 2.4.1
dovecot_storage_version = 2.4.1
base_dir = {base}/run
log_path = {base}/log
protocols =
ssl = no
auth_allow_cleartext = yes
auth_mechanisms = plain
auth_failure_delay = 0
passdb passwd-file {{
  passwd_file_path = {base}/users
  use_worker = {worker}
}}
service auth {{
  unix_listener auth-client {{
    mode = 0666
  }}
}}
"""


def dovecot_pw(scheme, *arguments):
    return subprocess.run(['doveadm', 'pw', '-s', scheme, *arguments, '-p', PASSWORD],
                          check=True, capture_output=True, text=True).stdout.strip()


def candidates():
    for rounds in (5000, 50000, 100000, 656000):
        yield f'SHA512-CRYPT rounds={rounds}', '{SHA512-CRYPT}' + sha512_crypt.using(rounds=rounds).hash(PASSWORD)
    yield 'SHA256-CRYPT rounds=5000', '{SHA256-CRYPT}' + sha256_crypt.using(rounds=5000).hash(PASSWORD)
    for cost in (5, 8, 9, 10, 12):
        yield f'BLF-CRYPT cost={cost}', '{BLF-CRYPT}' + bcrypt.using(rounds=cost).hash(PASSWORD)
    for memory, times in ((7168, 5), (12288, 3), (19456, 1), (19456, 2), (47104, 1), (65536, 3)):
        digest = argon2.using(type='ID', memory_cost=memory, time_cost=times, parallelism=1).hash(PASSWORD)
        yield f'ARGON2ID m={memory // 1024}MiB t={times} p=1', '{ARGON2ID}' + digest
    for rounds in (5000, 600000):
        yield f'PBKDF2 (SHA-1) rounds={rounds}', dovecot_pw('PBKDF2', '-r', str(rounds))
    yield 'SSHA512', dovecot_pw('SSHA512')


def cpu_seconds(base):
    """CPU used so far by the auth and auth-worker processes of the Dovecot whose base directory this is."""
    total = 0
    for stat in pathlib.Path('/proc').glob('[0-9]*/stat'):
        try:
            text = stat.read_text()
            parent = int(text.rpartition(')')[2].split()[1])
            if not re.search(r'\((auth|auth-worker)\)', text) or str(base) not in pathlib.Path(f'/proc/{parent}/cmdline').read_text():
                continue
            fields = text.rpartition(')')[2].split()
            total += int(fields[11]) + int(fields[12])
        except OSError:
            continue
    return total / os.sysconf('SC_CLK_TCK')


def connected(path):
    """A connection to the auth socket, which takes a moment to appear after the start."""
    deadline = time.monotonic() + 10
    while True:
        client = socket.socket(socket.AF_UNIX)
        client.settimeout(30)
        try:
            client.connect(str(path))
            return client
        except OSError:
            client.close()
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


def measure(base, stored, worker, seconds):
    """(CPU milliseconds of one login, logins per second seen)."""
    (base / 'users').write_text(f'user:{stored}\n')
    (base / 'dovecot.conf').write_text(CONFIG.format(base=base, worker=worker))
    daemon = subprocess.Popen(['dovecot', '-F', '-c', str(base / 'dovecot.conf')])
    try:
        client = connected(base / 'run' / 'auth-client')
        client.sendall(f'VERSION\t1\t2\nCPID\t{os.getpid()}\n'.encode())
        reader = client.makefile('r')
        for line in reader:
            if line.startswith('DONE'):
                break
        response = base64.b64encode(f'\0user\0{PASSWORD}'.encode()).decode()
        number = 0

        def ask():
            nonlocal number
            number += 1
            client.sendall(f'AUTH\t{number}\tPLAIN\tservice=imap\tsecured\tno-penalty\tresp={response}\n'.encode())

        def answer():
            line = reader.readline()
            if not line.startswith('OK\t'):
                raise SystemExit(f'login refused: {line!r}; see {base}/log')

        ask()
        answer()
        used, start, done = cpu_seconds(base), time.monotonic(), 0
        for _ in range(UNDER_WAY):
            ask()
        while time.monotonic() < start + seconds:
            answer()
            done += 1
            ask()
        elapsed = time.monotonic() - start
        used = cpu_seconds(base) - used
        return 1000 * used / done, done / elapsed
    finally:
        daemon.terminate()
        daemon.wait()


def main():
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 3
    base = pathlib.Path(tempfile.mkdtemp(prefix='measure-logins-'))
    base.chmod(0o755)
    print('| scheme | CPU ms per login | logins/s and core | seen, in auth | seen, in workers |\n|---|---|---|---|---|')
    try:
        for label, stored in candidates():
            cpu, seen = measure(base, stored, 'no', seconds)
            _, workers = measure(base, stored, 'yes', seconds)
            print(f'| {label} | {cpu:.2f} | {1000 / cpu if cpu else float("inf"):.0f} | {seen:.0f} | {workers:.0f} |', flush=True)
    finally:
        shutil.rmtree(base)


if __name__ == '__main__':
    main()
