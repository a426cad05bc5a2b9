# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""An enforced user's key is lost on the host: no run of `site` lets the user, or a thief with the SSH key, in because
of that."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from lab.logins import login

INVENTORY = Path(os.environ["MOLECULE_EPHEMERAL_DIRECTORY"]) / "inventory" / "lab.yml"
KEYS = "/var/lib/fleetmfa/keys"
EXEMPT = {"mfa_exempt_users": ["ansible"], "mfa_enrollment": False, "mfa_rate_limit_attempts": 100}


@pytest.fixture
def site(server):
    """`site` with an inventory that does not name the user. Returns whether it succeeded, and its output."""

    def run(*arguments, **variables):
        given = json.dumps({**EXEMPT, "target": server.name, "mfa_keys": [], **variables})
        command = ["ansible-playbook", "-i", str(INVENTORY), "-e", given, *arguments, "fleetmfa.ssh.site"]
        environment = {**os.environ, "ANSIBLE_FORCE_COLOR": "0", "ANSIBLE_NOCOLOR": "1"}
        done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
        return done.returncode == 0, " ".join((done.stdout + done.stderr).split())

    return run


@pytest.fixture
def put(server):
    """Repairs one user as described in docs/lost_keys.md."""

    def run(**key):
        arguments = json.dumps({"keys": [key], "rate_limit_attempts": 100})
        command = ["ansible", server.name, "-b", "-i", str(INVENTORY), "-m", "fleetmfa.ssh.totp_key", "-a", arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0 and "CHANGED" in done.stdout, done.stdout + done.stderr

    return run


LOST = {
    "removed": "rm {file}",
    "empty": ": > {file}",
    "a link": "mv {file} /root/ && ln -s /root/{name} {file}",
    "not root's": "chown nobody {file}",
    "renamed": "pkill -KILL -u {name}; usermod -l {name}x {name}",
}


@pytest.fixture
def lost(server, root, keys):
    """One user for each way to lose a key; the host's data about them is restored afterwards."""
    users = dict(zip(LOST, ("racer1", "racer2", "racer3", "racer4", "racer5")))
    root.run_expect([0], f"cp -a {KEYS} /root/keys.kept")
    for way, user in users.items():
        root.run_expect([0], LOST[way].format(file=f"{KEYS}/{user}", name=user))
    yield [*list(users.values())[:-1], f"{users['renamed']}x"]
    root.run_expect([0], f"usermod -l {users['renamed']} {users['renamed']}x")
    root.run_expect([0], f"rm -rf {KEYS} && mv /root/keys.kept {KEYS}")


def test_site_lets_nobody_in_for_a_lost_key(server, root, lost, site):
    for arguments in (["--check"], []):
        went_well, printed = site(*arguments, mfa_users=[])
        assert not went_well and "changed=0" in printed
        assert [user for user in lost if f"user '{user}'" not in printed] == [], printed
    assert [user for user in lost if login(server, user).allowed] == []
    assert set(lost) <= set(root.group("mfa-enforced").members)


def test_the_way_out_is_one_command(mark, put):
    """A new key denies until it is validated; only an explicit release releases the user."""
    lose = f"rm {KEYS}/{mark.name}"
    secret = mark.key.totp.secret
    mark.root.run_expect([0], lose)
    for state, gets_in in (("rotated", False), ("validated", True)):
        put(user=mark.name, state=state, secret=secret)
        assert login(mark.server, mark.name, [mark.key.token()]).allowed == gets_in
        assert not mark.key_alone().allowed
    mark.root.run_expect([0], lose)
    put(user=mark.name, state="absent")
    try:
        assert mark.key_alone().allowed
    finally:
        put(user=mark.name, state="validated", secret=secret)
