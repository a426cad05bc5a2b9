# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Whatever goes wrong in a roll-out, and whatever is killed: the hosts return to their original state by themselves."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

LAST_LOG_LINE = "journalctl -t fleetmfa-rollout -n 1 --no-pager"
# Half of it is for the new connection, at whose start the controller is killed.
DYING = 60
SSHD_DROPIN = "/etc/systemd/system/ssh.service.d/test.conf"


def rolled_back_at_once(results):
    return all(one["failed"] and one["rolled_back"] and not one["changed"] for one in results)


def test_check_mode_shows_everything_and_changes_nothing(fleet, roll_out):
    for one in roll_out("--check", "--diff"):
        assert one["changed"] and not one["failed"]
        assert [part["after_header"] for part in one["diff"]] == one["files"] and len(one["files"]) == 2
    fleet.assert_as_before()


def test_a_good_one_is_confirmed_by_a_new_login_and_stays(fleet, roll_out):
    roll_out("--check")  # from now on there is a multiplexed connection, which must not be what confirms
    fleet.run("sleep 1; date +'%Y-%m-%d %H:%M:%S' > /root/since")
    results = roll_out(window=90)
    assert all(one["confirmed"] and one["rollback_by"] == "systemd" for one in results)
    new_logins = "journalctl -u ssh --since \"$(cat /root/since)\" --grep 'Accepted publickey for ansible' -o cat"
    assert all(fleet.run(new_logins))
    assert not any(fleet.run("systemctl list-timers --all --no-legend 'fleetmfa-*'"))
    assert not any(fleet.run("find /var/lib/fleetmfa/rollout -name 'file-*'"))
    time.sleep(91)  # longer than the window
    assert all(fleet.each(lambda host: host.lets_in and "00-fleetmfa.conf" in host.differences))
    # Files in /etc/pam.d have other contents now, and differ in nothing else: pam.d/sshd has an ACL.
    assert not any("user.origin" in host.differences for host in fleet.hosts)
    assert not any(one["changed"] for one in roll_out())
    assert all(one["confirmed"] for one in roll_out(state="absent"))
    fleet.assert_as_before()


def test_account_phase_that_denies_everybody_is_refused_before_anything_is_changed(fleet, roll_out):
    results = roll_out(further_pam="account requisite pam_deny.so")
    assert all(one["failed"] and not one["changed"] and "rolled_back" not in one for one in results)
    fleet.assert_as_before()


def test_account_phase_denies(fleet, roll_out):
    """By a program, of which nobody can tell before what it will do."""
    results = roll_out(further_pam="account requisite pam_exec.so quiet /bin/false")
    assert rolled_back_at_once(results)
    assert all("could not be confirmed through a new login" in one["msg"] for one in results)
    fleet.assert_as_before()


def test_login_hangs(fleet, roll_out):
    results = roll_out(window=40, further_pam="session required pam_exec.so /bin/sleep 120")
    assert rolled_back_at_once(results)
    assert all("no answer within 20 seconds" in one["msg"] for one in results)
    fleet.assert_as_before()


def test_login_works_but_become_does_not(fleet, roll_out):
    """It does not work on the old connection either, so only the host itself can help."""
    results = roll_out(window=20, become_pam="account requisite pam_deny.so")
    assert all(one["failed"] and one["rolled_back"] is False for one in results)
    assert all(f"by itself at {one['rollback_at']}" in one["msg"] for one in results)
    fleet.wait_until_as_before(300)


def test_managing_account_is_not_enforced(fleet, roll_out):
    fleet.run("gpasswd --add ansible mfa-enforced")
    try:
        results = roll_out()
    finally:
        fleet.run("gpasswd --delete ansible mfa-enforced")
    assert all("ansible, which this run connects with, is a member of mfa-enforced" in one["msg"] for one in results)
    fleet.assert_as_before()


ALICE_JOINS = {"playbook": "joining.yml"}
MEMBERS = "getent group mfa-enforced | cut -d: -f4"


@pytest.fixture
def alice_leaves(fleet, tmp_path):
    yield
    assert not any(one.get("failed") for one in fleet.roll_out(tmp_path, state="absent", **ALICE_JOINS))


def test_a_new_member_is_confirmed_by_a_new_login(fleet, roll_out, alice_leaves):
    results = roll_out(**ALICE_JOINS)
    assert all(one["confirmed"] and one["joining"] == ["alice"] for one in results)
    assert set(fleet.run(MEMBERS)) == {"alice\n"}
    assert not any(fleet.run("systemctl list-timers --all --no-legend 'fleetmfa-*'"))
    assert not any(one["changed"] for one in roll_out(**ALICE_JOINS))


def test_a_new_member_whom_no_login_confirms_is_taken_out_at_once(fleet, roll_out, alice_leaves):
    roll_out("--check")  # the connection that still stands when no new one is let in
    fleet.run("touch /etc/nologin")
    try:
        results = roll_out(**ALICE_JOINS)
    finally:
        fleet.run("rm /etc/nologin")
    assert all(one["failed"] and one["rolled_back"] and one["changed"] for one in results)
    assert all("could not be confirmed through a new login" in one["msg"] for one in results)
    assert not any(user["enforced"] for one in results for user in one["users"])
    assert set(fleet.run(MEMBERS)) == {"\n"}
    assert all(one["confirmed"] for one in roll_out(**ALICE_JOINS))


