# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""What role mfa has to know of sshd and PAM without our policy before it renders its files. Private to the collection."""

from __future__ import annotations

from typing import Sequence

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError
from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.base import without_us
from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.config import PamConfig
from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.named_rules import named_rules
from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.binary import Sshd
from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.login import METHOD_KEYWORDS
from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.penalties import EXEMPT_LIST, PENALTIES
from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.policy import PolicyReader

_BASELINE = {keyword for keywords in METHOD_KEYWORDS.values() for keyword in keywords} | {
    "authenticationmethods",
    "permitemptypasswords",
    "permitrootlogin",
    "usedns",
    PENALTIES,
    EXEMPT_LIST,
}


def capabilities(sshd: Sshd) -> dict[str, bool]:
    return {
        "pam_service_name": sshd.pam_service_name,
        "separate_challenge_response": sshd.separate_challenge_response,
    }


def baseline(bare: PolicyReader) -> dict[str, str]:
    """The global values that decide how users log in, and from where a few failed logins shut out an address."""
    settings = bare.global_settings()
    return {keyword: settings[keyword][0] for keyword in sorted(_BASELINE & set(settings))}


def pam_rules_by_name(pam: PamConfig, services: Sequence[str]) -> list[str]:
    try:
        bare = without_us(pam, services)
    except FleetMfaError:
        bare = pam  # an incomplete block: every change of it is refused
    return list(dict.fromkeys(rule for service in services for rule in named_rules(bare, service)))
