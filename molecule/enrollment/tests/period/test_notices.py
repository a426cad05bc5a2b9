# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""A user is told of what happens to the key, by the units of systemd, and of the last login at the next one."""

from __future__ import annotations

import json
import time

from lab.logins import login

WITHIN = 180


def told(root, user="told"):
    lines = root.run("cat /root/told 2>/dev/null").stdout.splitlines()
    return [(one["event"], one["by"], one["enforced"]) for one in map(json.loads, lines) if one["user"] == user]


def wait_for(root, event):
    deadline = time.monotonic() + WITHIN
    while event not in [name for name, _by, _enforced in told(root)]:
        assert time.monotonic() < deadline, (
            f"{event} is not told: {root.run('journalctl -t mfa-notice -u fleetmfa-notice.service').stdout}"
        )
        time.sleep(0.5)


def test_from_the_key_to_a_recovery_code(server, open_session, root):
    wait_for(root, "pending")
    assert told(root) == [("pending", "operator", False)]
    session = open_session("told")
    totp = session.to_the_qr_code()
    codes = session.two_tokens(totp)
    session.keep(codes)
    wait_for(root, "validated")
    assert told(root)[1:] == [("validated", "user", True)]

    assert login(server, "told", [totp.at(time.time() + 30)]).allowed
    assert login(server, "told", [codes[0]]).allowed
    wait_for(root, "recovery_code_used")
    assert not login(server, "told", ["000000"]).allowed
    assert told(root)[2:] == [("recovery_code_used", "user", True)], "neither a login nor a wrong token is told"

    session = open_session("told", columns=120)
    session.wait_for("Verification code:")
    session.enter(codes[1])
    session.wait_for(r"Last login with a token: 20\d\d-\d\d-\d\d \d\d:\d\d UTC from [0-9a-f.:]+; 1 wrong token since\.")


def test_nothing_is_left_over_and_no_secret_is_told(root):
    deadline = time.monotonic() + WITHIN
    while left := root.run("ls /var/lib/fleetmfa/notices/new").stdout:
        assert time.monotonic() < deadline, left
        time.sleep(0.5)
    assert root.run("systemctl is-failed fleetmfa-notice.path fleetmfa-notice.service").rc != 0
    for key in root.run("cat /var/lib/fleetmfa/keys/* /var/lib/fleetmfa/pending/* | grep -v '^\"'").stdout.split():
        assert key not in root.run("cat /root/told").stdout
