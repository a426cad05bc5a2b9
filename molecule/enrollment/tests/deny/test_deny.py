# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""mfa_enrollment_overdue: deny."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from lab.logins import client_options, login, run_client

CONVERGE = Path(__file__).parents[2] / "converge.yml"
POLICY = "/etc/fleetmfa/policy.conf"


def overdue(root):
    return set(root.group("mfa-overdue").members)


def reloads(root):
    return root.run("systemctl show -p MainPID -p ExecReload ssh.service").stdout


def test_who_let_the_time_pass_is_denied(server, root):
    assert {"late", "again", "dodger"} <= overdue(root)
    attempt = login(server, "late")
    assert not attempt.allowed and not attempt.asked
    assert "Permission denied" in run_client(["ssh", *client_options(server), f"late@{server.address}"]).output


def test_who_could_not_even_see_the_offer_is_denied_and_was_told_of(server, root, playbook):
    """boxed may only transfer files: no session of this user offers enrollment, so the run says so."""
    assert "boxed" in overdue(root)
    assert not run_client(["sftp", *client_options(server), "-b", "/dev/null", f"boxed@{server.address}"]).allowed
    output = playbook(CONVERGE, "--check", "--limit", server.name, "-e", "mfa_enrollment_overdue=deny")
    said = " ".join(output.split())
    assert "sshd_overdue_not_offered: boxed: /etc/ssh/sshd_config:" in said and "forcecommand internal-sftp" in said


@pytest.mark.parametrize("user", ["later", "files"])
def test_who_has_time_left_is_not(server, user, root):
    assert user not in overdue(root)
    attempt = login(server, user)
    assert attempt.allowed and not attempt.asked


def test_who_is_validated_is_asked_as_before(server, root):
    assert "german" not in overdue(root)
    assert login(server, "german").asked


def test_an_extension_counts(server, root):
    assert "saved" not in overdue(root)
    assert login(server, "saved").allowed


def test_a_changed_policy_needs_no_reload(server, root):
    assert not login(server, "again").allowed
    before = reloads(root)
    root.run(f"sed -i '/extended users/a again = 60' {POLICY}")
    assert root.run("systemctl start fleetmfa-deadline.service").rc == 0
    assert login(server, "again").allowed
    root.run(f"sed -i '/^again = 60/d' {POLICY}")
    assert root.run("systemctl start fleetmfa-deadline.service").rc == 0
    assert not login(server, "again").allowed
    assert reloads(root) == before


def test_a_policy_that_cannot_be_read_changes_nobodys_state(server, root):
    before = overdue(root)
    root.run(f"cp -p {POLICY} /root/policy; sed -i 's/^days = .*/days = many/' {POLICY}")
    try:
        assert root.run("systemctl start fleetmfa-deadline.service").rc != 0
        assert "days is 'many'" in root.run("journalctl -b --no-pager -u fleetmfa-deadline.service").stdout
        assert overdue(root) == before
        assert login(server, "later").allowed
    finally:
        root.run(f"cp -p /root/policy {POLICY}; systemctl reset-failed fleetmfa-deadline.service")


def test_the_deadline_and_the_end_of_an_exemption_come_by_themselves(server, root):
    """The clock of a container cannot be set, its time zone can: one in which midnight is two minutes away."""
    wanted = 24 * 3600 - 120
    offset = (wanted - int(time.time())) % 86400
    west = offset > 12 * 3600
    seconds = 86400 - offset if west else offset
    spelled = f"{'-' if west else ''}{seconds // 3600}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"
    root.run("cp -P /etc/localtime /root/localtime")
    try:
        zone = root.run(
            f"echo 'Zone Soon {spelled} - SOON' > /root/zone; zic -d /usr/share/zoneinfo /root/zone; "
            "ln -sf /usr/share/zoneinfo/Soon /etc/localtime; date +%H:%M"
        )
        assert zone.stdout.strip() in ("23:57", "23:58", "23:59"), zone
        six_days_ago = int(time.time()) - 6 * 86400
        root.run(f'sed -i \'s/"since": [0-9]*/"since": {six_days_ago}/\' /var/lib/fleetmfa/pending/punctual')
        root.run('sed -i "s/2099-12-31/$(date +%F)/" /etc/fleetmfa/exemptions.json')
        assert root.run("systemctl start fleetmfa-deadline.service").rc == 0
        assert "punctual" not in overdue(root) and login(server, "punctual").allowed
        attempt = login(server, "ann")  # validated, and exempt through this day
        assert attempt.allowed and not attempt.asked
        deadline = time.time() + 600
        while "punctual" not in overdue(root) and time.time() < deadline:
            time.sleep(2)
        assert root.run("date +%H:%M").stdout.strip() < "00:30"
        assert not login(server, "punctual").allowed
        while "ann" not in root.group("mfa-enforced").members and time.time() < deadline:
            time.sleep(2)
        assert login(server, "ann").asked
    finally:
        root.run("cp -P /root/localtime /etc/localtime")


def test_the_reasons_of_exemptions_are_for_root_only(root):
    file = root.file("/etc/fleetmfa/exemptions.json")
    assert file.mode == 0o600 and "hand injury" in file.content_string
    assert "hand injury" not in root.file(POLICY).content_string
