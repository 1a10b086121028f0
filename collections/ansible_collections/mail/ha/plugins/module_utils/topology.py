"""Who is where: members of groups, holders of VIPs and seats, firewall rules of a host. Pure functions, no I/O."""

from __future__ import annotations

import functools
import ipaddress

# Group names of the service catalogue that are not inventory groups.
ANY = "any"
ADMIN = "admin"
ALL = "all"
# Groups of hosts that are part of the service.
OF_THE_CLUSTER = ("loadbalancers", "mailservers", "databases", "monitors", "backups")


def own_addresses(hostvars):
    """A function that gives the service addresses of a host (list of str), IPv4 first.

    To ask ``hostvars`` for a host is to put all of its variables together, so each host is asked once.
    """
    @functools.cache
    def of(host):
        variables = hostvars[host]
        return [address for address in (variables.get("mail_address"), variables.get("mail_address6")) if address]
    return of


def members(names, hostvars, domain, dual_stack=False):
    """Describe hosts the way roles take them.

    :param names: host names (list of str); hosts without a ``mail_address`` are left out, they have no service address.
    :param hostvars: mapping of host name to its variables.
    :param domain: DNS domain of the nodes (str).
    :param dual_stack: True adds ``address6`` where the host has a ``mail_address6`` (bool). Few may know it: daemons listen on
        ``mail_address`` alone, so that a client with two addresses for a node would wait for the wrong one.
    :returns: list of ``{name, address, fqdn}`` in the order given.
    """
    result = []
    for name in names:
        variables = hostvars[name]
        if "mail_address" not in variables:
            continue
        member = {"name": name, "address": variables["mail_address"], "fqdn": f"{name}.{domain}"}
        if dual_stack and variables.get("mail_address6"):
            member["address6"] = variables["mail_address6"]
        result.append(member)
    return result


def cluster_nodes(groups, hostvars):
    """Describe all nodes of the cluster, as cluster_health.py expects them.

    :param groups: mapping of group name to host names.
    :param hostvars: mapping of host name to its variables.
    :returns: ``{host: {groups: [str], address}}`` in the order of OF_THE_CLUSTER and of the inventory.
    """
    names = dict.fromkeys(name for group in OF_THE_CLUSTER for name in groups.get(group, []))
    return {
        name: {"groups": [group for group in OF_THE_CLUSTER if name in groups.get(group, [])], "address": hostvars[name]["mail_address"]}
        for name in names
    }


def near(entries, networks, own):
    """Select the floating addresses that a host shares a network with, so that it can ask its neighbours who holds them.

    :param entries: list of ``{name, address}``, perhaps with ``address6``.
    :param networks: list of ``{name, cidr}``.
    :param own: addresses of the host (list of str).
    :returns: list of ``{name, address}``, with one entry for each address.
    """
    ranges = [ipaddress.ip_network(network["cidr"]) for network in networks]
    ranges = [network for network in ranges if any(ipaddress.ip_address(address) in network for address in own)]
    return [
        {"name": entry["name"], "address": entry[key]}
        for entry in entries for key in ("address", "address6")
        if entry.get(key) and any(ipaddress.ip_address(entry[key]) in network for network in ranges)
    ]


def members_of_seats(seats, domain):
    """Describe seats as hosts-file entries.

    :param seats: list of ``{name, address, ...}``.
    :param domain: DNS domain of the nodes (str).
    :returns: list of ``{name, address, fqdn}``.
    """
    return [{"name": seat["name"], "address": seat["address"], "fqdn": f"{seat['name']}.{domain}"} for seat in seats]


def seat_holders(seats, mailservers):
    """Give every seat its mailservers in order of preference.

    Preferred holders go round robin. The other holders of a seat are the remaining mailservers, rotated by one more step
    each time a mailserver is first again, so that the seats of a dead node fall to different survivors (chained
    declustering; Hsiao and DeWitt, "Chained Declustering", ICDE 1990, spreads only to one neighbour: with seats
    outnumbering nodes the rotation spreads to all).

    :param seats: list of ``{name, address, vrid}``; ``holders`` (list of host names) overrides the computed order.
    :param mailservers: host names (list of str) in inventory order.
    :returns: the seats, each with ``holders``.
    """
    count = len(mailservers)
    result = []
    for index, seat in enumerate(seats):
        if seat.get("holders"):
            holders = list(seat["holders"])
        elif not count:
            holders = []
        else:
            first = index % count
            others = [mailservers[(first + step) % count] for step in range(1, count)]
            turn = (index // count) % len(others) if others else 0
            holders = [mailservers[first]] + others[turn:] + others[:turn]
        result.append(dict(seat, holders=holders))
    return result


def vip_holders(vips, loadbalancers):
    """Give every service VIP its loadbalancers in order: the preferred one, then the others.

    :param vips: list of ``{name, address, vrid, prefers}``.
    :param loadbalancers: host names (list of str).
    :returns: the VIPs, each with ``holders``.
    """
    result = []
    for vip in vips:
        rest = [name for name in loadbalancers if name != vip["prefers"]]
        result.append(dict(vip, holders=[vip["prefers"]] + rest))
    return result


def _addresses(groups_from, groups, addresses, admin_networks):
    """Return the source addresses of catalogue groups, or None where anybody may come."""
    found = []
    for group in groups_from:
        if group == ANY:
            return None
        if group == ADMIN:
            found.extend(admin_networks)
            continue
        for name in groups.get(group, []):
            found.extend(addresses(name))
    return list(dict.fromkeys(found))


def firewall_rules(catalogue, host, groups, hostvars, admin_networks):
    """Select from the service catalogue what this host lets in.

    :param catalogue: list of ``{name, from, to, ports, protocol}``; ``from`` holds inventory groups, ``any`` or ``admin``,
        ``to`` inventory groups or ``all``.
    :param host: name of the host (str).
    :param groups: mapping of group name to host names.
    :param hostvars: mapping of host name to its variables.
    :param admin_networks: networks (CIDR) that ``admin`` stands for.
    :returns: list of ``{name, protocol, ports, sources4, sources6}``; both source lists empty means anybody. A service whose
        sources resolve to nobody is left out, never opened to all.
    """
    rules, addresses = [], own_addresses(hostvars)
    for service in catalogue:
        if not any(group == ALL or host in groups.get(group, []) for group in service["to"]):
            continue
        sources = _addresses(service["from"], groups, addresses, admin_networks)
        if sources == []:
            continue
        networks = [ipaddress.ip_network(source, strict=False) for source in sources or []]
        rules.append({
            "name": service["name"],
            "protocol": service.get("protocol", "tcp"),
            "ports": list(service.get("ports", [])),
            "sources4": [str(network.with_prefixlen) for network in networks if network.version == 4],
            "sources6": [str(network.with_prefixlen) for network in networks if network.version == 6],
        })
    return rules


def endpoints(hosts, ports, server_name=None):
    """Combine hosts with ports into endpoints for the module certificate_served_info.

    :param hosts: list of ``{name, address, fqdn}``.
    :param ports: list of ``{port, starttls, proxy}``; the last two may be absent.
    :param server_name: name that all certificates must be valid for (str); each host's ``fqdn`` unless given.
    :returns: list with one dictionary per host and port.
    """
    return [
        dict(port, name=host["name"], address=host["address"], server_name=server_name or host["fqdn"])
        for host in hosts for port in ports
    ]
