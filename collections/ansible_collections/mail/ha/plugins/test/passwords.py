# Copyright: the ha-mail authors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Tests for password hashes, over module_utils/passwords.py."""

from __future__ import annotations

from ansible.errors import AnsibleFilterError
from ansible_collections.mail.ha.plugins.module_utils import passwords


def dovecot_password_verify(password, stored):
    """See the file dovecot_password_verify.yml beside this one."""
    problems = passwords.check_password_hash(stored)
    if problems:
        raise AnsibleFilterError(f'dovecot_password_verify: {problems[0]}')
    try:
        return passwords.verify(str(password), stored)
    except passwords.PasswordError as error:
        raise AnsibleFilterError(f'dovecot_password_verify: {error}') from error


class TestModule:
    """Tests of this file."""

    def tests(self):
        """Name to function."""
        return {'dovecot_password_verify': dovecot_password_verify}
