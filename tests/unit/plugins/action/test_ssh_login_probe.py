# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Module ssh_login_probe as Ansible runs it, against a real sshd with the real PAM module."""

from __future__ import annotations

import os
import subprocess
import time
from xml.etree import ElementTree

import pytest
from ansible.parsing.vault import VaultLib, VaultSecret

from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.totp import decode_secret, token_at
from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.probe import find_module
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._store.person import Person, PersonKey, Proven
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._store.vault_file import VaultFile
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._store.vault_text import VaultText
from ansible_collections.fleetmfa.ssh.tests.support.odd_servers import dead_port
from ansible_collections.fleetmfa.ssh.tests.support.probed_host import ProbedHost
from ansible_collections.fleetmfa.ssh.tests.support.sshd_host import needs_sshd
from ansible_collections.fleetmfa.ssh.tests.support.token_host import PERIOD

pytest.importorskip("paramiko")
pytestmark = [
    needs_sshd,
    pytest.mark.skipif(
        find_module("pam_google_authenticator.so") is None, reason="needs libpam-google-authenticator on this machine"
    ),
]
OTHER_SECRET = "ZKXZ2PEOGY2FWWEDIHBDPGIJ6XPJNJFN"
VAULT_PASSWORD = "the vault's own"
USER_PASSWORD = "a word of alice"


@pytest.fixture
def host(tmp_path, accounts):
    made = ProbedHost(tmp_path)
    yield made
    made.stop()


def results(told):
    return [(row["host"], row["user"], row["result"]) for row in told["rows"]]


@pytest.mark.release
def test_all_hosts_of_the_play_and_files_for_ci(host):
    keys = {"key_file": str(host.key)}
    probes = [
        {"user": "alice", "expect": "asked", **keys},
        {"user": "bob", "expect": "not_asked", **keys},
        {"user": "carol", "expect": "denied", "hosts": ["127.0.0.1"], "port": host.port, **keys},
    ]
    junit = host.folder / "junit.xml"
    told, output = host.play(probes, "--check", hosts=("web1", "web2"), junit=str(junit))
    assert told["msg"] == "5 probes as expected: 2 asked, 2 not_asked, 1 denied" and not told["changed"], output
    assert results(told) == [
        ("web1", "alice", "asked"),
        ("web2", "alice", "asked"),
        ("web1", "bob", "not_asked"),
        ("web2", "bob", "not_asked"),
        ("127.0.0.1", "carol", "denied"),
    ]
    row = told["rows"][2]
    assert set(row) == {"host", "user", "expected", "result", "ok", "steps", "reason", "seconds"}
    assert row["ok"] is True and row["steps"][1] == {
        "method": "publickey", "outcome": "accepted", "methods": [], "prompts": []
    }  # fmt: skip
    assert told["counts"] == {"asked": 2, "not_asked": 2, "denied": 1, "error": 0}
    suites = ElementTree.parse(junit).getroot()  # noqa: S314
    assert (suites.get("tests"), suites.get("failures"), suites.get("errors")) == ("5", "0", "0")


def test_what_differs_fails_and_is_named(host):
    keys = {"key_file": str(host.key)}
    dead = dead_port()
    host.known_hosts.write_text(
        host.known_hosts.read_text() + host.known_hosts.read_text().replace(str(host.port), str(dead))
    )
    probes = [
        {"user": "alice", "expect": "not_asked", **keys},
        {"user": "bob", "expect": "not_asked", **keys},
        {"user": "bob", "expect": "denied", "port": dead, **keys},
    ]
    told, output = host.play(probes, ok=False)
    assert told["failed"] and told["msg"] in output.replace("\n", " ")
    assert told["msg"].startswith(
        "2 of 3 probes not as expected (1 asked, 1 not_asked, 1 error): web1, alice: expected not_asked"
    )
    assert "web1, bob: expected denied, was error (no connection to port" in told["msg"]
    assert [row["ok"] for row in told["rows"]] == [False, False] and told["as_expected"] is False
    all_told, output = host.play(probes, fail=False)
    assert [row["ok"] for row in all_told["rows"]] == [False, True, False] and all_told["as_expected"] is False
    assert all_told["msg"] == told["msg"]


