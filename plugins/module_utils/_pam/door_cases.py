# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""How a service is proven for a caller who is not root, and for one who does not know the password.

Private to the collection. Both are what lines are assumed to return: `assume` of the prover.
"""

from __future__ import annotations

from typing import Callable

from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.config import PamConfig
from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.door_services import RUN_BY_CALLER
from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.modules import PASSWORD_MODULES, TOKEN_MODULES
from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.prover import auth_ways
from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.subject import Subject

_ROOT_ASKS = "pam_rootok.so"
_YES = ("success", "new_authtok_reqd")


def called_by_a_user(config: PamConfig, service: str) -> dict[str, list[str]]:
    """Where pam_rootok tells who calls: root, who needs no door, is not the one the proof is about."""
    if service not in RUN_BY_CALLER:
        return {}
    return {line.place: ["auth_err"] for line in config.auth_stack(service).lines if line.module_name == _ROOT_ASKS}


def without_password(
    config: PamConfig, service: str, subject: Subject, is_installed: Callable[[str], object]
) -> dict[str, list[str]]:
    """Lines that check a password never say yes; all others may."""
    assumed = called_by_a_user(config, service)
    for line in config.auth_stack(service).lines:
        if line.module_name in PASSWORD_MODULES and line.kind == "module":
            ways = auth_ways(line, subject, service, TOKEN_MODULES, is_installed)
            assumed[line.place] = sorted({way.result for way in ways} - set(_YES)) or ["auth_err"]
    return assumed
