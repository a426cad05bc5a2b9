# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""publickey+totp: who is asked, who is not, who gets in. Only the login counts."""

from __future__ import annotations

import pytest

from lab.logins import client_options, login, run_client

PROMPT = "Verification code: "


def test_validated_gets_in_with_key_and_token(server, keys):
    attempt = login(server, "alice", [keys["alice"].token()])
    assert attempt.allowed and attempt.output == "alice"
    assert attempt.prompts == [PROMPT]


def test_validated_gets_in_with_the_openssh_client(server, keys):
    attempt = run_client(["ssh", *client_options(server), f"alice@{server.address}", "id -un"], [keys["alice"].token()])
    assert attempt.allowed and "alice" in attempt.output
    assert len(attempt.prompts) == 1 and PROMPT.strip() in attempt.prompts[0]


def test_wrong_token_is_refused(server, keys):
    attempt = login(server, "wrong", [keys["wrong"].wrong_token()])
    assert attempt.asked and not attempt.allowed


def test_same_token_again_is_refused(server, keys):
    token = keys["replay"].token()
    assert login(server, "replay", [token]).allowed
    again = login(server, "replay", [token])
    assert again.asked and not again.allowed


def test_recovery_code_works_once(server, keys):
    code = keys["recovery"].recovery_codes[0]
    assert login(server, "recovery", [code]).allowed
    again = login(server, "recovery", [code])
    assert again.asked and not again.allowed


def test_token_without_key_is_refused(server, keys):
    attempt = login(server, "keyless", [keys["keyless"].token()], key=False)
    assert not attempt.allowed


def test_batch_mode_is_refused_for_validated(server):
    attempt = run_client(["ssh", *client_options(server), "-o", "BatchMode=yes", f"batch@{server.address}", "true"])
    assert not attempt.allowed
    assert "keyboard-interactive" in attempt.output


def test_sftp_and_scp_with_a_token(server, keys, tmp_path):
    options = client_options(server)
    sftp = run_client(
        ["sftp", *options, f"files@{server.address}:/etc/hostname", str(tmp_path / "by_sftp")], [keys["files"].token()]
    )
    scp = run_client(
        ["scp", *options, f"files@{server.address}:/etc/hostname", str(tmp_path / "by_scp")], [keys["files"].token()]
    )
    assert sftp.allowed and sftp.asked, sftp.output
    assert scp.allowed and scp.asked, scp.output
    assert (tmp_path / "by_sftp").read_text() == (tmp_path / "by_scp").read_text() != ""


def test_one_token_serves_a_control_master(server, keys, tmp_path):
    options = [*client_options(server), "-o", f"ControlPath={tmp_path}/s"]
    target = f"mux@{server.address}"
    master = run_client(["ssh", *options, "-M", "-o", "ControlPersist=20", target, "true"], [keys["mux"].token()])
    assert master.allowed and master.asked, master.output
    over_socket = run_client(["ssh", *options, "-o", "BatchMode=yes", target, "id -un"])
    assert over_socket.allowed and not over_socket.asked and "mux" in over_socket.output
    run_client(["ssh", *options, "-O", "exit", target])


@pytest.mark.parametrize("user", ["bob", "carol", "ops"], ids=["pending", "no key", "exempt"])
class TestNotAsked:
    """Pending, without any key, or exempt although validated: nothing has changed for them."""

    def test_key_alone(self, server, user):
        attempt = login(server, user)
        assert attempt.allowed and not attempt.asked and attempt.output == user

    def test_batch_mode(self, server, user):
        batch = [*client_options(server), "-o", "BatchMode=yes"]
        attempt = run_client(["ssh", *batch, f"{user}@{server.address}", "true"])
        assert attempt.allowed and attempt.output == ""

    def test_sftp_batch(self, server, user, tmp_path):
        commands = tmp_path / "commands"
        commands.write_text(f"get /etc/hostname {tmp_path}/fetched\n")
        attempt = run_client(["sftp", *client_options(server), "-b", str(commands), f"{user}@{server.address}"])
        assert attempt.allowed and not attempt.asked, attempt.output
        assert (tmp_path / "fetched").read_text()

    def test_rsync(self, server, user, tmp_path):
        shell = " ".join(["ssh", *client_options(server), "-o", "BatchMode=yes"])
        attempt = run_client(
            ["rsync", "-e", shell, f"{user}@{server.address}:/etc/hostname", str(tmp_path / "fetched")]
        )
        assert attempt.allowed, attempt.output
        assert (tmp_path / "fetched").read_text()

    def test_ansible_options(self, server, user):
        # What Ansible's ssh connection passes when it has no password.
        options = [
            *("-o", "KbdInteractiveAuthentication=no", "-o", "PasswordAuthentication=no"),
            *("-o", "PreferredAuthentications=gssapi-with-mic,gssapi-keyex,hostbased,publickey"),
        ]
        attempt = run_client(["ssh", *client_options(server), *options, f"{user}@{server.address}", "true"])
        assert attempt.allowed and not attempt.asked, attempt.output


def test_methods_offered_to_others_are_the_distributions(server):
    # Before MFA: publickey and password, and no keyboard-interactive (Debian's KbdInteractiveAuthentication no).
    attempt = run_client(
        [
            "ssh",
            *client_options(server, key=False),
            "-o",
            "PreferredAuthentications=none",
            f"bob@{server.address}",
            "true",
        ]
    )
    assert "Permission denied (publickey,password)" in attempt.output


def test_each_decision_is_a_line_of_the_journal_with_fields(server, root, keys):
    assert login(server, "alice", [keys["alice"].token()]).allowed
    assert login(server, "bob").allowed
    for fields in (
        "FLEETMFA_USER=alice FLEETMFA_DECISION=asked FLEETMFA_REASON=one_device",
        "FLEETMFA_USER=alice FLEETMFA_DECISION=accepted FLEETMFA_REASON=token",
        "FLEETMFA_USER=bob FLEETMFA_DECISION=not_asked FLEETMFA_REASON=pending",
    ):
        # Written in the background: no login waits for it.
        found = f"journalctl -q _UID=0 -t totp-guard {fields} -o cat | grep -q ' from '"
        root.run_expect([0], f"for try in $(seq 300); do {found} && exit 0; sleep 1; done; exit 1")
