# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Ansible on the host itself, connection local, as with ansible-pull: nothing logs in, but the tests check logins
anyway."""

from __future__ import annotations

import io
import json
import tarfile
from importlib.metadata import distribution
from pathlib import Path

import pytest

from lab.logins import login

PACKAGES = ["ansible-core", "jinja2", "markupsafe", "pyyaml", "packaging", "resolvelib"]
COLLECTION = Path(__file__).parents[3]
PARTS = ["plugins", "roles", "playbooks", "meta", "galaxy.yml"]
KEY = {"user": "alice", "secret": "V2CWBV6WRH7X3SVQGO5ZEHFGGJ7KXQ5T", "state": "validated"}
VARIABLES = {"mfa_keys": [KEY], "mfa_users": ["alice"], "mfa_exempt_users": ["ansible"], "mfa_enrollment": False}
PLAYBOOK = (
    "PYTHONPATH=/opt/site ANSIBLE_COLLECTIONS_PATH=/opt ANSIBLE_NOCOLOR=1 LC_ALL=C.UTF-8 "
    "python3 -m ansible playbook -i localhost, -c local -e @/tmp/variables.json fleetmfa.ssh."
)


def without_litter(member: tarfile.TarInfo) -> tarfile.TarInfo | None:
    return None if "__pycache__" in member.name else member


@pytest.fixture(scope="module")
def host(fleet):
    """debian12, whose Python can run the Ansible of this controller."""
    host = next(host for host in fleet.hosts if host.server.name == "debian12")
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        for file in [file for package in PACKAGES for file in distribution(package).files]:
            if ".." not in file.parts and Path(file.locate()).is_file():
                tar.add(file.locate(), f"site/{file}", filter=without_litter)
        for part in PARTS:
            tar.add(COLLECTION / part, f"ansible_collections/fleetmfa/ssh/{part}", filter=without_litter)
    host.root.run("tar", "-C", "/opt", "-x", stdin=archive.getvalue()).check_returncode()
    return host


@pytest.fixture
def run(host):
    """run("site", ...) -> whether it succeeded, and its output."""

    def run(playbook, **variables):
        host.run(f"cat > /tmp/variables.json <<'END'\n{json.dumps({**VARIABLES, **variables})}\nEND")
        done = host.root.run("sh", "-c", PLAYBOOK + playbook)
        return done.returncode == 0, (done.stdout + done.stderr).decode()

    return run


def alice_gets_in_by_key(host):
    return login(host.server, "alice").allowed


def test_it_is_refused_before_anything_is_changed_and_names_the_variable(host, run):
    went_well, printed = run("site")
    assert not went_well and "nothing was changed" in printed and "mfa_confirm_without_login: true" in printed
    assert alice_gets_in_by_key(host) and "alice" not in host.run("getent group mfa-enforced")


def test_with_the_variable_in_an_image_without_host_keys(host, run):
    """No sshd is running, and `sshd -t` itself refuses to answer."""
    host.run("mkdir /root/keys; mv /etc/ssh/ssh_host_* /root/keys; systemctl stop ssh")
    try:
        went_well, printed = run("site", mfa_confirm_without_login=True)
        assert went_well, printed
        assert "ssh_host_" not in host.run("ls /etc/ssh")
    finally:
        host.run("mv /root/keys/* /etc/ssh; rmdir /root/keys; systemctl start ssh")
    assert not alice_gets_in_by_key(host) and host.lets_in
    went_well, printed = run("remove", mfa_confirm_without_login=True)
    assert went_well, printed
    host.run("groupadd --force --system mfa-enforced")
    host.assert_as_before()
