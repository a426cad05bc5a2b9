# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""What is taken for a secret, what is not, and where one is found that does not belong there."""

from __future__ import annotations

import base64
import secrets

import pytest

from ansible_collections.fleetmfa.ssh.plugins.module_utils._misplaced import (
    MASK,
    NOT_SHOWN,
    hidden,
    is_secret,
    looks_secret,
    masked,
    misplaced,
    shown,
    without_secrets,
)

SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
GROUPS = [SECRET[start : start + 4] for start in range(0, len(SECRET), 4)]
SECRETS = [
    SECRET,
    SECRET.lower(),
    SECRET[:16],
    SECRET[:26],
    f"{SECRET}====",
    f"{SECRET}\n",
    " ".join(GROUPS),
    "-".join(GROUPS).lower(),
    f"alice {SECRET}",
    f"alice:{SECRET}",
    f"secret={SECRET}",
    f"/home/{SECRET}/file",
    f"['{SECRET}']",
    f"otpauth://totp/SSH:alice?secret={SECRET}&issuer=SSH",
    "OTPAUTH://totp/SSH:alice?secret=short",
    "otpauth-migration://offline?data=CjEKCkhlbGxvId6tvu8S",
]
ALIKE = [f"{SECRET}1", f"{SECRET[:-1]}0", SECRET.encode().hex(), "48210375", "012345", "012 345", SECRET[:16].lower()]
ALIKE += ["UNIX-TEAM-PROD-GRP2"]
NAMES = [
    "alice",
    "christopherjohnson",
    "svc-backup-production-2",
    "EXAMPLE\\alice.smith",
    "alice.smith@corp.example.com",
    "mfa-enforced",
    "KbdInteractiveAuthentication",
    "user-test-mail-host-last",
    "domain admins",
    "/var/lib/fleetmfa",
    "/etc/ssh/sshd_config.d/00-fleetmfa.conf",
    "publickey,keyboard-interactive:pam",
    "1000",
    "2026-03-31",
    "",
]


@pytest.mark.parametrize("text", SECRETS)
def test_secrets(text):
    assert is_secret(text) and looks_secret(text)
    assert shown(text) == NOT_SHOWN
    assert masked(f"bad: {text}", {"a": [text]}).count("*") >= 8


@pytest.mark.parametrize("text", ALIKE)
def test_what_is_merely_not_shown(text):
    assert looks_secret(text) and not is_secret(text)
    assert shown(text) == NOT_SHOWN
    assert hidden([text]) == {text} and hidden([text], lambda name: True) == set()


@pytest.mark.parametrize("text", NAMES)
def test_names_are_shown(text):
    assert not looks_secret(text) and not is_secret(text)
    assert shown(text) == repr(text)
    assert hidden(text) == set()


def test_every_generated_key_is_one():
    for _each in range(2000):
        secret = base64.b32encode(secrets.token_bytes(20)).decode()
        assert is_secret(secret)


def test_a_file_may_hold_anything_but_is_not_shown_with_it():
    text = f"Match Group mfa-enforced\n  # {SECRET}\n"
    assert not is_secret(text)
    assert hidden({"content": text}) == {SECRET}


def test_ids_of_rollouts_and_facts_of_the_connection_are_told():
    assert hidden({"rollout_id": "5d2c9f1b7a6e4038", "_connection": {"uid": 100000}}) == set()


def test_places():
    given = {
        "keys": [
            {"user": "alice", "secret": SECRET, "recovery_codes": [SECRET]},
            {"user": SECRET, "state": SECRET, "sekret": [SECRET]},
        ],
        "users": ["alice", SECRET],
        "assume": {SECRET: ["success"]},
        "issuer": SECRET,
        "window": 3,
        "guard": True,
        "group": None,
    }
    assert list(misplaced(given)) == [
        "keys, entry 2: user",
        "keys, entry 2: state",
        "keys, entry 2: sekret, entry 1",
        "users, entry 2",
        "assume: a name in it",
        "issuer",
    ]
    assert list(misplaced([SECRET])) == ["entry 1"] and list(misplaced(SECRET)) == [""]


def test_long_names_are_cut():
    assert shown("a.b" * 30) == repr(f"{('a.b' * 30)[:40]}...")


def test_texts_of_others_are_masked_only_where_they_have_a_secret():
    key = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
    grouped = " ".join(key[start : start + 4] for start in range(0, len(key), 4))
    for secret in (key, key.lower(), grouped, f"otpauth://totp/SSH:alice?secret={key}"):
        assert without_secrets(f"line 3: {secret} is short") == f"line 3: {MASK} is short"
        assert without_secrets(secret) == MASK
    for code in ("11112222", "482913", "482 913", " 482913 "):
        assert without_secrets(code) == MASK
    for text in (
        "alice",
        "2026-01-31T09:00:00Z",
        "/etc/pam.d/sshd:12",
        "6.1.0-28-amd64",
        "port 22222 of 12345678 tries",
    ):
        assert without_secrets(text) == text
