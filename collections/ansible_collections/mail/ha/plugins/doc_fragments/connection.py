# Copyright: the ha-mail authors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Documentation of the options that the directory modules share."""

from __future__ import annotations


class ModuleDocFragment:
    """The option C(connection); its argument spec is in module_utils/connection.py."""

    DOCUMENTATION = r"""
options:
  connection:
    description: How to reach the directory. The module finds the one host that takes writes among those given.
    type: dict
    default: {}
    suboptions:
      hosts:
        description: Host names, or directories of UNIX sockets (they begin with a slash).
        type: list
        elements: str
        default: [/run/postgresql]
      port:
        description: Port of PostgreSQL on all hosts.
        type: int
        default: 5432
      database:
        description: Name of the database.
        type: str
        default: mail
      user:
        description: Database role to work as.
        type: str
        default: mail_writer
      password:
        description: Password of that role; not needed where the UNIX socket recognises the user.
        type: str
      ca_file:
        description: Certificate authority that must have signed the server's certificate; TCP connections are always verified.
        type: path
        default: /etc/ha-mail/tls/ca.crt
      timeout:
        description:
          - Seconds a single statement may take; a commit that waits for a replica is given up 5 seconds later.
          - A host that does not accept a connection within 5 seconds is passed over.
        type: int
        default: 30
requirements:
  - python3-psycopg2
"""
