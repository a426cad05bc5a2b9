# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Whether an account has a password, as shadow(5) says; never the password itself. Private to the collection."""

from __future__ import annotations

import pwd
from typing import Literal

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.commands import run

PasswordState = Literal["set", "locked", "empty", "elsewhere"]


def password_state(user: pwd.struct_passwd) -> PasswordState:
    """`elsewhere`: neither passwd nor shadow has it, so a directory may."""
    field = user.pw_passwd
    if field == "x":
        try:
            lines = run("getent", "shadow", user.pw_name).output.splitlines()
        except FleetMfaError:
            lines = []
        if not lines:
            return "elsewhere"
        field = lines[0].split(":")[1]
    if not field:
        return "empty"
    # A hash of crypt(3) begins with $ or _, or is of 13 letters; what cannot be one matches nothing that is typed.
    is_hash = field[0] in "$_" or len(field) == 13
    return "set" if is_hash and not field.startswith(("!", "*")) else "locked"
