# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""pam_totp and the line that knows of an earlier token: accepted only as the role writes it, and only where the policy says so."""

from __future__ import annotations

import pytest

from ansible_collections.fleetmfa.ssh.tests.support.token_lines import token_lines

PROGRAMS = "/usr/local/libexec/fleetmfa"
GUARD = f"{PROGRAMS}/totp-guard"
COMMON_AUTH = (
    "auth [success=1 default=ignore] pam_unix.so nullok\nauth requisite pam_deny.so\nauth required pam_permit.so\n"
)
WAYS = [["remembered"], ["token"]]
SECONDS = 3600


def lines(own_service=False, **settings):
    wanted = {"second_device": False, "remember_seconds": SECONDS, **settings}
    return token_lines(PROGRAMS, "/var/lib/fleetmfa", own_service, **wanted)


LINES = lines()
REMEMBERS = next(line for line in LINES.splitlines(keepends=True) if " remembered " in line)
GATE = next(line for line in LINES.splitlines(keepends=True) if line.startswith("auth "))


@pytest.fixture
def confdir(tmp_path):
    (tmp_path / "sshd").write_text("@include common-auth\naccount required pam_nologin.so\n")
    (tmp_path / "su").write_text("@include common-auth\n")
    (tmp_path / "common-auth").write_text(COMMON_AUTH)
    return tmp_path


def add(run_module, confdir, content=LINES, **options):
    wanted = {"service": "sshd", "content": content, "guard": GUARD, "remember_seconds": SECONDS, **options}
    return run_module("pam_totp", confdir=str(confdir), require_installed=False, **wanted)


def refused(run_module, confdir, **options):
    before = (confdir / "sshd").read_text()
    result = add(run_module, confdir, **options)
    assert result["failed"] and (confdir / "sshd").read_text() == before
    return result["msg"]


@pytest.mark.parametrize("second_device", [False, True])
@pytest.mark.parametrize("groups", [[], ["ops", "web"]])
def test_the_roles_lines_are_proven(run_module, confdir, second_device, groups):
    content = lines(second_device=second_device, remember_groups=groups)
    assert add(run_module, confdir, content)["ways_in"] == WAYS
    own = lines(True, second_device=second_device, remember_groups=groups)
    options = {"service": "sshd-mfa", "own_service": True, "base_service": "sshd"}
    assert add(run_module, confdir, own, **options)["ways_in"] == WAYS


def test_without_the_setting_the_line_is_refused(run_module, confdir):
    assert "could get in without a token" in refused(run_module, confdir, remember_seconds=0)


@pytest.mark.parametrize(
    "options",
    [
        {"remember_seconds": 3599},
        {"remember_seconds": 43201},
        {"content": lines(remember_seconds=0)},
        {"content": LINES.replace(REMEMBERS, "")},
        {"content": LINES.replace(REMEMBERS, REMEMBERS.replace(GUARD, "/opt/totp-guard"))},
        {"content": LINES.replace(REMEMBERS, REMEMBERS + REMEMBERS.replace("3600", "43200"))},
        {"content": LINES.replace(REMEMBERS, REMEMBERS.replace("default=ignore", "default=6"))},
        {"guard": None},
        {"guard": "/opt/totp-guard"},
        {"token_alone": False},
    ],
)
def test_anything_else_is_refused(run_module, confdir, options):
    assert "remember_seconds" in refused(run_module, confdir, **options)


def test_a_second_line_that_may_let_in_is_refused(run_module, confdir):
    other = REMEMBERS.replace("quiet", "quiet seteuid")
    message = refused(run_module, confdir, content=LINES.replace(REMEMBERS, REMEMBERS + other))
    assert "could get in without a token" in message


def test_the_line_must_not_be_for_everybody(run_module, confdir):
    before_the_gate = REMEMBERS.replace("success=6", "success=7") + GATE.replace("auth_err=8", "auth_err=7")
    content = LINES.replace(GATE, "").replace(REMEMBERS, before_the_gate)
    assert "someone who is not a member" in refused(run_module, confdir, content=content)


def test_who_is_remembered_must_get_in(run_module, confdir):
    content = LINES.replace(REMEMBERS, REMEMBERS.replace("success=6", "success=4"))
    assert "would not get in" in refused(run_module, confdir, content=content)


def test_no_other_door_remembers(run_module, confdir):
    content = lines(factors="password+totp", remember_seconds=0)
    content = content.replace("auth  requisite  pam_exec.so", REMEMBERS + "auth  requisite  pam_exec.so", 1)
    assert "remembered" in content
    options = {"service": "su", "after_password": True, "token_alone": False, "content": content}
    assert add(run_module, confdir, **options)["failed"]
    assert add(run_module, confdir, **options, remember_seconds=0)["failed"]
    assert (confdir / "su").read_text() == "@include common-auth\n"
