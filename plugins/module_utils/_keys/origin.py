# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Where a key came from, which decides whether this host may show it. Private to the collection.

A key that the operator gave is on other hosts too, and may be validated there: somebody who gets into this host with a
single factor must not learn it here. So a host shows only a key that it made itself and that was never validated. All
others stay hidden: a key of another origin, one without an origin (0.1.0 recorded none), one that came with a copied
disk.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TypedDict

from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.key_file import KeyFile

HOST, OPERATOR, STORE = "host", "operator", "store"
MACHINE_ID = "/etc/machine-id"

UNKNOWN_ORIGIN = (
    "it is not known who else has this key: it was created by version 0.1.0, which did not record its origin, or on "
    "another machine; if you know its secret, give it in `keys`, otherwise make a new key (state rotated)"
)


class Origin(TypedDict):
    """What a key file records about its origin."""

    origin: str
    machine: str | None  # a hash of the machine-id


def made_here() -> Origin:
    """The record for a key whose secret this host has generated."""
    return {"origin": HOST, "machine": _this_machine()}


def given_by_operator() -> Origin:
    """The record for a key whose secret was given by a run of Ansible."""
    return {"origin": OPERATOR, "machine": None}


def from_store() -> Origin:
    """The record for a key of the fleet's key store: other hosts have it, too."""
    return {"origin": STORE, "machine": None}


def may_be_shown(key: KeyFile) -> bool:
    return key.origin == HOST and _is_of_this_machine(key) and not key.was_validated


def is_of_unknown_origin(key: KeyFile) -> bool:
    """Whether it is unknown who else has this key, and nobody has proven to have it."""
    return not key.was_validated and (key.origin is None or (key.origin == HOST and not _is_of_this_machine(key)))


def _is_of_this_machine(key: KeyFile) -> bool:
    here = _this_machine()
    return here is not None and key.meta.get("machine") == here


def _this_machine() -> str | None:
    """None if there is no machine-id(5) yet, as in an image that machines are cloned from."""
    try:
        found = Path(MACHINE_ID).read_text("ascii").strip()
    except (OSError, ValueError):
        return None
    return hashlib.sha256(f"fleetmfa {found}".encode()).hexdigest()[:16] if len(found) == 32 else None
