# Copyright: the ha-mail authors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Filters for password hashes, over module_utils/passwords.py."""

from __future__ import annotations

from ansible.errors import AnsibleFilterError
from ansible_collections.mail.ha.plugins.module_utils import passwords


def dovecot_password(password, scheme=passwords.DEFAULT_SCHEME, stored=None, salt=None, **cost):
    """See the file dovecot_password.yml beside this one."""
    try:
        if stored and salt is not None:
            raise passwords.PasswordError('give either stored or salt, not both')
        if stored:
            return passwords.keep_or_make(str(password), stored, scheme, cost)
        return passwords.make_hash(str(password), scheme, cost, salt)
    except passwords.PasswordError as error:
        raise AnsibleFilterError(f'dovecot_password: {error}') from error


class FilterModule:
    """Filters of this file."""

    def filters(self):
        """Name to function."""
        return {'dovecot_password': dovecot_password}
