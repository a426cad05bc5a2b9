# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""PAM services with lines of the role are found, those that sshd no longer uses too."""

from __future__ import annotations

from pathlib import Path

import yaml

from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.own_services import DOOR_MARK, MARK, own_services

ROLE = Path(__file__).parents[5] / "roles/mfa"


def test_services_with_the_mark(tmp_path):
    line = MARK.decode()
    (tmp_path / "sshd").write_text(f"# BEGIN\n{line}\nauth required pam_deny.so\n")
    (tmp_path / "old").write_bytes(b"\xff\n" + MARK)
    (tmp_path / "su").write_bytes(DOOR_MARK)
    (tmp_path / "longer").write_text(f"{line} And more.\n")
    (tmp_path / "other").write_text("auth required pam_deny.so\n")
    (tmp_path / "folder").mkdir()
    (tmp_path / "nowhere").symlink_to("/nonexistent")
    assert own_services(str(tmp_path)) == ["old", "sshd", "su"]
    assert own_services(str(tmp_path / "missing")) == []


def test_the_role_writes_those_marks():
    variables = yaml.safe_load((ROLE / "vars/main/main.yml").read_text())
    assert (variables["mfa__pam_mark"], variables["mfa__door_mark"]) == (MARK.decode(), DOOR_MARK.decode())
    assert "{{ mfa__pam_mark }}" in (ROLE / "templates/etc/pam.d/token.j2").read_text()
