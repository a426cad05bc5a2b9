# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""The findings that only the audit of a host has, besides those in _findings.py; documented in docs/host_audit.md. Private."""

from __future__ import annotations

# critical and high as in _findings.py. medium: weaker than many rules ask for, or not known; low: worth knowing.
OF_AUDIT = {
    "host_without_mfa": ("high", "Run site on the host, or take it out of what the audit covers, with a reason."),
    "user_admin_not_enforced": (
        "high",
        "Validate the user's key (playbook validate, or mfa-enroll), or take the rights away: sudo, or user id 0.",
    ),
    "user_admin_exempt": (
        "medium",
        "Exempt only break-glass and automation accounts (mfa_exempt_users), each with a reason, and watch their logins.",
    ),
    "exemption_without_reason": (
        "low",
        "Write both into the entry of the exempt list: {name, reason, approved_by, until}; see docs/exemptions.md.",
    ),
    "exemption_ends_soon": (
        "low",
        "Help the user to validate a key before that day, or have the exemption approved anew and write the new day into until.",
    ),
    "exemption_expired": (
        "low",
        "Remove the entry, or have the exemption approved anew and write the new day into until.",
    ),
    "exemption_not_ended": (
        "high",
        "Remedy what the evidence names, and the host ends the exemption within an hour; or have it approved anew and write the new "
        "day into until.",
    ),
    "user_not_enforced": ("medium", "Let the users enroll (mfa-enroll), or validate their keys for them (playbook validate)."),
    "enrollment_overdue": (
        "medium",
        "Validate the keys of these users with them (playbook validate), or give them more time (mfa_enrollment_extensions).",
    ),
    "door_not_covered": (
        "high",
        "Turn the service off, let only this host reach it, or add the token lines to its PAM service (pam_totp).",
    ),
    "door_local_not_covered": (
        "low",
        "Accept it for consoles and for sessions that somebody has already, or name the PAM service in mfa_services and run site.",
    ),
    "door_not_judged": (
        "medium",
        "Find out whether people log in there, and whether it asks for the token; name a PAM service in option services.",
    ),
    "guard_missing": ("medium", "Set mfa_guard to true and run site: without it, one token can let in several logins."),
    "lockout_missing": ("medium", "Set mfa_lock_after to 10 or less, mfa_guard to true, and run site: then wrong tokens lock the user."),
    "lockout_weak": (
        "low",
        "Set mfa_lock_after to 10 or less and mfa_lock_seconds to 1800 or more (or 0: until an operator unlocks), and run site.",
    ),
    "failure_cap_missing": (
        "medium",
        "Set mfa_guard to true and run site: then the key is suspended after 100 wrong tokens in a row, whatever mfa_lock_after is.",
    ),
    "token_remembered": (
        "low",
        "Set mfa_remember_seconds to 0 and run site where MFA is required at each login; or name in mfa_remember_groups only those who "
        "need it.",
    ),
    "account_check_missing": (
        "medium",
        "Set mfa_fail_closed to true and run site: then a host that loses the token lines denies enforced users.",
    ),
    "key_shared_by_users": ("high", "Rotate the key of all but one of these users (totp_key): a token belongs to one person."),
    "key_short": ("medium", "Rotate the key (totp_key), which makes one of 160 bits."),
    "window_wide": ("medium", "Set mfa_window and mfa_period so that a token is accepted for two minutes at most, and run site."),
    "recovery_codes_in_clear": (
        "low",
        "Accept it, as the PAM module stores no hashes, or set mfa_recovery_codes to 0 for new keys.",
    ),
    "clock_not_synchronized": ("medium", "Set the clock from network time: tokens depend on it."),
    "time_service_missing": ("medium", "Install a time service (systemd-timesyncd or chrony): tokens depend on the clock."),
    "state_drift": ("high", "Find out what has changed these files, and run site, which writes them as they should be."),
    "log_many_refused": ("medium", "Find out who tries: block the address, or ask the user."),
    "log_token_reused": ("medium", "Ask the user whether both logins were theirs; somebody may have seen the token being typed."),
    "log_not_read": ("low", "Keep the log of authpriv on the host, in the journal or in a file, for at least as long as log_days."),
    "sudoers_not_judged": ("medium", "Look at these rules: whom they let act as root is not known here."),
    "audit_incomplete": ("medium", "Correct what the evidence names, and run the audit again: this part was not judged."),
}  # fmt: skip
