# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""The token lines without any one and any two of them: a wrong token lets nobody in (docs/fail_closed.md).

With the prover, which assumes every result of every line. What the guard does by itself is assumed where a lost line leaves nothing
else: that `failed` fails, and that `claim` fails without a token line. tests/unit/roles/test_guard_lost_lines.py tries both.
"""

from __future__ import annotations

import itertools

import pytest

from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.config import PamConfig
from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.prover import prove, runs_command, token_line
from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.subject import Subject
from ansible_collections.fleetmfa.ssh.tests.support.two_device_host import token_lines

PROGRAMS = "/usr/local/libexec/fleetmfa"
GUARD = f"{PROGRAMS}/totp-guard"
MEMBER = Subject(member_of=frozenset({"mfa-enforced"}), has_key=True)
COMMON_AUTH = (
    "auth [success=1 default=ignore] pam_unix.so nullok\nauth requisite pam_deny.so\nauth required pam_permit.so\n"
)
FORMS = [
    pytest.param({"factors": factors, "second_device": second, "own_service": own}, id=f"{factors}-{second}-{own}")
    for factors in ("publickey+totp", "password+totp", "either")
    for second in ((False, True) if factors == "publickey+totp" else (False,))
    for own in (False, True)
]


def has_token(line):
    return token_line()(line) or runs_command(GUARD, "claim")(line)


def ways_in_without_a_token(folder, lines):
    folder.joinpath("common-auth").write_text(COMMON_AUTH)
    folder.joinpath("sshd").write_text("".join(lines) + COMMON_AUTH)
    config = PamConfig(str(folder))
    fails = [line.place for line in config.auth_stack("sshd").lines if runs_command(GUARD, "failed")(line)]
    found = prove(config, "sshd", MEMBER, assume=dict.fromkeys(fails, ["system_err"]), required=[has_token])
    return found.can_succeed_without_token, found


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("count", [0, 1, 2])
def test_no_lost_line_lets_a_wrong_token_in(tmp_path, form, count):
    text = token_lines(PROGRAMS, "/var/lib/fleetmfa", **form)
    lines = [line for line in text.splitlines(keepends=True) if line.startswith("auth ") and " include " not in line]
    assert len(lines) >= 4
    for lost in itertools.combinations(range(len(lines)), count):
        left = [line for number, line in enumerate(lines) if number not in lost]
        bypassed, found = ways_in_without_a_token(tmp_path, left)
        gone = [lines[number] for number in lost]
        assert not bypassed, f"{gone}\n{found.explain()}"
