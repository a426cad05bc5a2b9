# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Asks the modules installed on this machine."""

from __future__ import annotations

import os
import time

import pytest

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError
from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam import probe
from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.probe import check_module_line, find_module

GOOGLE = "pam_google_authenticator.so"
needs_module = pytest.mark.skipif(
    find_module(GOOGLE) is None or os.geteuid() != 0, reason=f"needs root and an installed {GOOGLE}"
)


def test_a_missing_module():
    with pytest.raises(FleetMfaError, match="pam_nonexistent.so is not installed on this host"):
        check_module_line("pam_nonexistent.so", [])


@pytest.mark.skipif(find_module("pam_permit.so") is None, reason="needs libpam's modules")
def test_names_are_taken_literally():
    path = find_module("pam_permit.so")
    assert find_module(path) == path
    assert find_module("pam_*.so") is None
    assert find_module("pam_permit") is None


@needs_module
@pytest.mark.parametrize(
    "options",
    [
        "secret=/var/lib/fleetmfa/keys/${USER} user=root noskewadj",
        "nullok",
        "use_first_pass",
        "forward_pass echo_verification_code grace_period=0",
    ],
)
def test_options_the_installed_module_takes(options):
    check_module_line(GOOGLE, options.split())


@needs_module
@pytest.mark.parametrize("option", ["no_skewadj", "user=no-such-user", "allowed_perm=rw", "grace_period=long"])
def test_options_it_does_not_take(option):
    with pytest.raises(FleetMfaError, match=f"does not accept the option {option}"):
        check_module_line(GOOGLE, ["noskewadj", option])


@needs_module
def test_no_key_file_is_opened(tmp_path):
    key = tmp_path / "fleetmfa-probe"
    key.write_text("not a key")
    os.utime(key, (0, 0))
    check_module_line(GOOGLE, [f"secret={tmp_path}/${{USER}}", "user=root"])
    assert key.stat().st_atime == 0


@needs_module
def test_a_module_that_does_not_answer_is_ended(monkeypatch):
    noted, noting = os.pipe()

    def wait(_path, _arguments):
        os.write(noting, f"{os.getpid()}\n".encode())
        time.sleep(3600)

    monkeypatch.setattr(probe, "_ask", wait)
    monkeypatch.setattr(probe, "_SECONDS", 1)
    with pytest.raises(FleetMfaError, match=f"{GOOGLE} did not say within 1 seconds"):
        check_module_line(GOOGLE, ["nullok"])
    os.close(noting)
    with os.fdopen(noted) as lines:  # to its end: nobody holds the other side any more
        assert not [pid for pid in lines.read().split() if os.path.exists(f"/proc/{pid}")]
