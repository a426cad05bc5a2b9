# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the fleetmfa.ssh authors
"""The programs as they land on a host, run by a Python that knows nothing of this collection."""

from __future__ import annotations

import subprocess
import zipfile

import pytest

from ansible_collections.fleetmfa.ssh.plugins.lookup.host_program import PROGRAMS
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._zip_program import zip_program

PYTHON = "/usr/bin/python3"


@pytest.fixture
def install(tmp_path):
    def install_(name):
        path = tmp_path / name
        path.write_bytes(zip_program(PROGRAMS[name], PYTHON))
        path.chmod(0o755)
        return path

    return install_


def modules(path):
    with zipfile.ZipFile(path) as archive:
        return {name.rsplit("/", 1)[-1] for name in archive.namelist()} - {"__init__.py", "__main__.py"}


def test_the_same_sources_give_the_same_bytes():
    for entry in PROGRAMS.values():
        assert zip_program(entry, PYTHON) == zip_program(entry, PYTHON)


def test_a_program_has_what_it_needs_and_no_more(install):
    user, service = modules(install("mfa-enroll")), modules(install("mfa-enroll-service"))
    assert {"_enroll_program.py", "_terminal.py", "_qr_code.py"} <= user
    assert not user & {"_state_dir.py", "_keyfile.py", "_accounts.py"}, "what runs as the user can do nothing with keys"
    assert {"_enroll_service.py", "_enroll_desk.py", "_two_tokens.py"} <= service
    assert not service & {"_terminal.py", "_qr_code.py", "_enroll_dialogue.py"}, "what runs as root has no terminal"


@pytest.mark.parametrize("name", sorted(PROGRAMS))
def test_it_starts_isolated(install, name, tmp_path):
    evil = tmp_path / "evil"
    evil.mkdir()
    for module in ("json", "argparse", "socket", "ansible_collections", "sitecustomize"):
        (evil / f"{module}.py").write_text("raise SystemExit('evil was here')")
    settings = {"PYTHONPATH": str(evil), "PYTHONSTARTUP": str(evil / "json.py"), "PATH": "/usr/bin:/bin"}
    done = subprocess.run(
        [install(name), "--help"], cwd=evil, env=settings, capture_output=True, text=True, check=False
    )
    assert "usage: mfa-enroll" in done.stdout + done.stderr
    assert "evil" not in done.stdout + done.stderr


def test_no_terminal_is_told(install):
    done = subprocess.run(
        [install("mfa-enroll"), "show"], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1 and "Traceback" not in done.stderr
