# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""What remembering a token requires of the other variables of role mfa (docs/remember.md). Private to the collection."""

from __future__ import annotations

import re
from typing import Any, Iterator, Mapping

# The names become one word of a PAM line, and the guard asks the system's database for them.
_GROUP = re.compile(r"(?![0-9]+$)[A-Za-z0-9_][A-Za-z0-9_.@-]*")


def remember_problems(settings: Mapping[str, Any]) -> Iterator[str]:
    """What is wrong with settings that are right each on its own; names are without mfa_."""
    if not settings.get("remember_seconds"):
        return
    groups = settings.get("remember_groups", ())
    odd = [str(number) for number, name in enumerate(groups, 1) if not _GROUP.fullmatch(name)]
    if odd:
        yield (
            f"mfa_remember_groups: entry {', '.join(odd[:10])} cannot be in a PAM line: letters, digits and _ . @ - are possible, "
            "not only digits"
        )
    if not settings.get("guard", True):
        yield "mfa_remember_seconds: needs mfa_guard: true, since it is the guard that remembers"
    if settings.get("factors", "publickey+totp") != "publickey+totp":
        yield (
            "mfa_remember_seconds: needs mfa_factors: publickey+totp, since a token is remembered together with the SSH key that it "
            "was given after"
        )
