# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""The programs as they land on a host, run by a Python that knows nothing of this collection."""

from __future__ import annotations

import subprocess
import zipfile

import pytest

from ansible_collections.fleetmfa.ssh.plugins.lookup.host_program import PROGRAMS
from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError
from ansible_collections.fleetmfa.ssh.plugins.module_utils._program import PACKAGE, build_program

PYTHON = "/usr/bin/python3"


@pytest.fixture
def install(tmp_path):
    def install_(name):
        path = tmp_path / name
        path.write_bytes(build_program(PROGRAMS[name], PYTHON))
        path.chmod(0o755)
        return path

    return install_


def modules(program):
    """The files of module_utils in it."""
    folder = PACKAGE.replace(".", "/") + "/"
    with zipfile.ZipFile(program) as archive:
        names = [name for name in archive.namelist() if name.startswith(folder) and not name.endswith("__init__.py")]
    return {name[len(folder) :] for name in names}


def test_the_same_sources_give_the_same_bytes():
    for entry in PROGRAMS.values():
        assert build_program(entry, PYTHON) == build_program(entry, PYTHON)


def test_a_program_has_what_it_needs_and_no_more(install):
    user, service = modules(install("mfa-enroll")), modules(install("mfa-enroll-service"))
    assert {"_enroll/user/program.py", "_enroll/user/terminal.py", "_enroll/user/qr_code.py"} <= user
    assert not user & {"_keys/state_dir.py", "_keys/key_file.py", "_system/accounts.py"}, (
        "what runs as the user can do nothing with keys"
    )
    assert {"_enroll/root/service.py", "_enroll/root/desk.py", "_keys/two_tokens.py"} <= service
    assert modules(install("totp-claim")) == {
        "_errors.py", *(f"_claims/{name}.py" for name in ("etcd", "https", "name", "program", "settings"))
    }, "whoever logs in waits for every file"  # fmt: skip
    assert not service & {"_enroll/user/terminal.py", "_enroll/user/qr_code.py", "_enroll/user/dialogue.py"}, (
        "what runs as root has no terminal"
    )


def test_a_program_can_be_built_from_inside_an_archive(tmp_path):
    """As the roll-back program is: by a module that runs from Ansible's archive, where no file of ours is on disk."""
    archive = tmp_path / "module.zip"
    archive.write_bytes(build_program("_rollback.rollout"))
    code = f"import sys; from {PACKAGE} import _program as program; sys.stdout.buffer.write(program.build_program('_rollback.program'))"
    done = subprocess.run(
        [PYTHON, "-IS", "-c", f"import sys; sys.path.insert(0, {str(archive)!r}); {code}"],
        cwd=tmp_path,
        capture_output=True,
        check=True,
    )
    assert done.stdout == build_program("_rollback.program")
    (tmp_path / "rollback.pyz").write_bytes(done.stdout)
    assert {"_rollback/snapshot.py", "_sshd/reload.py", "_errors.py"} <= modules(tmp_path / "rollback.pyz")
    assert not {"_rollback/rollout.py", "_program.py"} & modules(tmp_path / "rollback.pyz")


def test_a_program_of_nothing_is_refused():
    with pytest.raises(FleetMfaError, match="source of .*_no_such_file is missing"):
        build_program("_no_such_file")


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
    assert f"usage: {name}" in done.stdout + done.stderr
    assert "evil" not in done.stdout + done.stderr


def test_a_missing_terminal_is_reported(install):
    done = subprocess.run(
        [install("mfa-enroll"), "show"], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1 and "Traceback" not in done.stderr
