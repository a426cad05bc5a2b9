# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the fleetmfa.ssh authors
"""The lines of a PAM service that go by the name of the service, and say something else under another. Private."""

from __future__ import annotations

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError
from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.config import Line, PamConfig

# time.conf(5) and group.conf(5) name services; so do the HBAC rules of FreeIPA and the GPO map of Active Directory
# (sssd-ipa(5), sssd-ad(5)), and pam_authz_search of nslcd.conf(5).
_NAMING = frozenset(("pam_time.so", "pam_group.so", "pam_sss.so", "pam_sss_gss.so", "pam_ldap.so"))


def named_rules(config: PamConfig, service: str) -> list[str]:
    """Each as `file:line module`, of every type; a service that cannot be read has none, as nobody passes it."""
    try:
        lines = config.lines(service)
    except FleetMfaError:
        return []
    return list(dict.fromkeys(f"{line.place} {line.module_name}" for line in lines if _goes_by_name(line)))


def _goes_by_name(line: Line) -> bool:
    if line.module_name == "pam_succeed_if.so":
        return "service" in line.arguments
    if line.module_name == "pam_listfile.so":
        return "item=service" in line.arguments
    return line.module_name in _NAMING
