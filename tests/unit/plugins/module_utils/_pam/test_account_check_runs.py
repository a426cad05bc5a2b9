# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""The account check, run by the real libpam: who gets through, whatever is lost, and that a login that is let in leaves no error."""

from __future__ import annotations

import os
import re
import time

import pytest

from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.account_check import account_lines
from ansible_collections.fleetmfa.ssh.tests.support import libpam

HOSTS_OWN = "account required pam_permit.so\n"


class CheckedHost:
    """root's account; the guard and the log note their calls."""

    def __init__(self, folder):
        self.folder, self.programs, self.records = folder, folder / "programs", folder / "enforced"
        self.calls = folder / "calls"
        for path in (self.programs, self.records, folder / "pam.d"):
            path.mkdir(mode=0o700)
        self.write("totp-guard", 'echo "guard $*" >>{calls}; exit 0')
        self.write("log-decision", 'echo "log $*" >>{calls}')
        self.lines = account_lines(["sshd"], str(self.records), str(self.programs / "totp-guard"))

    def write(self, name, script):
        (self.programs / name).write_text(f"#!/bin/sh -p\n{script.format(calls=self.calls)}\n")
        (self.programs / name).chmod(0o755)

    def passes(self, user="root", service="sshd", lines=None):
        (self.folder / "pam.d" / service).write_text((lines or self.lines) + HOSTS_OWN)
        return libpam.call("pam_acct_mgmt", self.folder / "pam.d", service, user) == libpam.SUCCESS

    def enforce(self):
        (self.records / "0").write_text("root\n")

    def called(self, count):
        """This many calls, of which the log's may come later."""
        deadline = time.monotonic() + 120
        while not self.calls.exists() or len(self.calls.read_text().splitlines()) < count:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        return self.calls.read_text().splitlines()


@pytest.fixture
def host(tmp_path):
    if not libpam.is_usable() or os.geteuid() != 0:
        pytest.skip("needs root and a libpam with pam_start_confdir()")
    return CheckedHost(tmp_path)


def test_the_guard_decides_about_who_is_enforced(host):
    host.enforce()
    assert host.passes()
    assert host.called(1) == ["guard account"]
    host.write("totp-guard", "exit 1")
    assert not host.passes()


def test_who_is_not_enforced_passes_without_the_guard(host):
    host.write("totp-guard", "exit 1")
    assert host.passes()
    assert host.called(1) == [f"log not_asked {host.folder}"]


def test_an_unknown_account_is_for_the_guard_to_refuse(host):
    host.write("totp-guard", "exit 1")
    assert not host.passes(user="nobody-of-this-name")


@pytest.mark.parametrize("lost", ["totp-guard", "log-decision", "both"])
def test_lost_programs_keep_out_only_who_is_enforced(host, lost):
    for path in list(host.programs.iterdir()):
        if lost in (path.name, "both"):
            path.unlink()
    assert host.passes()
    host.enforce()
    assert host.passes() == (lost == "log-decision")


@pytest.mark.parametrize("script", ["exit 1", "kill -9 $$"])
def test_a_log_that_fails_keeps_nobody_out(host, script):
    host.write("log-decision", script)
    assert host.passes()


def test_nobody_waits_for_the_log(host):
    told, in_vain = host.folder / "told", host.folder / "in_vain"
    waits = f"for try in $(seq 600); do [ ! -e {told} ] || exit 0; sleep 0.1; done; touch {in_vain}"
    host.write("log-decision", waits)
    assert host.passes()
    told.touch()
    assert not in_vain.exists()


def test_other_services_skip_the_check(host):
    host.enforce()
    host.write("totp-guard", "exit 1")
    assert host.passes(service="cron")


def test_the_line_for_who_is_enforced_does_not_fail(host):
    """pam_exec logs each command that fails as an error: so whoever gets through has none that failed."""
    host.enforce()
    required = re.sub(r"\[[^\]]*\](?=  pam_exec)|requisite", "required", host.lines)
    assert required.count("required") == 1 and host.passes(lines=required)
    (host.records / "0").unlink()
    assert host.passes(lines=required)
