# Copyright: the ha-mail authors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""A Debian firewall: nftables, conntrackd and keepalived, over a shell of somebody who may use sudo.

What it runs is a *generation*, a directory of files under /etc/ha-mail-firewall; roles/firewall_pair/files/ha-mail-firewall, which this dialect
brings along and calls, switches between them. Beside those of firewall_nftables.py, a member has::

    packages  [name], of Debian
    programs  [{path, mode, text}], files outside of generations: what has to be there while generations change
    links     {path: name of a file in the generation}, where daemons look for their configuration
    files     {name: text}, the rest of a generation
"""

from __future__ import annotations

import hashlib
import ipaddress
import re

from ansible_collections.mail.ha.plugins.module_utils import firewall_nftables
from ansible_collections.mail.ha.plugins.module_utils.firewall_dialect import Dialect, DialectError, Refusal, field

PROGRAM = '/usr/local/sbin/ha-mail-firewall'
# In the home of whoever logs in: what is brought waits here until root has taken it.
PARCEL = '.ha-mail-firewall'
# What our program says of itself, besides addresses, sides and uplinks.
STATUS = {'running', 'saved', 'armed', 'state', 'sessions', 'conntrackd', 'peer', 'keepalived'}
# Seconds until systemd has read all units anew, and until lists and packages have come; on a busy machine 30 are not enough for any of it.
UNITS, INSTALL = 120, 600
_FROM = re.compile(r'^from (\S+ \d+ \S+ \d+)$', re.MULTILINE)
_RC = re.compile(r'^rc=(\d+)$', re.MULTILINE)
_DONE = '; echo "rc=$?"'


class Linux(Dialect):
    """Role and peer come from keepalived and from what addresses are really there."""

    platform = 'linux'
    product = 'Debian with nftables, conntrackd and keepalived'
    rollback = 'a service on the firewall that waits, and then runs the saved generation again; so does a reboot'
    tried = 'real systems'
    replicated = False

    def run(self, command, deadline=None):
        """A shell command, which has to end well.

        :raises DialectError: it did not
        """
        said = self.session.ask(command + _DONE, deadline=deadline or self.deadline)
        code = field(said, _RC, 'its exit code', command)
        text = _RC.sub('', said).strip('\n').replace('\r', '')
        if code != '0':
            raise DialectError("'%s' ended with exit code %s: %s" % (command, code, ' '.join(text.split())[:400]))
        return text

    @classmethod
    def render(cls, policy, member):
        """See Dialect; the lines are those of ``show``, and one for each package and program."""
        _check(policy, member)
        files = dict(member.get('files', {}), **{
            'rules.nft': firewall_nftables.render(policy, member),
            'packages': _listed(member.get('packages', [])),
            'programs': _listed('%(path)s %(mode)s' % program for program in member.get('programs', [])),
            'links': _listed('%s %s' % item for item in member.get('links', {}).items())})
        lines = ['package: %s' % name for name in sorted(member.get('packages', []))]
        lines += ['link: %s %s' % item for item in sorted(member.get('links', {}).items())]
        lines += ['program: %s %s %s' % (program['path'], program['mode'], _digest(program['text']))
                  for program in sorted(member.get('programs', []), key=lambda program: program['path'])]
        # What comes with the lines, so that they can be applied; the texts of the programs are not part of the comparison.
        return Lines(lines + _shown(files), files, member), []

    @classmethod
    def shown(cls, policy, interfaces):
        """The rules; everything else belongs to a member."""
        return firewall_nftables.render(policy, {'interfaces': interfaces, 'local': []}).splitlines()

    @classmethod
    def common(cls, lines):
        """The rules, without those that name the peer."""
        return [line for line in lines if line.startswith('rules.nft: ') and 'of the pair"' not in line]

    @classmethod
    def restored(cls, lines):
        """Without packages, programs and links: they are shown as they are now, and stay."""
        return [line for line in lines if not line.startswith(('package: ', 'program: ', 'link: '))]

    # ---- reading

    def facts(self):
        status = self._status()
        facts = {'platform': self.platform, 'version': status['version'], 'hostname': status['hostname'], 'model': '', 'role': 'alone', 'peer': 'absent',
                 'in_sync': False, 'sync': 'not configured yet', 'sessions': None, 'uplinks': [], 'providers': [], 'armed': None}
        if 'absent' in status:
            return facts
        facts['armed'] = None if status['armed'] == '-' else max(0, int(status['armed']))
        # One whose state is not known is none that is known to be alive.
        facts['providers'] = [{'name': name, 'version': int(version), 'alive': state == 'alive'} for name, version, state in status['uplinks']]
        facts['sessions'] = int(status['sessions']) if status['sessions'].isdigit() else None
        if not status['addresses']:
            return facts
        here = [place == 'here' for _device, _address, place in status['addresses']]
        # Some but not all of the addresses: neither of both.
        facts['role'] = 'active' if all(here) else 'standby' if not any(here) and status['state'] == 'BACKUP' and status['keepalived'] == 'active' else 'fault'
        facts['peer'] = {'MASTER': 'active', 'BACKUP': 'standby', 'absent': 'absent', 'unknown': 'absent'}.get(status['peer'], 'fault')
        # In both directions. A program of before does not say so, and neither of both is known in the first seconds.
        here, _space, there = status.get('states', 'unknown').partition(' ')
        facts['in_sync'] = status['conntrackd'] == 'active' and facts['peer'] != 'absent' and 'silent' not in (here, there)
        facts['sync'] = 'conntrackd is %s, its peer is %s, states of connections: %s here, %s there' % (
            status['conntrackd'], status['peer'], here, there or 'unknown')
        facts['uplinks'] = [{'name': side, 'up': (link, heard) == ('up', 'heard')} for side, link, heard in status['sides']]
        return facts

    def running(self):
        return self._lines('running')

    def saved(self):
        return self._lines('saved')

    def _ask_program(self, what, otherwise):
        """What our program on the firewall says, or the other text where it is not there yet."""
        return self.run('if test -x {0}; then sudo -n {0} {1}; else echo {2}; fi'.format(PROGRAM, what, otherwise), deadline=60)

    def _status(self):
        """What ``ha-mail-firewall status`` says and what the firewall is, as a dict; ``addresses``, ``sides`` and ``uplinks`` are lists of words,
        and ``absent`` is in it where the program is not.
        """
        said = self.run('. /etc/os-release; echo "version $VERSION_ID"; echo "hostname $(uname -n)"') + '\n' + self._ask_program('status', 'absent -')
        lists = {'address': 'addresses', 'side': 'sides', 'uplink': 'uplinks'}
        found = {name: [] for name in lists.values()}
        for line in said.splitlines():
            name, _space, rest = line.partition(' ')
            if name in lists:
                found[lists[name]].append(rest.split())
            else:
                found[name] = rest
        wanted = {'version', 'hostname'} | (set() if 'absent' in found else STATUS)
        whole = (re.fullmatch(r'-|-?\d+', found.get('armed', '-')) and all(len(words) == 3 for name in lists.values() for words in found[name])
                 and all(version in ('4', '6') for _name, version, _state in found['uplinks']))
        if wanted - set(found) or not whole:
            raise DialectError("'%s status' answered %r, expected %s. Is it a Debian, and is the answer complete?"
                               % (PROGRAM, said[:200], ', '.join(sorted(wanted - set(found))) or 'whole lines'))
        return found

    def _lines(self, which):
        return self._ask_program('show %s' % which, '').splitlines()

    def _packages(self, names):
        """Those of the names that are installed."""
        said = self.run("dpkg-query -W -f '${db:Status-Status} ${Package}\\n' %s 2>/dev/null || true" % ' '.join(names)) if names else ''
        return [line.partition(' ')[2] for line in said.splitlines() if line.startswith('installed ')]

    # ---- changing

    def ready(self, lines, seconds):
        """See the base class. Whoever has logged in for this has to be let in afterwards too: the timed rollback is for what nobody foresees."""
        command = 'echo "from $SSH_CONNECTION"'
        words = field(self.run(command), _FROM, 'the addresses of this session (sshd(8), SSH_CONNECTION)', command).split()
        try:
            source, port = ipaddress.ip_address(words[0].partition('%')[0]), int(words[3])
            let_in = any(rule['protocol'] == 'tcp' and port in map(int, rule['ports']) and source in ipaddress.ip_network(network, strict=False)
                         for rule in lines.member['local'] for network in [*rule['sources4'], *rule['sources6']])
        except ValueError as error:
            raise Refusal('nobody can tell whether the new policy lets this login in: %s.' % error) from error
        if not let_in:
            raise Refusal("the firewall sees this login come from %s to its port %d, and the new policy lets nobody from there log in. Add its network to "
                          'mail_admin_networks, or run this from an address that is in one of them.' % (source, port))

    def apply(self, lines, seconds):
        if not isinstance(lines, Lines):
            raise DialectError('found lines without the files that they stand for; render the policy with this dialect.')
        self.ready(lines, seconds)
        parcel = '%s/%s' % (PARCEL, lines.digest)
        self._prepare(lines.member)
        self.run('rm -rf %s; umask 077; mkdir -p %s' % (PARCEL, parcel))
        for name, text in sorted(lines.files.items()):
            self.session.put('%s/%s' % (parcel, name), text)
        self.run('sudo -n %s take "$PWD/%s" %s' % (PROGRAM, parcel, lines.digest))
        self.run('sudo -n %s apply %s %d' % (PROGRAM, lines.digest, seconds), deadline=90)
        # The first time, this very connection is one that the new rules have not seen begin, and do not let in.
        self.session.renew()
        self.run('rm -rf %s' % PARCEL)

    def confirm(self):
        status = self._status()
        if status['armed'] == '-' and status['running'] == status['saved']:
            raise DialectError('nothing waits for a confirmation: the change was taken back already.')
        self.run('sudo -n %s confirm %s' % (PROGRAM, status['running']))

    def revert(self):
        if self._status().get('armed', '-') != '-':
            self.run('sudo -n %s revert' % PROGRAM, deadline=90)

    def switchover(self):
        if self.facts()['role'] != 'active':
            raise DialectError('the standby cannot take the active role; ask the active member to give it up.')
        self.run('sudo -n %s yield' % PROGRAM, deadline=60)

    def _prepare(self, member):
        """Packages, programs and links: they do no harm by themselves, and stay when a change is taken back."""
        packages = member.get('packages', [])
        installed = self._packages(packages)
        missing = [name for name in packages if name not in installed]
        if missing:
            # Masked, for daemons must not start with the configuration that Debian brings.
            self.run('sudo -n systemctl mask --quiet --runtime conntrackd keepalived && sudo -n apt-get -qq update', deadline=INSTALL)
            self.run('sudo -n env DEBIAN_FRONTEND=noninteractive apt-get -qq -y --no-install-recommends install %s >/dev/null' % ' '.join(missing),
                     deadline=INSTALL)
        self.run('umask 077; mkdir -p %s' % PARCEL)
        for program in member.get('programs', []):
            self.session.put('%s/program' % PARCEL, program['text'])
            self.run('sudo -n install -D -m %s %s/program %s' % (program['mode'], PARCEL, program['path']))
        for path, name in sorted(member.get('links', {}).items()):
            self.run('sudo -n ln -sfn /etc/ha-mail-firewall/running/%s %s' % (name, path))
        units = [program['path'].rpartition('/')[2] for program in member.get('programs', []) if program['path'].endswith('.service')]
        # Debian's own as well: they were masked when they were installed, by this run or by one that was cut off.
        masked = [name for name in ('conntrackd', 'keepalived') if name in packages]
        if masked:
            self.run('sudo -n systemctl unmask --quiet --runtime %s' % ' '.join(masked), deadline=UNITS)
        units += masked
        if units:
            self.run('sudo -n systemctl daemon-reload && sudo -n systemctl enable --quiet %s' % ' '.join(units), deadline=UNITS)


class Lines(list):
    """Lines in normal form, with the files that they stand for."""

    def __init__(self, lines, files, member):
        super().__init__(lines)
        self.files, self.member = files, member
        self.digest = _digest_of_files(files)


def _shown(files):
    """What ``show`` says of the files of a generation."""
    return ['%s: %s' % (name, line) for name in sorted(files) for line in files[name].splitlines()]


def _listed(words):
    return ''.join(word + '\n' for word in sorted(words))


def _digest(text):
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _digest_of_files(files):
    """As the program on the firewall makes it: of the output of sha256sum."""
    listing = ''.join('%s  ./%s\n' % (hashlib.sha256(text.encode()).hexdigest(), name) for name, text in sorted(files.items()))
    return hashlib.sha256(listing.encode()).hexdigest()[:16]


def _check(policy, member):
    """A policy that cuts the way by which it came, or the pair's own, is refused."""
    local = member.get('local', [])
    needed = (('tcp', 22, 'SSH, by which the firewall is managed'), ('vrrp', None, 'VRRP of the pair'), ('udp', 3780, 'conntrackd of the pair'))
    for protocol, port, what in needed:
        if not any(rule['protocol'] == protocol and (port is None or port in [int(number) for number in rule['ports']]) for rule in local):
            raise DialectError('local: found no rule for %s, expected one; without it the pair would be cut off.' % what)
    for rule in local:
        if not rule['sources4'] and not rule['sources6']:
            raise DialectError("local: found no sources in the rule '%s', expected some; name the whole of the Internet if it is meant." % rule['name'])
    try:
        firewall_nftables.render(policy, member)
    except ValueError as error:
        raise DialectError(str(error)) from error


DIALECT = Linux
