# Copyright: the ha-mail authors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Filters over the inventory's lists of domains, accounts and aliases."""

from __future__ import annotations

from ansible_collections.mail.ha.plugins.module_utils import addresses


def directory_errors(wanted, seats=None):
    """See the file directory_errors.yml beside this one."""
    return addresses.check_directory(wanted['domains'], wanted['accounts'], wanted['aliases'], seats)


def needs_password(accounts):
    """See the file needs_password.yml beside this one."""
    return [account['address'] for account in accounts
            if account.get('password') is None and account.get('password_hash') is None and account.get('state') != 'absent']


def with_passwords(accounts, passwords, placeholder=None):
    """See the file with_passwords.yml beside this one."""
    needy = set(needs_password(accounts))
    return [{**account, 'password': passwords.get(account['address'], placeholder)} if account['address'] in needy else account
            for account in accounts]


class FilterModule:
    """Filters of this file."""

    def filters(self):
        """Name to function."""
        return {'directory_errors': directory_errors, 'needs_password': needs_password, 'with_passwords': with_passwords}
