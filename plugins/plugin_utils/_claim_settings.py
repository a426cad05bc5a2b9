# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""What the variables mfa_claims* of role mfa may be, alone and together. No message contains a value. Private to the
collection."""

from __future__ import annotations

import re
from typing import Any, Iterator

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError

# HOST or [ADDRESS], with or without a port; no path, and nobody's name and password.
_ENDPOINT = re.compile(r"https://(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\])(?::(\d{1,5}))?/?")
_PREFIX = re.compile(r"[A-Za-z0-9._/-]{1,100}")


def check_endpoint(number: int, url: Any) -> str:
    text = url if isinstance(url, str) else ""
    found = _ENDPOINT.fullmatch(text)
    if not found or not 1 <= int(found[1] or 443) <= 65535:
        raise FleetMfaError(f"entry {number} is not https://HOST:PORT")
    return text.rstrip("/")


def check_prefix(value: str) -> None:
    if not _PREFIX.fullmatch(value):
        raise FleetMfaError("may have 1 to 100 letters, digits and . _ / -, such as /fleetmfa/claims/")


def claim_problems(settings: dict[str, Any]) -> Iterator[str]:
    """What is wrong with settings that are right each on its own; names are without mfa_."""
    if settings.get("claims") != "etcd":
        return
    if not settings.get("claims_endpoints"):
        yield "mfa_claims_endpoints: is empty; mfa_claims: etcd needs the members of the etcd cluster"
    if not settings.get("guard", True):
        yield "mfa_claims: etcd needs mfa_guard: true, since it is the guard that makes claims"
