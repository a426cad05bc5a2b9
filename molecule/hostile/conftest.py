# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Which tests are for which hosts, how users get in, and runs of `site` on one host that may fail."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest
import yaml

from lab.logins import client_options, login, run_client, servers

SCENARIO = Path(os.environ["MOLECULE_SCENARIO_DIRECTORY"])
INVENTORY = Path(os.environ["MOLECULE_EPHEMERAL_DIRECTORY"]) / "inventory" / "lab.yml"
SERVERS = {server.name: server for server in servers(INVENTORY)}
HOSTILITIES = yaml.safe_load((SCENARIO / "hosts.yml").read_text())["hostilities"]


def pytest_configure(config):
    config.addinivalue_line("markers", "comes_with(*words): for hosts that come with one of these; none: with nothing")


def pytest_generate_tests(metafunc):
    if "server" not in metafunc.fixturenames:
        return
    wanted = metafunc.definition.get_closest_marker("comes_with").args
    chosen = [name for name, own in HOSTILITIES.items() if set(own) & set(wanted) or own == list(wanted)]
    assert chosen, f"no host comes with {wanted}"
    metafunc.parametrize("server", chosen, indirect=True, scope="session")


@pytest.fixture(scope="session")
def server(request):
    return SERVERS[request.param]


@pytest.fixture
def password(root):
    """The password that all users of this host have during the test; otherwise they have none."""
    users, value = os.environ["LAB_USERS"].split(), "of a test account"
    root.run_expect([0], "printf '%s\\n' " + " ".join(f"'{user}:{value}'" for user in users) + " | chpasswd")
    yield value
    root.run_expect([0], f"for user in {' '.join(users)}; do usermod -p '!' $user; done")


@pytest.fixture
def gets_in_by_key(server):
    """Whether a user gets in by key alone, as scripts do: gets_in_by_key("bob")."""

    def attempt(user, to=server):
        batch = ["ssh", *client_options(to), "-o", "BatchMode=yes", f"{user}@{to.address}", "id -un"]
        done = run_client(batch)
        assert done.allowed or "keyboard-interactive" in done.output or "Permission denied" in done.output, done.output
        return done.allowed and not done.asked and done.output.splitlines()[-1] == user

    return attempt


@pytest.fixture
def gets_in_with_a_token(server, keys):
    """Whether a user is asked for a token, and then gets in: gets_in_with_a_token("alice")."""

    def attempt(user, to=server):
        done = login(to, user, [keys[user].token()])
        return done.allowed and done.prompts == ["Verification code: "] and done.output == user

    return attempt


@pytest.fixture
def is_as_before(root, attributes):
    """Whether everything that decides who gets in is as on the original host, byte for byte and with all attributes."""

    def compare():
        done = root.run("diff -r /root/ssh /etc/ssh && diff -r --no-dereference /root/pam.d /etc/pam.d")
        print(done.stdout)
        assert len(root.file("/root/pam.d").listdir()) > 10 and root.file("/root/ssh/sshd_config").exists
        was, now = attributes("/root", "ssh", "pam.d"), attributes("/etc", "ssh", "pam.d")
        print(*sorted(set(was.splitlines()) ^ set(now.splitlines())), sep="\n")
        return done.rc == 0 and now == was

    return compare


@pytest.fixture
def site(server):
    """Runs `site` against this server. Returns whether it succeeded, and its output."""

    def run(*arguments):
        command = ["ansible-playbook", "-i", str(INVENTORY), "-e", f"target={server.name}", *arguments, "converge.yml"]
        done = subprocess.run(command, capture_output=True, text=True, cwd=SCENARIO, check=False)
        return done.returncode == 0, done.stdout + done.stderr

    return run


@pytest.fixture
def policy(server):
    """The result of sshd_policy_info for this server."""

    def ask():
        command = ["ansible", "-i", str(INVENTORY), server.name, "-m", "fleetmfa.ssh.sshd_policy_info", "--become"]
        environment = {**os.environ, "ANSIBLE_CALLBACK_RESULT_FORMAT": "json", "ANSIBLE_FORCE_COLOR": "0"}
        done = subprocess.run(command, capture_output=True, text=True, cwd=SCENARIO, check=True, env=environment)
        return json.loads(done.stdout.partition(" => ")[2])

    return ask


@pytest.fixture
def policy_findings(policy):
    """The ids of the findings for this server."""
    return lambda: {finding["id"] for finding in policy()["findings"]}


@pytest.fixture
def run_nameless(server, tmp_path):
    """Runs a playbook that must fail, with an inventory that names no user. Returns its output."""

    def run(playbook, ssh_arguments, environment, *arguments, **variables):
        values = yaml.safe_load(INVENTORY.read_text())
        del values["all"]["vars"]["ansible_user"]
        values["all"]["vars"]["ansible_ssh_extra_args"] = ssh_arguments
        inventory = tmp_path / "nameless.yml"
        inventory.write_text(yaml.safe_dump(values))
        mine = {
            "target": server.name,
            "mfa_users": ["alice"],
            "mfa_exempt_users": [],
            "mfa_enrollment": False,
            **variables,
        }
        command = ["ansible-playbook", "-i", str(inventory), "-e", json.dumps(mine), *arguments, playbook]
        kept = {**os.environ, **environment}
        kept = {name: value for name, value in kept.items() if value is not None}
        done = subprocess.run(command, capture_output=True, text=True, cwd=SCENARIO, env=kept, check=False)
        assert done.returncode != 0, done.stdout
        return " ".join((done.stdout + done.stderr).split())

    return run
