# Copyright: the ha-mail authors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Asking a daemon through its own command, never for longer than given: a frozen daemon must not freeze whoever looks after it."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile

# timeout(1): the command was still running and got the signal; after one second more it is killed.
GIVEN_UP = (124, 137)


class NoAnswer(Exception):
    """The command gave no useful answer; the text says which command, and what it said instead."""


def bounded(argv, seconds):
    """The command line that runs ``argv`` for at most ``seconds`` (float) and one second of grace."""
    return ['timeout', '--kill-after=1', '%g' % seconds] + list(argv)


def run(argv, environ_update=None):
    """Run a command -> (exit code, standard output, standard error). As AnsibleModule.run_command, but at home in threads.

    :param environ_update: dict, what its environment has besides ours.
    :raises OSError: there is no such program.
    """
    done = subprocess.run(argv, env=dict(os.environ, LC_ALL='C', **(environ_update or {})), check=False, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding='utf-8', errors='replace')
    return done.returncode, done.stdout, done.stderr


def reason(argv, code, text, seconds):
    """One sentence about a command that ended with ``code`` (int) and wrote ``text`` (str) on its standard error."""
    command = ' '.join(argv)
    if code in GIVEN_UP:
        return '"%s" gave no answer within %g s' % (command, seconds)
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return '"%s" ended with exit code %d and said: %s' % (command, code, lines[-1] if lines else 'nothing')


def ask(run, argv, seconds):
    """What the command wrote on its standard output (str).

    :param run: :func:`run` or a stand-in: a list of str -> (exit code, standard output, standard error). What goes
        into the environment is bound to it (functools.partial), so that it does not fill the sentences about the command.
    :raises NoAnswer: it failed, could not be run, or took longer than ``seconds``.
    """
    code, out, err = run(bounded(argv, seconds))
    if code != 0:
        raise NoAnswer(reason(argv, code, err, seconds))
    return out


def parsed(text, argv):
    """The JSON that a command wrote. Raises NoAnswer where it is none."""
    try:
        return json.loads(text)
    except ValueError as error:
        raise NoAnswer('"%s" did not write JSON but: %.100r' % (' '.join(argv), text)) from error


def ask_json(run, argv, seconds):
    """As :func:`ask`, for a command that writes one JSON value."""
    return parsed(ask(run, argv, seconds), argv)


def lines(argv, seconds, remarks):
    """The lines that a command writes, one by one, so that no long answer is ever held in memory.

    :param remarks: list to which the lines of its standard error are added when it ends well.
    :raises NoAnswer: after the last line, when the command failed.
    """
    # A file for the standard error: a pipe that nobody reads yet would stop the command once it is full.
    with tempfile.TemporaryFile('w+', encoding='utf-8', errors='replace') as stderr:
        with subprocess.Popen(bounded(argv, seconds), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=stderr,
                              encoding='utf-8', errors='replace') as process:
            yield from process.stdout
        stderr.seek(0)
        said = stderr.read()
    if process.returncode != 0:
        raise NoAnswer(reason(argv, process.returncode, said, seconds))
    remarks += said.splitlines()
