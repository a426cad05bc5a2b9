# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""What the role writes on a host for claims in the fleet, and takes away again; with its own task, files and variables."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from ansible_collections.fleetmfa.ssh.plugins.module_utils._claims.settings import read_claim_settings

ROLE = Path(__file__).parents[4] / "roles/mfa"
INSTALL = {"name": "Install", "fleetmfa.ssh.totp_host": {"programs": "{{ mfa__part_programs }}"}}
REMOVE = "Delete the programs that PAM runs, and the folders made for them"
SETTINGS = Path("/etc/fleetmfa/claims.conf")  # in an /etc of the test's own
DEFAULTS = {
    name[4:]: value
    for name, value in yaml.safe_load((ROLE / "defaults/main.yml").read_text()).items()
    if name != "mfa_keys"
}
IN_ETCD = {"claims": "etcd", "claims_endpoints": ["https://a:2379", "https://b:2379"], "claims_unreachable": "deny"}


@pytest.fixture
def install(accounts, tmp_path):
    """install(claims="etcd") runs the task as on a host, or the one that removes; returns whether it changed something."""
    role = tmp_path / "roles/part"
    (role / "tasks").mkdir(parents=True)
    for folder in ("files", "templates", "vars"):
        (role / folder).symlink_to(ROLE / folder)
    result = tmp_path / "result"
    report = {"ansible.builtin.copy": {"content": "{{ done.changed | to_json }}", "dest": str(result), "mode": "0600"}}
    play = {
        "hosts": "localhost",
        "connection": "local",
        "gather_facts": False,
        "roles": ["part"],
        "post_tasks": [report],
    }
    (tmp_path / "play.yml").write_text(yaml.safe_dump([play]))

    def run(entry_point="enforce", **settings):
        tasks = yaml.safe_load((ROLE / "tasks/remove.yml").read_text())
        (task,) = [INSTALL] if entry_point == "enforce" else [task for task in tasks if task["name"] == REMOVE]
        (role / "tasks/main.yml").write_text(yaml.safe_dump([{**task, "register": "done"}]))
        variables = {
            "mfa__read": {"settings": {**DEFAULTS, **settings}},
            "mfa__program_dir": str(tmp_path / "programs"),
            "ansible_python_interpreter": sys.executable,
        }
        (tmp_path / "variables.json").write_text(json.dumps(variables))
        environment = {**os.environ, "ANSIBLE_ROLES_PATH": str(tmp_path / "roles")}
        command = ["ansible-playbook", "-i", "localhost,", "-e", f"@{tmp_path}/variables.json", "play.yml"]
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return json.loads(result.read_text())

    run.programs = tmp_path / "programs"
    return run


def programs(install):
    return sorted(path.name for path in install.programs.iterdir())


@pytest.mark.release
def test_local_installs_nothing_of_it(install):
    assert install()
    assert programs(install) == ["key-used", "log-decision", "totp-guard"]
    assert not SETTINGS.exists() and not SETTINGS.parent.exists()
    assert not install()


@pytest.mark.release
def test_etcd_and_back(install):
    install()
    guard = (install.programs / "totp-guard").read_bytes()
    assert install(**IN_ETCD)
    assert programs(install) == ["key-used", "log-decision", "totp-claim", "totp-guard"]
    assert stat.S_IMODE(SETTINGS.stat().st_mode) == 0o600 and SETTINGS.stat().st_uid == 0
    settings = read_claim_settings(str(SETTINGS))
    assert settings.endpoints == IN_ETCD["claims_endpoints"]
    assert settings.ca == DEFAULTS["claims_ca"] and settings.timeout == DEFAULTS["claims_timeout"]
    assert "\nunreachable = deny\n" in SETTINGS.read_text()
    assert (install.programs / "totp-guard").read_bytes() == guard, "the guard is the same with and without"
    assert not install(**IN_ETCD)
    assert install()
    assert programs(install) == ["key-used", "log-decision", "totp-guard"] and not SETTINGS.exists()


@pytest.mark.release
@pytest.mark.parametrize("settings", [IN_ETCD, {}], ids=["etcd", "local"])
def test_everything_is_removed(install, settings):
    """Whatever the variables say at that time."""
    install(**IN_ETCD)
    assert install("remove", **settings)
    assert not install.programs.exists() and not SETTINGS.parent.exists()
    assert not install("remove", **settings)


@pytest.mark.release
def test_files_of_the_operator_stay(install):
    install(**IN_ETCD)
    own = SETTINGS.parent / "claims"
    own.mkdir()
    (own / "ca.pem").write_text("x")
    install()
    assert (own / "ca.pem").exists() and not SETTINGS.exists()


@pytest.mark.release
def test_the_program_runs(install, tmp_path):
    install(**IN_ETCD)
    done = subprocess.run(
        [install.programs / "totp-claim", "/nonexistent", "/nonexistent", "1"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (
        done.returncode == 11 and done.stdout == "/nonexistent cannot be read (FileNotFoundError); run the role again\n"
    )