def test_controller_is_killed_between_the_new_member_and_its_confirmation(
    fleet, roll_out, roll_out_and_die, alice_leaves
):
    roll_out_and_die(window=DYING, **ALICE_JOINS)
    fleet.run("for i in $(seq 300); do getent group mfa-enforced | grep -q alice || exit 0; sleep 1; done; exit 1")
    assert all("(timer)" in line for line in fleet.run(LAST_LOG_LINE))
    assert all(one["confirmed"] for one in roll_out(**ALICE_JOINS))


@pytest.fixture
def sshd_unit(fleet):
    """sshd_unit("ExecReload=/bin/false") changes how sshd is reloaded, until the test ends."""

    def set_to(line):
        fleet.run(
            f"mkdir -p {SSHD_DROPIN.rpartition('/')[0]}; printf '[Service]\\nExecReload=\\n{line}\\n' > {SSHD_DROPIN}"
        )
        fleet.run("systemctl daemon-reload")

    yield set_to
    fleet.run(f"rm -rf {SSHD_DROPIN.rpartition('/')[0]}; systemctl daemon-reload")


def test_sshd_does_not_reload(fleet, roll_out, sshd_unit):
    sshd_unit("ExecReload=/bin/false")
    results = roll_out(window=20)
    assert all("systemctl reload ssh.service failed" in one["msg"] for one in results)
    assert all("the old files are restored" in one["msg"] for one in results)
    assert all(fleet.each(lambda host: host.lets_in))
    sshd_unit("ExecReload=/bin/kill -HUP $MAINPID")
    fleet.run("for i in $(seq 300); do test -e /var/lib/fleetmfa/rollout/armed || exit 0; sleep 1; done; exit 1")


def test_reload_ends_sshd(fleet, roll_out, sshd_unit):
    sshd_unit("ExecReload=/bin/kill -TERM $MAINPID")
    assert rolled_back_at_once(roll_out())
    assert all(fleet.each(lambda host: host.lets_in))


def test_disk_full_while_writing(fleet, roll_out):
    """PAM is already written when there is no space for sshd's drop-in."""
    fleet.run("mount -t tmpfs -o size=16k,mode=755 tmpfs /etc/ssh/sshd_config.d")
    fleet.run(
        "cp -a /root/ssh/sshd_config.d/. /etc/ssh/sshd_config.d; cat /dev/zero > /etc/ssh/sshd_config.d/filler || true"
    )
    try:
        results = roll_out()
        fleet.run("rm /etc/ssh/sshd_config.d/filler")
        left = fleet.each(lambda host: host.differences)
    finally:
        fleet.run("umount /etc/ssh/sshd_config.d")
    assert all(
        "No space left on device" in one["msg"] and "the old configuration is restored" in one["msg"] for one in results
    )
    assert left == [""] * len(fleet.hosts)


def test_controller_is_killed_between_apply_and_confirm(fleet, roll_out, roll_out_and_die):
    roll_out_and_die(window=DYING)
    fleet.wait_until_as_before(300)
    assert all("(timer)" in line for line in fleet.run(LAST_LOG_LINE))
    for one in roll_out("--check"):
        assert (one["earlier_rollout"]["outcome"], one["earlier_rollout"]["reason"]) == ("rolled_back", "timer")
        assert "was not confirmed, and was rolled back at" in str(one["warnings"])


def test_controller_is_killed_and_another_runs_before_the_time_is_up(fleet, roll_out, roll_out_and_die):
    """The killed one gets the time that a new login may take, 15 seconds and half of its window, and is then rolled
    back."""
    roll_out_and_die(window=120)
    for one in roll_out():
        assert one["changed"] and one["confirmed"]
        assert one["earlier_rollout"]["outcome"] == "waiting" and "@" in one["earlier_rollout"]["controller"]
    assert all(one["confirmed"] for one in roll_out(state="absent"))
    fleet.assert_as_before()


def test_two_controllers_at_once(fleet, roll_out):
    """The second one waits for the first one's login, which may take long on a busy machine, and then finds everything in
    place."""
    for _round in range(2):
        with ThreadPoolExecutor(2) as controllers:
            told = list(controllers.map(lambda _number: roll_out(window=1200), range(2)))
        assert not any(one.get("failed") for results in told for one in results), told
        assert all(sum(one["changed"] for one in of_host) == 1 for of_host in zip(*told))
        assert all(one["confirmed"] for one in roll_out(state="absent"))
        fleet.assert_as_before()


def test_host_is_reset_within_the_window(fleet, roll_out_and_die):
    roll_out_and_die(window=3600)
    assert all(fleet.each(lambda host: "00-fleetmfa.conf" in host.differences))
    fleet.each(lambda host: host.restart())
    fleet.run("systemctl is-system-running --wait > /dev/null || true")
    fleet.wait_until_as_before(300)
    assert all("(boot)" in line for line in fleet.run(LAST_LOG_LINE))
    assert set(fleet.run("systemctl is-active ssh")) == {"active\n"}
