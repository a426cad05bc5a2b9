# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""What the role writes on a host to tell users, and takes away again; with its own tasks, files and variables. Units are not started."""

from __future__ import annotations

import json
import os
import re
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from ansible_collections.fleetmfa.ssh.plugins.module_utils._notices.settings import read_notice_settings

ROLE = Path(__file__).parents[4] / "roles/mfa"
SETTINGS = Path("/etc/fleetmfa/notices.conf")  # in an /etc of the test's own
UNITS = [Path("/etc/systemd/system", f"fleetmfa-notice.{kind}") for kind in ("path", "service")]
DEFAULTS = {
    name[4:]: value
    for name, value in yaml.safe_load((ROLE / "defaults/main.yml").read_text()).items()
    if name != "mfa_keys"
}
COMMAND = ["/usr/local/sbin/tell", "--from", 'a "b" \\ c = é # d']
ON = "Install what tells users about their keys, and start watching for it"
OFF = "Stop telling users about their keys, and remove what did"
# As totp_host does them, and what of its answer the role goes by.
PROGRAMS = {
    "name": "Install the programs that PAM runs",
    "fleetmfa.ssh.host_files": {"files": "{{ mfa__part_programs.files }}"},
    "register": "programs",
}
OF_TOTP_HOST = {"name": "The answer", "ansible.builtin.set_fact": {"mfa__host": {"programs": "{{ programs }}"}}}


@pytest.fixture
def play(accounts, tmp_path):
    """play(command, ("notices", NAME), ...) runs these tasks of the role; returns the names of those that changed something."""
    role = tmp_path / "roles/part"
    (role / "tasks").mkdir(parents=True)
    for folder in ("files", "templates", "vars"):
        (role / folder).symlink_to(ROLE / folder)
    (tmp_path / "play.yml").write_text(
        yaml.safe_dump([{"hosts": "localhost", "connection": "local", "gather_facts": False, "roles": ["part"]}])
    )

    def play_(command, *wanted):
        chosen = []
        for file, name, *when in wanted:
            (task,) = [one for one in yaml.safe_load((ROLE / f"tasks/{file}.yml").read_text()) if one["name"] == name]
            chosen += [PROGRAMS, OF_TOTP_HOST, {**task, "when": when[0]}] if when else [task]
        (role / "tasks/main.yml").write_text(yaml.safe_dump(chosen))
        variables = {
            "mfa__read": {"settings": {**DEFAULTS, "notify_command": command}},
            "mfa__program_dir": str(tmp_path / "programs"),
            "mfa__notice_units": [],
            "ansible_python_interpreter": sys.executable,
        }
        (tmp_path / "variables.json").write_text(json.dumps(variables))
        environment = {**os.environ, "ANSIBLE_ROLES_PATH": str(tmp_path / "roles"), "ANSIBLE_NOCOLOR": "1"}
        arguments = ["ansible-playbook", "-i", "localhost,", "-e", f"@{tmp_path}/variables.json", "play.yml"]
        done = subprocess.run(arguments, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return re.findall(r"TASK \[part : (.+?)\] \**\nchanged", done.stdout)

    play_.programs = tmp_path / "programs"
    return play_


@pytest.mark.release
def test_on_and_off(play):
    enforce = (("notices_remove", OFF, "mfa__stops_notices"),)
    assert play([], *enforce) == [PROGRAMS["name"]] and not SETTINGS.exists()
    assert play(COMMAND, ("notices", ON)) == [ON]
    assert read_notice_settings(str(SETTINGS)).command == COMMAND
    assert stat.S_IMODE(SETTINGS.stat().st_mode) == 0o600
    assert all(unit.exists() for unit in UNITS) and (play.programs / "mfa-notice").exists()
    assert play(COMMAND, ("notices", ON), *enforce) == []
    assert play([], *enforce) == [PROGRAMS["name"], OFF]
    assert not SETTINGS.parent.exists() and not any(unit.exists() for unit in UNITS)
    assert not (play.programs / "mfa-notice").exists() and (play.programs / "totp-guard").exists()
    assert play([], *enforce) == []


@pytest.mark.release
@pytest.mark.parametrize("command", [COMMAND, []])
def test_removed(play, command):
    play(COMMAND, ("notices", ON))
    play(command, ("notices_remove", OFF))
    assert not SETTINGS.exists() and not any(unit.exists() for unit in UNITS) and not play.programs.exists()


@pytest.mark.release
def test_the_program_and_its_units(play):
    play(COMMAND, ("notices", ON))
    program = play.programs / "mfa-notice"
    done = subprocess.run([program], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (2, "usage: mfa-notice send SETTINGS (run by systemd)\n")
    if shutil.which("systemd-analyze"):
        done = subprocess.run(
            ["systemd-analyze", "verify", *map(str, UNITS)], capture_output=True, text=True, check=False
        )
        assert "fleetmfa-notice" not in done.stderr
