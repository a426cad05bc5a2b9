# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""One key for all hosts, validated on one and pending on the others: what a thief with the SSH key alone learns on those
must be worth nothing on that one."""

from __future__ import annotations

import json
import os
import re
import time
from pathlib import Path
from shlex import quote

import pyotp
import pytest

from lab.logins import login, servers

USER = "traveller"
PENDING = f"/var/lib/fleetmfa/pending/{USER}"
SERVERS = servers(Path(os.environ["MOLECULE_EPHEMERAL_DIRECTORY"]) / "inventory" / "lab.yml")
HOME = next(server for server in SERVERS if server.name == "debian13")  # as in keys.yml
AWAY = [server for server in SERVERS if server != HOME]

GUESS = {"token": "000000"}
QUESTIONS = [
    {"request": "key"},
    {"request": "status"},
    {"request": "new_key", **GUESS},
    {"request": "first", **GUESS},
    {"request": "validate", "first": "000000", "second": "000001"},
    {"request": "recovery_codes", **GUESS},
]
ASK = f"""
import json, socket
for question in {QUESTIONS!r}:
    with socket.socket(socket.AF_UNIX) as door:
        door.connect("/run/fleetmfa/enroll.sock")
        door.sendall(json.dumps(question).encode() + b"\\n")
        print(door.makefile().read())
"""
# What the thief runs in a session that the SSH key alone has opened.
THIEF = f"""
python3 -c {quote(ASK)}
script -qec 'mfa-enroll --plain show' /dev/null < /dev/null
cat /var/lib/fleetmfa/*/{USER}
true
"""


def loot(server):
    """Everything that could be a secret in what the thief sees on a host, and the door's answers."""
    attempt = login(server, USER, command=THIEF)
    assert attempt.allowed and not attempt.asked
    answers = [json.loads(line) for line in attempt.output.splitlines()[: len(QUESTIONS)]]
    return set(re.findall(r"\b[A-Z2-7]{32}\b", attempt.output)), answers


def gets_home(secret):
    """Whether a token made from the secret lets in where the user is enforced; one of them may have been used."""
    now = time.time()
    return any(login(HOME, USER, [pyotp.TOTP(secret).at(now + away)]).allowed for away in (0, 30, -30))


@pytest.mark.parametrize("server", AWAY, ids=lambda server: server.name, indirect=True)
class TestAway:
    def test_the_thief_learns_nothing_that_counts_elsewhere(self, server, keys):
        secrets, answers = loot(server)
        assert [secret for secret in secrets if gets_home(secret)] == []
        assert keys[USER].totp.secret not in secrets
        assert answers[0] == {"refused": "key_given", "seconds": 0}

    def test_nor_where_0_1_0_has_provisioned_the_key(self, server, root, keys):
        """0.1.0 recorded no origin; the door replaces the key with one made by this host."""
        root.check_output(f"""cp -p {PENDING} /root/pending; sed -i -E 's/"origin": "[a-z]+", //' {PENDING}""")
        try:
            secrets, answers = loot(server)
            assert [secret for secret in secrets if gets_home(secret)] == []
            assert keys[USER].totp.secret not in secrets
            assert answers[0]["secret"] == root.check_output(f"head -1 {PENDING}")
            log = root.check_output(f"journalctl -b --no-pager -t mfa-enroll | grep 'user {USER}:'")
            assert "pending key of unknown origin replaced by one generated here" in log
        finally:
            root.check_output(f"mv /root/pending {PENDING}")


@pytest.mark.parametrize("server", [HOME], ids=lambda server: server.name, indirect=True)
def test_at_home_the_user_is_asked(server, keys):
    assert not login(server, USER).allowed
    # The tests of the other hosts try wrong tokens here meanwhile. One that is given at the same moment can take a right one
    # along, which then lets nobody in (docs/guard.md).
    attempts = (login(server, USER, [keys[USER].token()], command=THIEF) for _try in range(5))
    attempt = next(one for one in attempts if one.allowed)
    assert attempt.asked
    assert json.loads(attempt.output.splitlines()[0]) == {"refused": "no_pending_key", "seconds": 0}
