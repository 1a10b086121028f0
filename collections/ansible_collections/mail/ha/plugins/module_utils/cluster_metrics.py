# Copyright: the ha-mail authors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""The state of a cluster as metrics, in the text format of Prometheus. Pure functions.

Format: Prometheus documentation, "Exposition formats", text format 0.0.4. Shapes are those of cluster_health.py; ``answers`` are reports
with useful answers only. What is not known has no sample: a missing one can be alerted on, a made-up 0 cannot.
"""

from __future__ import annotations

from ansible_collections.mail.ha.plugins.module_utils import cluster_health, firewall_pair


def _escaped(value):
    return str(value).replace('\\', '\\\\').replace('"', '\\"').replace('\n', '\\n')


def family(name, text, samples):
    """Lines of one gauge.

    :param name: name of the metric after ``ha_mail_`` (str).
    :param text: what it means (str).
    :param samples: [(labels as dict, number or bool or None)]; None is left out.
    """
    lines = []
    for labels, value in samples:
        if value is not None:
            listed = ','.join('%s="%s"' % (key, _escaped(labels[key])) for key in labels)
            lines.append('ha_mail_%s%s %s' % (name, '{%s}' % listed if listed else '', int(value) if isinstance(value, bool) else value))
    return ['# HELP ha_mail_%s %s' % (name, text), '# TYPE ha_mail_%s gauge' % name] + lines if lines else []


def _of_nodes(answers, check, value):
    return [({'node': host}, value(found)) for host, found in cluster_health.by_check(answers, check).items()]


def metrics(answers, expected, verdict, now):
    """The whole text (str), which ends with a line feed as the format wants it. ``now`` is the time in seconds since the epoch."""
    nodes = expected['nodes']
    queues = cluster_health.by_check(answers, 'postfix_queue')
    sessions = cluster_health.by_check(answers, 'dovecot')
    members = {member['name']: member for found in cluster_health.by_check(answers, 'patroni').values() for member in found['members']}
    lines = family('check_time_seconds', 'When the cluster was asked, in seconds since 1970.', [({}, round(now))])
    lines += family('healthy', 'Whether the cluster is at full strength.', [({}, verdict['healthy'])])
    lines += family('strength', 'Strength of the cluster; one of them is 1.',
                    [({'strength': word}, word == verdict['strength']) for word in ('full', 'degraded', 'down')])
    lines += family('problems', 'Number of things that are not as they should be.', [({}, len(verdict['problems']))])
    lines += family('node_answered', 'Whether the node gave a report.', [({'node': host}, host in answers) for host in nodes])
    lines += family('node_can_be_lost', 'Whether the others would carry on without the node.',
                    [({'node': host}, host in verdict['can_lose']) for host in nodes])
    lines += family('node_ready', 'Whether the node is in service, that is, not in maintenance.',
                    _of_nodes(answers, 'maintenance', lambda found: found['old']['state'] == 'ready'))
    lines += family('address_holder', 'Holder of a service VIP or seat; 0 and no node where there is not exactly one.',
                    [({'address': name, 'node': host or ''}, bool(host)) for name, host in verdict['holders'].items()])
    lines += family('service_servers', 'Servers that a loadbalancer can send new sessions of a service to.', [
        ({'node': host, 'service': service}, sum(server['usable'] for server in found['servers'] if server['backend'] == service))
        for host, found in cluster_health.by_check(answers, 'haproxy').items() for service in found['services']])
    lines += family('store_writable', 'Whether the node can write to the mail store.', _of_nodes(answers, 'mail_store', lambda found: found['writable']))
    lines += family('store_write_seconds', 'Time that a write to the mail store took.',
                    _of_nodes(answers, 'mail_store', lambda found: found['write_seconds']))
    lines += family('store_heal_pending', 'Files of the mail store that wait to be healed.',
                    _of_nodes(answers, 'mail_store', lambda found: found.get('pending')))
    lines += family('queue_messages', 'Messages in the queue.', [
        ({'node': host, 'queue': name}, queue['messages']) for host, found in queues.items() for name, queue in found['queues'].items()])
    lines += family('queue_oldest_seconds', 'Age of the oldest message in the queue.', [
        ({'node': host, 'queue': name}, queue['oldest']) for host, found in queues.items() for name, queue in found['queues'].items()])
    lines += family('sessions', 'Sessions of mailbox users, served by the node or passed on by it.', [
        ({'node': host, 'kind': kind}, sum(found['sessions'][kind].values())) for host, found in sessions.items() for kind in ('served', 'proxied')])
    lines += family('database_leader', 'Whether the database says of itself that it takes writes.',
                    _of_nodes(answers, 'patroni', lambda found: found['this']['primary']))
    lines += family('database_lag_bytes', 'How far the database is behind the leader.', [({'node': name}, member['lag']) for name, member in members.items()])
    lines += family('database_replay_seconds', 'How old the last change is that the replica replayed; 0 where it replayed all that it received.',
                    _of_nodes(answers, 'patroni', lambda found: found['this']['replay_delay']))
    lines += family('etcd_members_healthy', 'Members of etcd at work, as seen by the node.', _of_nodes(answers, 'etcd', lambda found: found['healthy']))
    lines += family('certificate_days_left', 'Days until the certificate that is served ends.', [
        ({'node': host, 'endpoint': entry['name'], 'port': entry['port']}, entry.get('days_left'))
        for host, found in cluster_health.by_check(answers, 'certificates').items() for entry in found['certificates']])
    lines += family('firewall_active', 'Whether the traffic goes through the firewall.',
                    _of_nodes(answers, 'firewall', lambda found: found['facts']['role'] in firewall_pair.PASSES))
    lines += family('firewall_in_sync', 'Whether the firewall has what the other one has.',
                    _of_nodes(answers, 'firewall', lambda found: found['facts']['in_sync']))
    lines += family('firewall_sessions', 'Sessions in the table of the firewall.', _of_nodes(answers, 'firewall', lambda found: found['facts']['sessions']))
    lines += family('firewall_uplink_up', 'Whether an interface that the firewall watches is up.', [
        ({'node': host, 'uplink': uplink['name']}, uplink['up'])
        for host, found in cluster_health.by_check(answers, 'firewall').items() for uplink in found['facts']['uplinks']])
    lines += family('firewall_provider_alive', 'Whether something behind an uplink of the firewall answers it.', [
        ({'node': host, 'provider': provider['name'], 'version': str(provider['version'])}, provider['alive'])
        for host, found in cluster_health.by_check(answers, 'firewall').items() for provider in found['facts']['providers']])
    return '\n'.join(lines) + '\n'
