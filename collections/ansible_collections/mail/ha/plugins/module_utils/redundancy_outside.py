# Copyright: the ha-mail authors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Single points of failure that are no host of the cluster: resolvers, the zone, clocks, keys, the control node, what stands before it."""

from __future__ import annotations

NAMES = ('dns', 'zone', 'ntp', 'firewall', 'provider', 'shared_store', 'control_node', 'ca_key')


def points(site):
    """The things outside that this site has once, or that the inventory cannot see twice.

    :param site: see ``redundancy``
    :returns: ``[{name, kind: 'outside', service: bool, loses, why, bearable, remedy}]``. ``service`` is true only where the inventory proves
        that there is one and no other; what it cannot see is a warning.
    """
    found = []

    def add(name, why, bearable, remedy, service=False, loses=()):
        found.append({'name': name, 'kind': 'outside', 'service': service, 'loses': list(loses), 'why': why, 'bearable': bearable, 'remedy': remedy})

    servers = site['nameservers']
    if len(set(servers)) == 1:
        add('dns', f"{servers[0]} is the only resolver in mail_nameservers, and no mail leaves without one", 'minutes: outbound mail waits in the queues',
            'add a second resolver on other hardware', service=True, loses=['outbound mail'])
    elif not servers:
        add('dns', 'mail_nameservers is empty, so every host asks whatever it was installed with', 'minutes: outbound mail waits in the queues',
            'name two resolvers')
    add('zone', "the name servers of the service's zone, where others look up MX and addresses, are not in the inventory",
        'as long as resolvers keep the records (dns_ttl of show-objectives.yml); then senders wait, and programs find no server',
        'have the zone served by two name servers or more in different networks, and ask each of them')
    clocks = site['ntp_servers']
    if len(set(clocks)) == 1:
        add('ntp', f"{clocks[0]} is the only one in mail_ntp_servers, and a wrong clock of one server is believed",
            'days: clocks drift apart slowly; certificates and logs suffer first', 'name four servers, so that a wrong one is outvoted')
    elif not clocks:
        add('ntp', "mail_ntp_servers is empty: the distribution's servers on the Internet are asked, where the firewall lets that out",
            'days: clocks drift apart slowly', 'name four servers of your own network or provider')
    if not any('firewalls' in host['groups'] for host in site['hosts'].values()):
        add('firewall', 'the inventory has no group firewalls, so router, firewall and uplink are somebody else\'s and not seen here',
            'minutes: nothing comes in or goes out', 'ask for a pair, and prove it by pulling one out; or list your own pair in the group firewalls')
    elif site['uplinks'] < 2:
        add('provider', 'the firewall pair has one way to the Internet, and whether its provider has two of everything behind it is not seen here',
            'minutes: nothing comes in or goes out', 'ask the provider for its N+1 proof; or take a second one (uplinks of the zone in mail_firewall)')
    if site['store']['engine'] != 'glusterfs':
        add('shared_store', "mailboxes lie on the site's own file system, whose redundancy the inventory does not know",
            'minutes: no mail is delivered or read', 'ask its operators for their N+1 proof, and pull one of its heads out')
    add('control_node', 'changes, renewals and repairs start there, and only there are the generated secrets',
        'weeks: the cluster runs on without it; the next certificate to expire is the limit',
        'keep the inventory in version control and its secrets in a vault or a backup, so that any machine becomes the control node')
    if site['own_authority']:
        add('ca_key', "the internal authority's key lies on the control node alone; without it no node certificate can be renewed",
            'as long as the certificates live (check-certificates.yml tells the days)',
            'keep an encrypted copy (ansible-vault) in two places; a lost key means a new authority on all nodes at once')
    return found
