# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Seals what one action of a run leaves for another in a registered variable. Private to the collection.

Such variables are shown at -v, passed to callbacks and kept by fact caches. The key exists in memory only: a strategy loads
the class of an action, and with it this file, before it forks the process that runs it, so all processes of a run have the same
key, and no other run has it.
"""

from __future__ import annotations

import hashlib
import json
import secrets
import zlib
from typing import Any

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.sealed import sealed, unsealed

_RUN_KEY = secrets.token_bytes(32)


def sealed_for_run(content: Any) -> str:
    """`content` is whatever JSON can hold."""
    number = secrets.token_hex(16)
    return f"{number}:{sealed(_seal(number), zlib.compress(json.dumps(content).encode()))}"


def unsealed_in_run(text: Any, option: str) -> Any:
    """A FleetMfaError names the option if the text was not sealed in this run."""
    number, _colon, content = text.partition(":") if isinstance(text, str) else ("", "", "")
    try:
        return json.loads(zlib.decompress(unsealed(_seal(number), content)))
    except (FleetMfaError, ValueError):  # of base64; nothing more is said, since the option may hold a secret
        raise FleetMfaError(
            f"{option}: was not made in this run; give what the task before has registered, and run both in one play"
        ) from None


def _seal(number: str) -> str:
    """A seal must not be used twice, so each text has its own."""
    return hashlib.sha256(_RUN_KEY + number.encode()).digest().hex(":")
