# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""The action group as Ansible resolves it: what is said once reaches every module of it, in a play and in the role."""

from __future__ import annotations

import grp
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[4]
GROUP = "group/fleetmfa.ssh.mfa"
SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
MODULES = yaml.safe_load((ROOT / "meta/runtime.yml").read_text())["action_groups"]["mfa"]


@pytest.fixture
def play(accounts, tmp_path):
    """play(tasks=[...]) runs a play on this machine, with accounts of the test's own; what it printed if it fails."""

    def run(*arguments, **words):
        book = tmp_path / "play.yml"
        play = {"hosts": "localhost", "connection": "local", "gather_facts": False, **words}
        play["vars"] = {"ansible_python_interpreter": sys.executable, **words.get("vars", {})}
        book.write_text(yaml.safe_dump([play]))
        command = ["ansible-playbook", "-i", "localhost,", *arguments, str(book)]
        ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
        assert ended.returncode == 0, ended.stdout + ended.stderr

    return run


@pytest.fixture(autouse=True)
def _sshd(accounts):
    Path("/etc/ssh").mkdir()
    # Some public key: nobody is enforced without one.
    Path("/etc/ssh/sshd_config").write_text("UsePAM yes\nAuthorizedKeysFile /etc/ssh/ssh_host_ed25519_key.pub\n")
    subprocess.run(["ssh-keygen", "-A"], check=True, capture_output=True)


def members(group):
    return set(grp.getgrnam(group).gr_mem)


@pytest.mark.release
def test_each_module_of_the_group_gets_the_default(play, tmp_path):
    """By what it says of a folder that nobody may use: others can write there."""
    folder = tmp_path / "open"
    folder.mkdir(mode=0o777)
    folder.chmod(0o777)
    needed = {
        "totp_host": {"provisioning": {"users": ["alice"]}},
        "totp_key": {"users": ["alice"]},
        "totp_key_distribute": {"handout": "{{ merged.handouts.localhost }}"},
        "totp_validate": {"validations": [{"user": "alice", "tokens": ["123456", "234567"]}]},
        "totp_rollout": {"confirm_without_login": True},
    }
    told = {"register": "result", "failed_when": f"'{folder}' not in result | string"}
    tasks = [  # a handout, from a folder that nobody has anything against
        {"fleetmfa.ssh.totp_key_collect": {"state_dir": str(tmp_path / "sound")}, "register": "collected"},
        {"fleetmfa.ssh.totp_key_merge": {"registered": "collected"}, "register": "merged"},
    ]
    tasks += [{f"fleetmfa.ssh.{name}": needed.get(name, {}), **told} for name in MODULES]
    defaults = {GROUP: {"state_dir": str(folder), "group": "mfa-team", "exempt_users": ["bob"], "exempt_groups": []}}
    (tmp_path / "password").write_text("a vault password")
    store = {"mfa_store": "vault_file", "mfa_store_path": str(tmp_path / "store.yml")}
    play("--vault-password-file", str(tmp_path / "password"), module_defaults=defaults, tasks=tasks, vars=store)


def test_the_role(play, tmp_path):
    """Entry point keys: both are validated, the exempt one is not enforced, and all of it is where it was told to be."""
    keys = [{"user": user, "secret": SECRET, "state": "validated"} for user in ("alice", "bob")]
    variables = {
        "mfa_keys": keys,
        "mfa_users": [],
        "mfa_group": "mfa-team",
        "mfa_exempt_users": ["bob"],
    }
    role = {"ansible.builtin.import_role": {"name": "fleetmfa.ssh.mfa", "tasks_from": "keys.yml"}}
    play("-e", f"mfa__state_dir={tmp_path}/state", vars=variables, tasks=[role])
    assert members("mfa-team") == {"alice"}
    assert sorted(path.name for path in (tmp_path / "state/keys").iterdir()) == ["alice", "bob"]
