# Copyright: the ha-mail authors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Who holds the floating addresses, as this node says and as its neighbours see it."""

from __future__ import annotations

from ansible_collections.mail.ha.plugins.module_utils import neighbours, vrrp
from ansible_collections.mail.ha.plugins.module_utils.asking import NoAnswer, ask_json, run as run_command
from ansible_collections.mail.ha.plugins.module_utils.checks import CheckError

ARGUMENTS = {
    'status': {'type': 'bool', 'default': True},
    'addresses': {'type': 'list', 'elements': 'dict', 'default': [], 'options': {
        'name': {'type': 'str', 'required': True},
        'address': {'type': 'str', 'required': True},
    }},
    'arp': {'type': 'bool', 'default': False},
    'wait': {'type': 'float', 'default': 0.6},
}
PROGRAM = '/usr/local/lib/ha-mail/vrrp-addresses'
SECONDS = 5  # for the kernel's list of addresses


def examine(parameters, run, ask=neighbours.ask):
    """The answer.

    ``run`` is asking.run and ``ask`` is neighbours.ask, or stand-ins. Raises NoAnswer, VrrpError, NeighbourError.
    """
    instances = []
    if parameters['status']:
        try:
            # Exit code 1 says that something is not good; the answer says what.
            dummy, out, err = run([PROGRAM, 'status'])
            instances = vrrp.parse(out or err)
        except (OSError, vrrp.VrrpError) as error:
            raise vrrp.VrrpError('%s status: %s. Apply the role keepalived to this host.' % (PROGRAM, error)) from error
    links = ask_json(run, ['ip', '-json', 'address'], SECONDS)
    answers = {}
    if parameters['arp']:
        answers = ask([entry['address'] for entry in parameters['addresses']], links, parameters['wait'])
    seen = [{'name': entry['name'], 'address': entry['address'], 'macs': answers[entry['address']]}
            for entry in parameters['addresses'] if parameters['arp']]
    held = [entry['name'] for entry in instances if entry['address_present']]
    return {
        'instances': instances,
        'neighbours': seen,
        'macs': vrrp.own_macs(links),
        'problems': vrrp.problems(instances) + vrrp.rivals(seen, held),
    }


def answer(parameters):
    """The answer of this node. Raises CheckError."""
    try:
        return examine(parameters, run_command)
    except (NoAnswer, neighbours.NeighbourError, vrrp.VrrpError, ValueError) as error:
        raise CheckError(str(error)) from error
    except OSError as error:
        raise CheckError('The neighbours could not be asked: %s. Become root, and look whether the interface is up.' % error) from error
