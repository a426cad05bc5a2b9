# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""sshd_totp as Ansible calls it: check mode and diff tell the truth, a second run changes nothing, a refusal says why."""

from __future__ import annotations

import os

import pytest

from ansible_collections.fleetmfa.ssh.tests.support.sshd_host import (
    DEBIAN,
    POLICY,
    SshdHost,
    needs_sshd,
)

pytestmark = needs_sshd


@pytest.fixture
def host(tmp_path):
    return SshdHost(tmp_path)


@pytest.fixture
def run(run_module, host):
    def run(**options):
        wish = host.wish(**options)
        if wish["state"] == "absent":
            del wish["content"]
        wish.setdefault("reload", False)
        return run_module("sshd_totp", **wish)

    return run


def snapshot(host):
    return {path: path.read_bytes() for path in host.config.parent.rglob("*") if path.is_file()}


def test_check_run_check_again_run_again(host, run):
    host.write(DEBIAN, {"00-a.conf": "Match User alice\n AuthenticationMethods publickey\n"})
    before = snapshot(host)
    checked = run(check_mode=True, diff_mode=True)
    assert snapshot(host) == before
    done = run(diff_mode=True)
    assert (checked["changed"], done["changed"]) == (True, True)
    assert checked["diff"] == done["diff"]
    assert done["paths"] == [str(host.path), str(host.config)]
    assert done["diff"][0]["after"] == POLICY
    assert done["diff"][1]["after"].startswith(f"# BEGIN fleetmfa.ssh\nInclude {host.path}\n# END fleetmfa.ssh\n")
    assert done["reload_needed"] and not done["reloaded"]
    for again in (run(check_mode=True), run()):
        assert not again["changed"] and not again["reload_needed"] and again["diff"] == []
    assert run(state="absent")["changed"]
    assert snapshot(host) == before


def test_refusal_has_the_findings_and_changes_nothing(host, run):
    host.write(DEBIAN.replace("UsePAM yes", "UsePAM no"))
    before = snapshot(host)
    result = run()
    assert result["failed"]
    assert {one["id"] for one in result["findings"]} == {"sshd_pam_disabled"}
    assert "Set UsePAM yes" in result["msg"]
    assert snapshot(host) == before


def test_content_is_required(run_module, host):
    wish = host.wish()
    del wish["content"]
    assert "content" in run_module("sshd_totp", **wish)["msg"]


def test_missing_main_file_is_named(host, run):
    result = run()
    assert result["failed"] and f"config: {host.config} does not exist" in result["msg"]


def test_symlink_in_place_of_the_dropin(host, run):
    host.write()
    victim = host.config.parent / "victim"
    victim.write_text("do not touch")
    host.path.symlink_to(victim)
    result = run()
    assert result["failed"] and "is a symbolic link" in result["msg"]
    assert victim.read_text() == "do not touch"


def test_main_file_behind_a_symlink_is_read(host, run):
    host.write()
    real = host.config.rename(host.config.parent / "real_config")
    host.config.symlink_to(real)
    assert run()["changed"]
    assert host.config.is_symlink()


@pytest.mark.skipif(os.path.isdir("/run/systemd/system"), reason="systemd would reload the machine's own sshd")
def test_reload_that_fails_restores_the_old_files(host, run):
    """sshd takes the staged configuration but, asked once more before the reload, not the real one."""
    host.write()
    real = host.sshd.read_text().split("exec ", 1)[1]
    host.sshd.write_text(f'#!/bin/sh\n[ "$3" = {host.config} ] && {{ echo broken >&2; exit 1; }}\nexec {real}')
    before = snapshot(host)
    result = run(reload=True)
    assert result["failed"] and "rejects its configuration: broken" in result["msg"]
    assert snapshot(host) == before
