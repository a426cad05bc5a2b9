# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""CI runs without the rights of root, and without host keys that it may read."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from pathlib import Path

import pytest

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError
from ansible_collections.fleetmfa.ssh.tests.support.judged_folder import JudgedEtc
from ansible_collections.fleetmfa.ssh.tests.support.sshd_host import needs_sshd

pytestmark = [needs_sshd, pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to become somebody else")]
NOBODY = 65534


@pytest.fixture
def etc():
    """pytest's own folder is closed to everybody else."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    yield JudgedEtc(folder / "etc")
    shutil.rmtree(folder)


def verdicts(etc):
    return {one.users: one.verdict for one in etc.judged()}


def judged_by_nobody(etc):
    """In a process of its own. It imports nothing more, since the interpreter's own files may be closed to it."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        told = "ended otherwise"
        try:
            os.setgroups([])
            os.setgid(NOBODY)
            os.setuid(NOBODY)
            told = json.dumps(verdicts(etc))
        except FleetMfaError as error:
            told = str(error)
        finally:
            os.write(writing, told.encode())
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        told = pipe.read()
    os.waitpid(child, 0)
    return told


def test_the_same_verdicts(etc):
    found = json.loads(judged_by_nobody(etc))
    assert found["enforced users"] == "asked" and found["other users"] == "not_asked"
    assert found == verdicts(etc)


@pytest.mark.parametrize(
    "name", ["ssh/sshd_config", "ssh/sshd_config.d/00-mfa.conf", "pam.d/sshd", "pam.d/common-auth"]
)
def test_unreadable_files(etc, name):
    (etc.path / name).chmod(0o600)
    assert f"cannot read {etc.path}/{name}: Permission denied; the account that runs this" in judged_by_nobody(etc)


def test_an_unreadable_folder_of_drop_ins(etc):
    """A pattern finds nothing in it, which does not mean that nothing is there."""
    (etc.path / "ssh/sshd_config.d").chmod(0o600)
    told = judged_by_nobody(etc)
    assert "asked" not in told and f"cannot read {etc.path}/ssh/sshd_config.d" in told
