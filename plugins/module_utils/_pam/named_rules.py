# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Finds lines of a PAM service whose rules depend, or may depend, on the name of the service. Private."""

from __future__ import annotations

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError
from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.config import Line, PamConfig

# Modules that do not depend on the name of the service. Others may: time.conf(5) and group.conf(5) name services, and so
# do the HBAC rules of FreeIPA and the GPO map of Active Directory (sssd-ipa(5), sssd-ad(5)) and pam_authz_search of
# nslcd.conf(5); pam_slurm_adopt only works for `sshd`; a program of pam_exec finds the name in PAM_SERVICE.
_NAMELESS = frozenset((
    "pam_access.so", "pam_apparmor.so", "pam_cap.so", "pam_cracklib.so", "pam_debug.so", "pam_deny.so", "pam_echo.so",
    "pam_env.so", "pam_faildelay.so", "pam_faillock.so", "pam_ftp.so", "pam_google_authenticator.so", "pam_issue.so",
    "pam_keyinit.so", "pam_krb5.so", "pam_lastlog.so", "pam_lastlog2.so", "pam_limits.so", "pam_localuser.so",
    "pam_loginuid.so", "pam_mail.so", "pam_mkhomedir.so", "pam_motd.so", "pam_namespace.so", "pam_nologin.so",
    "pam_oath.so", "pam_passwdqc.so", "pam_permit.so", "pam_pwhistory.so", "pam_pwquality.so", "pam_rhosts.so",
    "pam_rootok.so", "pam_securetty.so", "pam_selinux.so", "pam_sepermit.so", "pam_shells.so", "pam_systemd.so",
    "pam_tally.so", "pam_tally2.so", "pam_tty_audit.so", "pam_u2f.so", "pam_umask.so", "pam_unix.so", "pam_userdb.so",
    "pam_usertype.so", "pam_warn.so", "pam_wheel.so", "pam_winbind.so", "pam_wtmpdb.so", "pam_xauth.so",
))  # fmt: skip


def named_rules(config: PamConfig, service: str) -> list[str]:
    """Each as `file:line module`, of every type; empty for a service that cannot be read, since it lets nobody in."""
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
    return line.kind == "module" and line.module_name not in _NAMELESS
