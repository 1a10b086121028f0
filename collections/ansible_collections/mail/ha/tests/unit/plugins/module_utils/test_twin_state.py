# Copyright: the ha-mail authors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the lab's daemons said, healthy; mail2-changed and lb2-disabled with a setting changed on purpose. The password is made up."""

from __future__ import annotations

import pathlib

from ansible_collections.mail.ha.plugins.module_utils import drift, twin_state

FIXTURES = pathlib.Path(__file__).parent / 'fixtures' / 'twin_state'
IDENTITIES = {f'mail{number}': [f'mail{number}', f'mail{number}.nodes.ha.test', f'10.77.1.2{number}'] for number in (1, 2, 3)}
IDENTITIES.update({f'lb{number}': [f'lb{number}', f'10.77.1.1{number}'] for number in (1, 2)})


def text(name):
    return (FIXTURES / name).read_text(encoding='utf-8')


def differences(subject, **settings):
    return drift.compare({host: {subject: found} for host, found in settings.items()}, IDENTITIES)


def test_postfix():
    found = twin_state.postfix(text('mail1.postconf'), text('mail1.postconf-F'), text('mail1.postconf-P'))
    assert found['message_size_limit'] == '52428800'
    assert found['master.cf 10025/inet/command'] == 'postscreen'
    assert found['master.cf 10587/inet/command'] == 'smtpd'
    assert found['master.cf 10587/inet/smtpd_tls_security_level'] == 'encrypt'
    assert 'process_id' not in found
    assert twin_state.postfix_maps(found) == [f'/etc/postfix/directory/{name}.cf' for name in ('accounts', 'domains', 'routes', 'senders')]


def test_a_changed_postfix_is_named_and_nothing_else():
    one, two, three = (twin_state.postfix(text(f'{name}.postconf'), '', '') for name in ('mail1', 'mail2-changed', 'mail3'))
    assert not differences('postfix', mail1=one, mail3=three)
    found, = differences('postfix', mail1=one, mail2=two, mail3=three)
    assert (found['odd'], found['values']) == (['mail2'], {'mail1': '52428800', 'mail2': '1000000', 'mail3': '52428800'})
    assert found['message'] == ('mail2: postfix message_size_limit is 1000000, the others (mail1, mail3) have 52428800; '
                                'run site.yml --limit mail2.')


def test_dovecot():
    found = twin_state.dovecot(text('mail1.doveconf'))
    assert found['version'].startswith('2.4.1')
    assert found['namespace inbox / mailbox Junk / auto'] == 'subscribe'
    assert found['local 10.77.1.201 / ssl_server / cert_file'] == '/etc/ha-mail/tls/node.crt'
    assert found['pgsql order1 / parameters / password'] == 'made-up-password'


def test_healthy_dovecots_are_alike_although_each_names_itself_and_its_peers():
    found = {name: twin_state.dovecot(text(f'{name}.doveconf')) for name in ('mail1', 'mail2', 'mail3')}
    assert len({settings['pgsql order1 / host'] for settings in found.values()}) == 3
    assert not differences('dovecot', **found)
    # Edited: one setting, and one peer that is missing.
    found['mail3'].update({'auth_cache_ttl': '1h', 'pgsql order1 / host': '/run/postgresql,mail1.nodes.ha.test'})
    assert [(item['setting'], item['odd']) for item in differences('dovecot', **found)] == [
        ('auth_cache_ttl', ['mail3']), ('pgsql order1 / host', ['mail3'])]


def test_secrets_become_digests_that_can_be_compared():
    found = twin_state.dovecot(text('mail1.doveconf'))
    sealed = twin_state.sealed(found, 'key')
    assert 'made-up-password' not in str(sealed)
    first, second = (f'pgsql order{number} / parameters / password' for number in (1, 2))
    assert sealed[first].startswith('secret ') and sealed[first] == sealed[second]
    assert sealed[first] != twin_state.sealed(found, 'other')[first]
    assert sealed['ssl_client / ca_file'] == found['ssl_client / ca_file']
    assert sealed['ssl_server / key_file'] == '/etc/ha-mail/tls/service.key'
    assert 'hidden' not in twin_state.sealed({'uri': 'postgresql://reader:hidden@mail1:5432/mail'}, 'key')['uri']


def test_keepalived():
    one, two = (twin_state.keepalived(text(f'{name}.keepalived.conf')) for name in ('mail1', 'mail2'))
    assert one['vrrp_instance seat01 / advert_int'] == '0.2'
    assert one['vrrp_instance seat01 / unicast_peer / '] == '10.77.1.22, 10.77.1.23'
    assert not [name for name in one if name.endswith('/ priority')]
    assert not differences('keepalived', mail1=one, mail2=two)


def test_haproxy():
    one, two, disabled = (twin_state.haproxy(text('lb1.show-info'), text(f'{name}.show-stat')) for name in ('lb1', 'lb2', 'lb2-disabled'))
    assert one['Maxconn'] == '8000' and one['smtp/mail1 addr'] == '10.77.1.21:10025' and one['smtp/mail1 state'] == 'in service'
    assert not differences('haproxy', lb1=one, lb2=two)
    found, = differences('haproxy', lb1=one, lb2=disabled)
    assert found['odd'] == []
    assert found['message'].startswith('haproxy pop3s/mail1 state is in service on lb1, maint on lb2; no majority says which is right')


def test_postgresql_leader_and_replica_are_alike():
    one, two = (twin_state.postgresql(text(f'{name}.pg_settings.json')) for name in ('mail1', 'mail2'))
    assert one['listen_addresses'] != two['listen_addresses']
    assert not differences('postgresql', mail1=one, mail2=two)
    assert twin_state.postgresql('{"work_mem": ["4096", true]}') == {'work_mem': '4096 (waits for a restart)'}


def test_etcd():
    variables = twin_state.environment(text('mail1.etcd-environ').replace('\n', '\0'))
    found = twin_state.etcd(variables, text('mail1.etcd-status.json'))
    assert (found['version'], found['learner'], found['ETCD_ELECTION_TIMEOUT']) == ('3.5.16', 'false', '1000')
    assert not [name for name in found if name.startswith(('ETCD_INITIAL', 'ETCDCTL'))]


def test_packages_chrony_and_files_of_settings():
    assert twin_state.packages(text('mail1.dpkg'))['etcd-server'] == '3.5.16-4'
    assert twin_state.packages('gone 1.0 rc \n') == {}
    assert twin_state.chrony(text('mail1.chrony')) == {'chrony': 'Not synchronised'}
    assert twin_state.assignments('# vm.swappiness: left alone = 1\nnet.core.somaxconn = 4096\n') == {'net.core.somaxconn': '4096'}


def test_answers_do_not_depend_on_their_order():
    assert twin_state.answers('b\ta\na\tb\n') == twin_state.answers('a\tb\nb\ta\n') != twin_state.answers('a\tb\n')


def test_a_port_with_another_certificate_than_the_first_is_seen_without_comparing_nodes_fingerprints():
    one = twin_state.shared_certificates({'port 10025': 'aa', 'port 10993': 'aa'})
    two = twin_state.shared_certificates({'port 10025': 'bb', 'port 10993': 'bb'})
    old = twin_state.shared_certificates({'port 10025': 'cc', 'port 10993': 'dd'})
    assert one == two and one != old
