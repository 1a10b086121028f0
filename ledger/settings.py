"""What a ledger is told: one JSON file, which holds passwords and is therefore 0600."""

import json

DEFAULTS = {
    # Messages per second, all protocols and addresses together.
    "rate": 20,
    # [bytes, share in percent]: mostly small, as mail is.
    "sizes": [[2000, 70], [10000, 25], [60000, 5]],
    # Half comes from the Internet, half from users: [protocol, port], by turns.
    "services": [["smtp", 25], ["submission", 465], ["smtp", 25], ["submission", 587]],
    # Where mail to the Internet can be watched: a domain that the service does not serve, and a maildir of the probing host in which mail to
    # ledger-sink at that domain ends. Null where a site has none: then only mail to its own mailboxes is proved.
    "foreign_domain": None,
    "foreign_maildir": None,
    # Every so many-th message of a user goes there, so that those to mailboxes come about as often with it as without.
    "foreign_every": 10,
    # Seconds a sender waits for a connection and for each answer. A frozen node answers TCP, so every wait has an end.
    "connect_timeout": 3,
    "answer_timeout": 10,
    # After the final dot a sender waits longer: giving up there is what makes duplicates (RFC 5321, 4.5.3.2.6).
    "dot_timeout": 60,
    # First and longest pause before a message is tried again, and how long it is tried, in seconds.
    "retry_first": 1,
    "retry_longest": 8,
    "give_up": 600,
    # Seconds from the 250 to the mailbox that are still in time.
    "late": 60,
    # Seconds between two probes of one protocol, by turns through the addresses, and how long a probe waits. A login costs the
    # service a password hash, two sessions and a process; too many would be a load test, and so would show gaps of their own.
    "probe_interval": {"smtp": 0.1, "submission": 0.25, "imap": 0.5},
    "probe_timeout": 2,
    # Seconds between two looks into a mailbox, and how long an answer may take before another session is opened.
    "poll_interval": 1,
    "poll_timeout": 5,
    # A client renews IDLE before 30 minutes (RFC 2177); until then it does not notice that its server is gone without a word.
    "idle_renew": 1740,
    # How long `stop` waits for what is under way, and the report for what has not arrived, in seconds.
    "stragglers": 120,
}
REQUIRED = ("name", "vips", "service_name", "ca_file", "sender", "accounts")


class SettingsError(Exception):
    """The file does not describe a site; the text says why."""


def load(path):
    """Read the file: {name, vips: [address], service_name, ca_file or null, sender, accounts: {address: password}, ...DEFAULTS}."""
    try:
        with open(path, encoding="utf-8") as text:
            given = json.load(text)
    except (OSError, ValueError) as error:
        raise SettingsError(f"{path} cannot be read: {error}") from error
    return complete(given)


def complete(given):
    """Defaults filled in. Raises SettingsError for what is missing, unknown or out of range."""
    missing = [key for key in REQUIRED if key not in given]
    unknown = sorted(set(given) - set(REQUIRED) - set(DEFAULTS))
    if missing or unknown:
        raise SettingsError(f"settings: missing {missing}, unknown {unknown}")
    # Some of the protocols may be probed more often than usual.
    asked = given.get("probe_interval", {})
    if not isinstance(asked, dict):
        raise SettingsError(f"settings: probe_interval is {asked!r}, expected seconds by protocol")
    rhythm = DEFAULTS["probe_interval"] | asked
    if set(rhythm) != set(DEFAULTS["probe_interval"]) or not all(isinstance(seconds, int | float) and seconds > 0 for seconds in rhythm.values()):
        raise SettingsError(f"settings: probe_interval is {rhythm}, expected seconds above 0 for {', '.join(DEFAULTS['probe_interval'])}")
    site = DEFAULTS | given | {"probe_interval": rhythm}
    if not site["accounts"]:
        raise SettingsError("settings: no account; a ledger needs at least one mailbox to send to")
    if not site["vips"]:
        raise SettingsError("settings: no address to send to")
    if not 0 < site["rate"] <= 200:
        raise SettingsError(f"settings: rate is {site['rate']} messages a second, expected more than 0 and at most 200")
    domain, maildir = site["foreign_domain"], site["foreign_maildir"]
    if (domain is None) != (maildir is None):
        raise SettingsError(f"settings: foreign_domain is {domain!r} and foreign_maildir {maildir!r}, expected both or neither")
    if domain is not None and domain.lower() in {account.rpartition("@")[2].lower() for account in site["accounts"]}:
        raise SettingsError(f"settings: foreign_domain is {domain}, a domain of the accounts, expected one that the service does not serve")
    if not isinstance(site["foreign_every"], int) or site["foreign_every"] < 1:
        raise SettingsError(f"settings: foreign_every is {site['foreign_every']!r}, expected a whole number of at least 1")
    if sum(share for size, share in site["sizes"]) != 100:
        raise SettingsError("settings: the shares of sizes do not sum up to 100 percent")
    return site
