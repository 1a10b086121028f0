# Copyright: the ha-mail authors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""The fixtures are what a node said: healthy, with the third node's brick killed while mail was written, and with the store unmounted.
The tables of mounts are real lines; those that do not matter are left out."""

from __future__ import annotations

import os

import pytest

from ansible_collections.mail.ha.plugins.module_utils import mail_store
from ansible_collections.mail.ha.plugins.module_utils.checks import mail_store as check

MEMBERS = ['10.77.1.21', '10.77.1.22', '10.77.1.23']
VOLUME = {'name': 'mail', 'address': MEMBERS[0], 'members': MEMBERS, 'brick_members': MEMBERS, 'brick_path': '/var/lib/ha-mail/brick'}
PROBE = '/usr/local/lib/ha-mail/mail-store-probe'


def said(state, name):
    with open(os.path.join(os.path.dirname(__file__), 'fixtures', 'mail_store', state, name), encoding='utf-8') as handle:
        return handle.read()


def examine(state, engine='glusterfs', code=0, mounted=None, source=''):
    """``mounted``: (type, source) in the table of mounts instead of those of the fixture (derived)."""
    def run(argv):
        assert argv[:3] == ['timeout', '--kill-after=1', '30']
        if argv[3] == PROBE:
            return code, said(state, 'probe.txt'), ''
        return 0, said(state, '_'.join(word for word in argv[4:] if not word.startswith('--')) + '.xml'), ''
    table = said(state, 'mountinfo.txt')
    if mounted:
        table = table.replace('fuse.glusterfs 10.77.1.21:mail', ' '.join(mounted))
        assert table != said(state, 'mountinfo.txt') or mounted[1] == '10.77.1.21:mail'
    return check.examine({'engine': engine, 'path': '/srv/mail', 'probe': PROBE, 'source': source,
                          'volume': VOLUME if engine == 'glusterfs' else None, 'timeout': 30}, run, table)


def test_a_healthy_store():
    found = examine('healthy')
    assert found['problems'] == []
    assert found['writable'] is True
    assert found['write_seconds'] == 0.031
    assert found['mount']['type'] == 'fuse.glusterfs'
    assert found['mount']['source'] == '10.77.1.21:mail'
    assert found['mount']['read_only'] is False
    assert found['quorum'] == {'needed': 2, 'online': 3, 'met': True}
    assert (found['pending'], found['split_brain']) == (0, 0)


@pytest.mark.parametrize('source', ['10.77.1.21:mail', '10.77.1.23:mail', '10.77.1.22:/mail'])
def test_the_volume_may_come_from_any_member(source):
    assert examine('healthy', mounted=('fuse.glusterfs', source))['problems'] == []


@pytest.mark.parametrize('source', ['10.77.1.21:mail2', '10.77.1.24:mail', 'mail', '10.77.1.21:mail/users'])
def test_another_volume_is_not_the_store(source):
    found = examine('healthy', mounted=('fuse.glusterfs', source))
    assert found['writable'] is True
    assert found['problems'] == [
        '/srv/mail is mounted from %s (fuse.glusterfs), expected 10.77.1.21:mail or 10.77.1.22:mail or 10.77.1.23:mail. Mail that is written there now '
        'is missed later: take this node out of service, unmount that, and mount the store.' % source]


@pytest.mark.parametrize('table, source, problems', [
    ('nfs.example.org:/export/mail', 'nfs.example.org:/export/mail', []),
    ('nfs.example.org:/export/other', '', []),
    ('//nas/my\\040mail', '//nas/my mail', []),
    ('nfs.example.org:/export/other', 'nfs.example.org:/export/mail',
     ['/srv/mail is mounted from nfs.example.org:/export/other (nfs4), expected nfs.example.org:/export/mail.']),
])
def test_what_the_site_mounts(table, source, problems):
    found = examine('healthy', engine='mounted', mounted=('nfs4', table), source=source)
    assert [problem.partition(' Mail that')[0] for problem in found['problems']] == problems


def test_a_store_that_is_not_mounted_is_told_once():
    assert len(examine('unmounted', engine='mounted', code=1, source='nfs.example.org:/export/mail')['problems']) == 1


def test_a_brick_that_was_killed():
    found = examine('brick_killed')
    assert found['writable'] is True
    assert found['quorum'] == {'needed': 2, 'online': 2, 'met': True}
    assert [brick['online'] for brick in found['bricks']] == [True, True, False]
    assert found['pending'] == 6
    assert 'brick 10.77.1.23:/var/lib/ha-mail/brick is not online' in found['problems']


def test_a_store_that_is_not_mounted():
    found = examine('unmounted', engine='mounted', code=1)
    assert found == {
        'problems': ['no mail can be stored: /srv/mail is not a mount point: the mail store is not mounted'],
        'writable': False, 'write_seconds': None, 'mount': None,
    }


def test_a_glusterd_that_gives_no_answer():
    found = check.examine({'engine': 'glusterfs', 'path': '/srv/mail', 'probe': PROBE, 'source': '', 'volume': VOLUME, 'timeout': 30},
                          lambda argv: (124, '', ''), '')
    assert found['problems'] == ['no mail can be stored: no answer from the probe (exit code 124)',
                                 'glusterd gave no useful answer: no answer']
    assert found['quorum'] == {'needed': 2, 'online': 0, 'met': False}


def test_a_probe_that_is_not_there():
    def run(argv):
        return 127, '', "timeout: failed to run command '%s': No such file or directory" % PROBE
    parameters = {'engine': 'mounted', 'path': '/srv/mail', 'probe': PROBE, 'source': '', 'volume': None, 'timeout': 30}
    problem, = check.examine(parameters, run, '')['problems']
    assert 'No such file or directory' in problem


def test_the_last_mount_covers_those_before_it():
    table = said('healthy', 'mountinfo.txt') + '500 224 0:99 / /srv/mail ro,relatime - tmpfs tmpfs rw\n'
    assert mail_store.mount(table, '/srv/mail') == {'type': 'tmpfs', 'source': 'tmpfs', 'options': ['ro', 'relatime'], 'read_only': True}


@pytest.mark.parametrize('code, out, reason', [
    (1, 'no answer from /srv/mail within 4 s\n', 'no answer from /srv/mail within 4 s'),
    (137, '', 'no answer from the probe (exit code 137)'),
    (1, 'ok, 0.016 s\n', 'ok, 0.016 s'),
    (0, 'something else\n', 'something else'),
])
def test_writes_that_failed(code, out, reason):
    assert mail_store.write(code, out) == {'writable': False, 'seconds': None, 'reason': reason}
