# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""A reused name, and a second name for a user id: neither gives access to somebody else's token or bypasses one."""

from __future__ import annotations

import pytest
from test_spellings import key_alone

from lab.logins import login


@pytest.fixture
def again(server, playbook):
    def run(user, exempt="ansible"):
        words = ("-e", f"again={user}", "-e", f"exempt={exempt}")
        return playbook("again.yml", "--limit", server.name, "--diff", *words)

    return run


def test_a_name_that_is_used_again(server, root, keys, again):
    """The new account is asked for nothing, like any new one, and never for the token of the old account."""
    assert not key_alone(server, "leaver").allowed
    root.check_output("userdel leaver && useradd --uid 4242 --shell /bin/bash leaver && chown -R leaver: /home/leaver")
    assert key_alone(server, "leaver").allowed
    root.check_output("gpasswd -a leaver mfa-enforced")
    for name in ("leaver", "LEAVER"):
        attempt = login(server, name, [keys["leaver"].token()])
        assert not attempt.allowed and not attempt.prompts
    root.check_output("gpasswd -d leaver mfa-enforced")
    said = again("leaver")
    assert "keys/ has the key of a former account of that name; moved aside" in said
    assert key_alone(server, "leaver").allowed
    assert root.check_output("ls /var/lib/fleetmfa/pending").split().count("leaver") == 1
    assert "leaver.keys." in root.check_output("ls /var/lib/fleetmfa/put-away")


def test_a_second_name_for_an_enforced_user_id(server, root, again):
    """Denied from its creation until it is enforced itself or explicitly exempt."""
    root.check_output("useradd --non-unique --uid $(id -u speller) --no-create-home --home-dir /home/speller second")
    try:
        assert not key_alone(server, "second").allowed
        with pytest.raises(AssertionError, match="second has the same user id"):
            again("speller")
        assert again("speller", "second")
        assert key_alone(server, "second").allowed
        assert not key_alone(server, "speller").allowed
    finally:
        root.check_output("userdel second")
    assert again("speller")
