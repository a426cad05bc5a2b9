# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Entries of mfa_security_keys, from each source: public keys of security keys, or refused by number and without the value."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest
import yaml

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._role_settings import read_settings

SPECS = Path(__file__).parents[4] / "roles/mfa/meta/argument_specs.yml"
OPTIONS = yaml.safe_load(SPECS.read_text())["argument_specs"]["main"]["options"]
SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
ED25519 = b"sk-ssh-ed25519@openssh.com"
ECDSA = b"sk-ecdsa-sha2-nistp256@openssh.com"


def made(kind, *parts):
    blob = b"".join(len(part).to_bytes(4, "big") + part for part in (kind, *parts))
    return f"{kind.decode()} {base64.b64encode(blob).decode()}"


LINE = made(ED25519, bytes(32), b"ssh:")
OTHER = made(ECDSA, b"nistp256", b"\4" + bytes(64), b"ssh:")
PLAIN = made(b"ssh-ed25519", bytes(32))
CERTIFICATE = made(b"sk-ssh-ed25519-cert-v01@openssh.com", bytes(32))


def read(value):
    return read_settings(OPTIONS, {"mfa_security_keys": value})["security_keys"]


@pytest.mark.parametrize("form", [lambda value: value, json.dumps], ids=["list", "text"])
def test_keys_without_their_comments(form):
    entries = [{"user": "alice", "keys": [f"{LINE} alice@desk", f" {OTHER}"]}, {"user": "bob", "keys": [LINE]}]
    assert read(form(entries)) == [{"user": "alice", "keys": [LINE, OTHER]}, {"user": "bob", "keys": [LINE]}]
    assert read([]) == []


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ([PLAIN], "entry 2: key 1 is not the line of a security key"),
        ([LINE, CERTIFICATE], "entry 2: key 2 is not the line of a security key"),
        ([f"verify-required {LINE}"], "entry 2: key 1 is not the line of a security key"),
        ([f'from="10.0.0.1" {LINE}'], "entry 2: key 1 is not the line of a security key"),
        ([f"{LINE}\n{PLAIN}"], "entry 2: key 1 is not the line of a security key"),
        ([LINE[:-8]], "entry 2: key 1 is a damaged "),
        ([LINE.replace("sk-ssh-ed25519@openssh.com", ECDSA.decode())], "entry 2: key 1 is a damaged "),
        (["sk-ssh-ed25519@openssh.com"], "entry 2: key 1 is no public key"),
        ([7], "entry 2: key 1 is not"),
        ([], "entry 2: keys must be a list with at least one"),
        (LINE, "entry 2: keys must be a list with at least one"),
    ],
)
def test_what_is_no_such_key(keys, said):
    with pytest.raises(FleetMfaError, match="^mfa_security_keys: ") as error:
        read([{"user": "bob", "keys": [LINE]}, {"user": "alice", "keys": keys}])
    assert said in str(error.value) and not any(line.split()[-1] in str(error.value) for line in (LINE, PLAIN))


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("alice", "must be a list of entries"),
        ({"alice": [LINE]}, "must be a list of entries"),
        (["alice"], "entry 1 must have user and keys"),
        ([{"user": "alice"}], "entry 1 must have user and keys"),
        ([{"user": "alice", "keys": [LINE], "options": "x"}], "entry 1 must have user and keys"),
        ([{"user": "", "keys": [LINE]}], "entry 1 is not a name"),
        ([{"user": "../alice", "keys": [LINE]}], "entry 1 is not a name"),
        (
            [{"user": "alice", "keys": [LINE]}, {"user": "alice", "keys": [OTHER]}],
            "entry 2 has a user who has an entry",
        ),
        ([{"user": SECRET, "keys": [LINE]}], "entry 1: user: what looks like a secret"),
        ([{"user": "alice", "keys": [f"{LINE} {SECRET}"]}], "entry 1: keys, entry 1: what looks like a secret"),
    ],
)
def test_what_is_no_entry(value, said):
    with pytest.raises(FleetMfaError) as error:
        read(value)
    assert said in str(error.value) and SECRET not in str(error.value)
