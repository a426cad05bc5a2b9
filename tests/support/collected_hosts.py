# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""What hosts return of their keys, as totp_key_merge gets it."""

from __future__ import annotations

from ansible_collections.fleetmfa.ssh.tests.support.people import CODES, START, secret


def collected(host, *keys, accounts=("alice", "bob"), **fields):
    """What totp_key_collect passes on of a host."""
    packet = {"host": host, "places": [host], "settings": {}, "accounts": list(accounts), "keys": list(keys)}
    return {**packet, "clock_is_off": False, "given": [], **fields}


def host_key(user="alice", name="phone", **fields):
    made = {
        "user": user,
        "device": None,
        "secret": secret(name),
        "period": 30,
        "issuer": "SSH",
        "account": user,
        "generation": 1,
    }
    return {**made, "since": START, "codes": CODES, "spent": [], "used": [], "drift": None, "store": None, **fields}


def host_second(user="alice", name="tablet", device="tablet", **fields):
    return host_key(user, name, codes=[], **{"device": device, **fields})
