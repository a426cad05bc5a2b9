# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Validation by an operator: playbook fleetmfa.ssh.validate, with two tokens that the user reads out."""

from __future__ import annotations

import time

import pyotp
import pytest

from lab.logins import login


def test_validate(server, root, playbook, state_of):
    secret = root.run("head -1 /var/lib/fleetmfa/pending/killed").stdout.strip()
    totp = pyotp.TOTP(secret)
    options = ["--limit", server.name, "-vvv", "-e", "mfa_validate_user=killed"]

    with pytest.raises(AssertionError) as refusal:
        playbook("fleetmfa.ssh.validate", *options, "-e", "mfa_validate_first=000000 mfa_validate_second=000001")
    assert "a token is wrong" in str(refusal.value) and state_of("killed") == {"pending"}

    now = time.time()
    tokens = (totp.at(now - 30), totp.at(now))
    output = playbook(
        "fleetmfa.ssh.validate", *options, "-e", f"mfa_validate_first={tokens[0]} mfa_validate_second={tokens[1]}"
    )
    assert state_of("killed") == {"validated"} and "killed" in root.group("mfa-enforced").members
    module_output = output[output.index("TASK") :]
    assert not any(text in module_output for text in (secret, *tokens))
    assert login(server, "killed", [totp.at(time.time() + 30)]).allowed
