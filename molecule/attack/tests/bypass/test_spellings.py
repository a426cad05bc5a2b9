# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""A directory accepts any spelling of a name: none of them bypasses the token, and none locks its user out."""

from __future__ import annotations

import pytest

from lab.logins import client_options, login, run_client

SPELLINGS = ("speller", "SPELLER", "Speller")


def key_alone(server, name):
    return run_client(["ssh", *client_options(server), "-o", "BatchMode=yes", f"{name}@{server.address}", "id -un"])


@pytest.mark.parametrize("name", [*SPELLINGS, "stray", "STRAY", "sTRAY"])
def test_no_spelling_gets_in_with_the_key_alone(server, name):
    """STRAY is what 0.1.0 had in its group; the role has moved key and membership to stray."""
    attempt = key_alone(server, name)
    assert not attempt.allowed and "Permission denied (keyboard-interactive)" in attempt.output


@pytest.mark.parametrize("name", [*SPELLINGS, "stray", "STRAY"])
def test_every_spelling_gets_in_with_a_token(server, keys, name):
    attempt = login(server, name, [keys["stray" if name.lower() == "stray" else "SPELLER"].token()])
    assert attempt.allowed and attempt.prompts == ["Verification code: "] and attempt.output == name.lower()


@pytest.mark.parametrize("name", ["idle", "IDLE"])
def test_who_is_not_enforced_gets_in_as_before(server, name):
    attempt = key_alone(server, name)
    assert attempt.allowed and attempt.output.splitlines()[-1] == "idle"


def test_a_token_and_a_code_count_once_over_all_spellings(server, keys):
    key = keys["SPELLER"]
    for answer in (key.token(), key.recovery_codes[0]):
        names = ("Speller", "SPELLER", "speller", "Speller")
        assert [login(server, name, [answer]).allowed for name in names] == [True, False, False, False]


def test_what_lies_on_the_host_has_one_name_each(root):
    names = root.check_output("ls /var/lib/fleetmfa/keys /var/lib/fleetmfa/pending").split()
    assert {"speller", "stray"} <= set(names) and not {"STRAY", "SPELLER"} & set(names)
    members = root.check_output("getent group mfa-enforced").split(":")[3].split(",")
    assert {"speller", "stray"} <= set(members) and all(name.islower() for name in members)
