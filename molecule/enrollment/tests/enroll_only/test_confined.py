# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""boxed may only transfer files (ChrootDirectory, internal-sftp, PermitTTY no) and could not enroll after a deadline."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.logins import client_options, run_client

CONVERGE = Path(__file__).parents[2] / "converge.yml"
EVERYTHING = "find /etc/ssh /etc/pam.d /etc/fleetmfa /etc/group /var/lib/fleetmfa -type f -exec cksum {} +"


@pytest.fixture
def transfer(server, tmp_path):
    def transfer_():
        commands = tmp_path / "commands"
        commands.write_text(f"get outbox/version {tmp_path}/version\n")
        options = [*client_options(server), "-o", "BatchMode=yes"]
        return run_client(["sftp", *options, "-b", str(commands), f"boxed@{server.address}"]).allowed

    return transfer_


def test_an_exempt_user_goes_on_transferring_files(root, transfer):
    """Denied in the previous step, and let in again by the exemption."""
    assert "boxed" not in root.group("mfa-overdue").members
    assert transfer()


@pytest.mark.parametrize("variables", ['{"mfa_exempt_users": ["ansible"]}', '{"mfa_exempt_users": []}'])
def test_without_the_exemption_the_run_is_refused_before_it_changes_anything(
    server, root, playbook, transfer, variables
):
    if "OpenSSH_8.4" in root.run("ssh -V 2>&1").stdout:
        pytest.skip("this sshd cannot confine anybody; that the role refuses is a test of its own")
    before = root.run(EVERYTHING).stdout
    with pytest.raises(AssertionError) as refusal:
        playbook(CONVERGE, "--limit", server.name, "-e", "mfa_enrollment_overdue=enroll_only", "-e", variables)
    said = str(refusal.value)
    assert "sshd_overdue_cannot_enroll: boxed: /etc/ssh/sshd_config:" in said and "chrootdirectory /srv/boxed" in said
    assert ("sshd_overdue_needed: ansible would be locked out" in said) == ("ansible" not in variables)
    assert root.run(EVERYTHING).stdout == before
    assert transfer()


def test_what_it_is_refused_for_would_have_come(server, root, transfer):
    """An overdue user confined like this gets neither files nor a way to enroll."""
    if "OpenSSH_8.4" in root.run("ssh -V 2>&1").stdout:
        pytest.skip("denied here")
    root.run("gpasswd -a boxed mfa-overdue")
    try:
        assert not transfer()
        attempt = run_client(["ssh", *client_options(server), "-tt", f"boxed@{server.address}"])
        assert not attempt.allowed and "Press Enter to begin" not in attempt.output
    finally:
        root.run("gpasswd -d boxed mfa-overdue")
    assert transfer()
