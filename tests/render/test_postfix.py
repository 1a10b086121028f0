"""Render the templates of role postfix with Ansible's own templar and let Postfix itself judge them.

RENDER_NODE names a running container that has Postfix installed (a mailserver of a lab, say `lab-mail1`).
"""

import os
import pathlib
import subprocess
import uuid

import pytest
import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
ROLE = ROOT / "roles/postfix"
INPUTS = {
    "postfix_hostname": "mail1.nodes.ha.test",
    "postfix_service_name": "mail.ha.test",
    "postfix_loadbalancers": ["198.51.100.11", "2001:db8::11"],
    "postfix_seats": [{"name": "seat01", "address": "198.51.100.201"}, {"name": "seat-02", "address": "2001:db8::202"}],
    "postfix_ports": yaml.safe_load((ROOT / "playbooks/group_vars/all/services.yml").read_text())["mail_ports"],
    "postfix_directory_sockets": ["/run/postgresql"],
    "postfix_directory_hosts": ["mail2.nodes.ha.test", "2001:db8::23"],
    "postfix_directory_password": "secret:of\\mail_reader",
}
SITES = {
    "as delivered": {},
    "everything set": {
        "postfix_root_recipient": "ops@alpha.test",
        "postfix_origin": "alpha.test",
        "postfix_dnsbl_sites": ["list.example*2", "other.example"],
        "postfix_outbound_tls": "dane",
        "postfix_peername_lookup": True,
        "postfix_health_clients": ["2001:db8::31"],
        "postfix_inet_protocols": "ipv4",
    },
    "mailserver without a database": {"postfix_directory_sockets": []},
}


def run(*command, **options):
    return subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False, **options)


def on_node(*command, **options):
    node = os.environ.get("RENDER_NODE")
    assert node, "RENDER_NODE is not set: name a running container that has Postfix installed, such as lab-mail1"
    return run(ROOT / "lab/enter", "podman", "exec", "-i", node, *command, **options)


def render(directory, inputs):
    """Write main.cf, master.cf and the maps into `directory`."""
    play = {
        "hosts": "localhost",
        "connection": "local",
        "gather_facts": False,
        "vars_files": [str(ROLE / "defaults/main.yml"), str(ROLE / "vars/main.yml")],
        "tasks": [
            {"ansible.builtin.file": {"path": f"{directory}/directory", "state": "directory", "mode": "0755"}},
            {
                "ansible.builtin.template": {"src": f"{ROLE}/templates/{{{{ item.src }}}}", "dest": f"{directory}/{{{{ item.dest }}}}", "mode": "0644"},
                "loop": "{{ __postfix_files }}",
            },
        ],
    }
    (directory / "play.yml").write_text(yaml.safe_dump([play]))
    (directory / "inputs.yml").write_text(yaml.safe_dump(inputs))
    done = run("ansible-playbook", "-i", "localhost,", "-e", f"@{directory}/inputs.yml", directory / "play.yml", cwd=ROOT)
    assert done.returncode == 0, done.stdout + done.stderr


class Configuration:
    """A rendered configuration in a directory of the node."""

    def __init__(self, files):
        self.path = f"/etc/postfix-render-{uuid.uuid4().hex[:8]}"
        # Postfix wants its own list of files beside the configuration.
        assert on_node("cp", "-a", "/etc/postfix", self.path).returncode == 0
        for name in ("main.cf", "master.cf"):
            self.write(name, (files / name).read_text())

    def write(self, name, text):
        assert on_node("tee", f"{self.path}/{name}", input=text).returncode == 0

    def complaints(self):
        """Everything that Postfix has to say against the configuration."""
        answers = [on_node("postfix", "-c", self.path, "check")]
        answers += [on_node("postconf", "-c", self.path, option) for option in ("-n", "-M", "-P")]
        return "".join(f"exit code {answer.returncode}\n" * bool(answer.returncode) + answer.stderr for answer in answers)

    def value(self, parameter):
        return on_node("postconf", "-c", self.path, "-xh", parameter).stdout.strip()

    def remove(self):
        on_node("rm", "-r", self.path)


@pytest.fixture(params=SITES, name="site", scope="module")
def rendered_site(request, tmp_path_factory):
    files = tmp_path_factory.mktemp("postfix")
    render(files, {**INPUTS, **SITES[request.param]})
    configuration = Configuration(files)
    yield files, configuration
    configuration.remove()


def test_postfix_finds_no_fault(site):
    files, configuration = site
    assert configuration.complaints() == ""
    # The same check does see a fault, in either file.
    configuration.write("main.cf", (files / "main.cf").read_text() + "smtpd_no_such_parameter = 1\n")
    assert "unused parameter: smtpd_no_such_parameter" in configuration.complaints()
    configuration.write("main.cf", (files / "main.cf").read_text())
    configuration.write("master.cf", (files / "master.cf").read_text() + "broken line\n")
    assert "bad" in configuration.complaints()
    configuration.write("master.cf", (files / "master.cf").read_text())


def test_every_seat_has_its_class(site):
    _, configuration = site
    assert configuration.value("smtpd_restriction_classes") == "quota_seat01 quota_seat_02"
    assert "inet:198.51.100.201:12340" in configuration.value("quota_seat01")
    assert "inet:[2001:db8::202]:12340" in configuration.value("quota_seat_02")


def test_maps_hold_no_password_and_verify_the_server(site):
    files, _ = site
    maps = sorted((files / "directory").glob("*.cf"))
    assert [file.stem for file in maps] == ["accounts", "domains", "routes", "senders"]
    for file in maps:
        text = file.read_text()
        assert "secret" not in text
        assert text.count("postgresql://") == text.count("sslmode=verify-full") == 2
        assert "@[2001:db8::23]:5432/" in text