@pytest.mark.release
def test_a_thousand_that_differ_fit_a_screen(host_without_sshd):
    """All that Ansible prints; no host key is known, so nothing is connected to."""
    names = [f"web{number}" for number in range(1000)]
    junit = host_without_sshd.folder / "junit.xml"
    probes = [{"user": "alice", "expect": "denied", "hosts": names}]
    told, output = host_without_sshd.play(probes, ok=False, junit=str(junit))
    assert told["counts"]["error"] == 1000 and len(told["rows"]) == 5
    assert len(ElementTree.parse(junit).findall(".//testcase")) == 1000  # noqa: S314
    _before, _task, printed = output.partition("TASK [fleetmfa.ssh.ssh_login_probe]")
    assert "web19, alice" in printed and len(printed) < 120 * 80, printed


@pytest.mark.parametrize("right", [True, False])
def test_no_secret_is_shown(host, right):
    """Neither secret nor token nor password, at any verbosity, in a log, a file or a result; encrypted in the inventory, too."""
    subprocess.run(["chpasswd", "-c", "SHA512"], input=f"alice:{USER_PASSWORD}", text=True, check=True)
    host.ask_password_and_token()
    secret = host.secret if right else OTHER_SECRET
    vault = VaultLib([("default", VaultSecret(VAULT_PASSWORD.encode()))])
    (host.folder / "password").write_text(VAULT_PASSWORD)
    encrypted = "".join(f"  {line}\n" for line in vault.encrypt(secret, vault.secrets[0][1]).decode().splitlines())
    (host.folder / "vars.yml").write_text(f"of_alice: !vault |\n{encrypted}")
    given = {"secret": "{{ of_alice }}", "password": "{{ word }}", "key_file": str(host.key)}
    probes = [{"user": "alice", "expect": "asked", **given}]
    (host.folder / "word.yml").write_text(f"word: {USER_PASSWORD}\n")
    arguments = ["-vvvvv", "--diff", "--vault-password-file", str(host.folder / "password")]
    arguments += ["-e", f"@{host.folder}/vars.yml", "-e", f"@{host.folder}/word.yml"]
    first = int(time.time()) // PERIOD
    environment = {"ANSIBLE_LOG_PATH": str(host.folder / "ansible.log"), "ANSIBLE_DISPLAY_ARGS_TO_STDOUT": "0"}
    junit = host.folder / "junit.xml"
    told, output = host.play(probes, *arguments, ok=right, environment=environment, junit=str(junit))
    assert told["rows"][0]["result"] == ("asked" if right else "denied"), told
    assert told["rows"][0]["steps"][-1]["prompts"] == ["Password:", "Verification code:"]
    files = [junit, host.folder / "ansible.log", host.folder / "sshd.log", host.folder / "told.json"]
    files += list((host.folder / "steps").iterdir())
    texts = output + "".join(path.read_text(errors="replace") for path in files)
    tokens = [token_at(decode_secret(secret), step) for step in range(first, int(time.time()) // PERIOD + 1)]
    assert not [text for text in (secret, USER_PASSWORD, *tokens) if text in texts]


@pytest.mark.release
def test_keys_of_the_key_store(host):
    """By the variables of each host, and read once for all; a person without a key stops at the prompt."""
    path = host.folder / "store"
    store = VaultFile(str(path), VaultText([("default", VaultSecret(VAULT_PASSWORD.encode()))]))
    store.merge_in(
        {"alice": Person("alice").with_key(PersonKey(host.secret, PERIOD, created=1, validated=Proven(2, "web1")))}
    )
    (host.folder / "password").write_text(VAULT_PASSWORD)
    arguments = ["--vault-password-file", str(host.folder / "password")]
    variables = {"mfa_store": "vault_file", "mfa_store_path": str(path)}
    probes = [{"user": "alice", "expect": "asked", "key_file": str(host.key)}]
    told, output = host.play(probes, *arguments, variables=variables)
    assert told["rows"][0]["reason"] == "" and host.logged_in(1), told
    told, output = host.play(probes, *arguments, variables=variables, key_store=False)
    assert "stopped at the prompt" in told["rows"][0]["reason"] and host.logged_in(1), told
    host.write_key(user="dora")
    told, output = host.play([{**probes[0], "user": "bob"}], *arguments, variables=variables, ok=False)
    assert results(told) == [("web1", "bob", "not_asked")]


@pytest.mark.release
def test_variables_of_the_connection_count(host):
    host.ask_with("Favourite colour:")
    probes = [{"user": "alice", "expect": "asked", "key_file": str(host.key), "secret": host.secret}]
    told, output = host.play(probes, ok=False)
    assert "was not answered" in told["rows"][0]["reason"]
    told, output = host.play(probes, variables={"ansible_totp_prompt": "colour"})
    assert results(told) == [("web1", "alice", "asked")] and host.logged_in(1)


GOOD = {"user": "alice", "expect": "asked", "hosts": ["192.0.2.1"]}


@pytest.mark.release
@pytest.mark.parametrize(
    ("probes", "options", "told"),
    [
        ([], {}, "probes: is empty, so nothing was compared"),
        ([{**GOOD, "secret": OTHER_SECRET + "1"}], {}, "probes, entry 1 ('alice'): secret: the secret is not base32"),
        ([{**GOOD, "key_file": "/nowhere"}], {}, "probes, entry 1 ('alice'): key_file: /nowhere: No such file"),
        ([{**GOOD, "key_file": "/etc/passwd"}], {}, "key_file: /etc/passwd: it is no private key"),
        (
            [{**GOOD, "hosts": [OTHER_SECRET]}],
            {},
            "probes, entry 1: hosts, entry 1: what looks like a secret stands where none belongs",
        ),
        ([{**GOOD, "hosts": ["123456"]}], {}, "hosts: number 1 looks like a secret (not shown)"),
        ([GOOD], {"probe": 1}, "the options are probes, fail, key_store"),
        ([GOOD], {"parallel": 0}, "parallel: 0 is not in the range 1 to 200"),
        ([GOOD], {"login_timeout": 601}, "login_timeout: 601 is not in the range 1 to 600"),
        ([GOOD], {"known_hosts": ["/nowhere"]}, "known_hosts: /nowhere cannot be read"),
        ([GOOD], {"known_hosts": []}, "known_hosts: must be a list of files"),
        ([GOOD], {"key_store": "perhaps"}, "key_store: must be true or false"),
        ([GOOD], {"junit": "junit.xml"}, "junit: must be the absolute path"),
    ],
)
def test_wrong_options_are_named(host_without_sshd, probes, options, told):
    found, output = host_without_sshd.play(probes, ok=False, **options)
    assert told in found["msg"] and "rows" not in found
    assert OTHER_SECRET not in output and "123456" not in output


@pytest.mark.release
@pytest.mark.parametrize(("variables", "told"), [
    ({"ansible_totp_period": 61}, "ansible_totp_period (mfa_period): 61 is not in the range"),
    ({"mfa_claims": OTHER_SECRET}, "totp_claims of connection"),
    ({"mfa_store": OTHER_SECRET}, "mfa_store: must be one of"),
    ({"ansible_totp_prompt": "("}, "totp_prompt: is no regular expression"),
    ({"mfa_claims": f"{{{{ nowhere ~ '{OTHER_SECRET}' }}}}"}, "mfa_claims of host web1: cannot be computed"),
])  # fmt: skip
def test_wrong_variables_are_named(host_without_sshd, variables, told):
    found, output = host_without_sshd.play([{"user": "alice", "expect": "asked"}], ok=False, variables=variables)
    assert told in found["msg"], output
    assert OTHER_SECRET not in output


@pytest.mark.release
def test_without_paramiko(host_without_sshd):
    (host_without_sshd.folder / "paramiko.py").write_text("raise ImportError('not there')\n")
    path = os.pathsep.join([str(host_without_sshd.folder), os.environ["PYTHONPATH"]])
    found, output = host_without_sshd.play([GOOD], ok=False, environment={"PYTHONPATH": path})
    assert "the Python package paramiko, 3.4 or later, is missing on the controller" in found["msg"], output


@pytest.fixture
def host_without_sshd(tmp_path):
    class Nowhere(ProbedHost):
        def __init__(self):
            self.folder, self.port, self.known_hosts = tmp_path, dead_port(), tmp_path / "known_hosts"
            self.known_hosts.touch()

    return Nowhere()
