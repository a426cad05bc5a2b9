# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Whatever is wrong with the state, the names or the environment: no login, and nothing outside the folder touched."""

from __future__ import annotations

import resource
import shutil
import stat
import subprocess

import pytest


def is_refused(host) -> bool:
    login = host.login()
    return not login.has_prompt() and not login.succeeds()


@pytest.mark.parametrize("folder", ["guard", "keys"])
def test_no_folder(host, folder):
    shutil.rmtree(host.folder / folder)
    assert is_refused(host)


def test_no_key_file(host):
    host.key_path.unlink()
    assert is_refused(host)


@pytest.mark.parametrize("limit", ["3", "x 30", "3 30s", "-1 30"])
def test_a_rate_limit_nobody_can_read(host, limit):
    host.write_key(rate_limit=limit)
    assert host.run("attempt").returncode != 0


@pytest.mark.parametrize("content", ["open\n", "over 1 x\n", "open 1 1+\n"])
def test_a_state_nobody_can_read(host, content):
    host.state.write_text(content)
    assert is_refused(host)


def test_a_folder_where_the_state_should_be(host):
    host.state.mkdir()
    assert is_refused(host)


@pytest.mark.parametrize("content", ["", "claimed", "claimed\n"])
def test_a_state_lost_in_a_crash_locks_nobody_out(host, content):
    host.state.write_text(content)
    assert host.answer(host.token())


@pytest.mark.parametrize("action", ["attempt", "claim"])
def test_nothing_can_be_written(host, action):
    host.run("attempt")
    host.write_key_without_forgetting(used=(host.step,))
    before = host.state.read_text()
    limits = (0, resource.RLIM_INFINITY)
    full = subprocess.run(
        [str(host.guard), action, str(host.folder)],
        env={"PAM_USER": host.user},
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, limits),
        restore_signals=False,  # keeps SIGXFSZ ignored: a write that fails, not a program that is killed
        capture_output=True,
        check=False,
    )
    assert full.returncode != 0
    assert host.state.read_text() == before
    assert host.run(action).returncode == 0


@pytest.mark.parametrize(
    "user", ["", ".", "..", "../alice", "keys/alice", "/etc/passwd", ".alice.lock", "x" * 300, "alice~123456", "a\nb"]
)
def test_a_name_that_is_no_file_of_the_folder(host, user):
    before = sorted(path for path in host.folder.rglob("*"))
    assert host.run("attempt", PAM_USER=user).returncode != 0
    assert sorted(path for path in host.folder.rglob("*")) == before


@pytest.mark.parametrize("user", ["$(touch marker)", "a b", "*", "a;b", "-n"])
def test_a_name_is_never_a_command(host, user):
    (host.folder / "keys" / user).write_text('SECRET\n" RATE_LIMIT 3 30\n')
    assert host.run("attempt", PAM_USER=user).returncode == 0
    assert sorted(path.name for path in (host.folder / "guard").iterdir()) == sorted([f".{user}.lock", user])


@pytest.mark.parametrize("action", ["", "take", "write_state", "attempt; exit 0"])
def test_an_unknown_action(host, action):
    assert host.run(action).returncode == 1


def test_the_environment_decides_nothing(host):
    """Which program is run, how words are split, who the user is: PAM modules may put anything into the environment."""
    trap = host.folder / "bin"
    trap.mkdir()
    for program in ("flock", "mv", "logger"):
        (trap / program).symlink_to("/bin/false")
    startup = trap / "startup"
    startup.write_text(f"touch {trap}/started; exit 0\n")
    login = host.login(
        environment=(
            f"PATH={trap}", "IFS=0123456789", "PAM_USER=root", f"ENV={startup}", f"BASH_ENV={startup}",
            "SHELLOPTS=noexec", f"BASH_FUNC_printf%%=() {{ touch {trap}/started; }}", "claimed=x", "limit=1000",
        )
    )  # fmt: skip
    assert login.has_prompt()
    login.answer(host.token())
    assert login.succeeds()
    assert f"claimed {host.step}" in host.state.read_text()
    assert not (trap / "started").exists()


def test_only_root_reads_what_is_kept_and_no_code_stands_in_it(host):
    codes = ["12345678", "23456789"]
    host.write_key(codes=codes)
    assert host.answer(codes[0])
    files = list((host.folder / "guard").iterdir())
    assert files
    for path in files:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert not any(code in path.read_text() for code in codes)
