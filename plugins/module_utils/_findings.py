# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""The catalogue of findings about sshd, PAM services and key files; documented in docs/findings_sshd.md. Private."""

from __future__ import annotations

from typing import Iterable, NamedTuple, TypedDict

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError
from ansible_collections.fleetmfa.ssh.plugins.module_utils._findings_audit import OF_AUDIT

# Ids are an interface: they never change their meaning. critical: an enforced user can get in without a token, or a whole
# class of users cannot get in at all; high: logins of some users fail; medium: they will.
CATALOGUE = {
    "sshd_config_invalid": ("critical", "Fix the line; until then sshd cannot be restarted or reloaded."),
    "sshd_dropin_not_read": (
        "critical",
        "Put an Include of the drop-in at the top of sshd_config, or let sshd_totp do it.",
    ),
    "sshd_include_below_match": (
        "critical",
        "Move the Include above every Match line, or let sshd_totp put one at the top.",
    ),
    "sshd_policy_shadowed": (
        "critical",
        "Move the line after the drop-in, or let sshd_totp put an Include at the top.",
    ),
    "sshd_keyboard_interactive_disabled": (
        "critical",
        "Set KbdInteractiveAuthentication yes for the enforced group (before OpenSSH 8.7 ChallengeResponseAuthentication yes too).",
    ),
    "sshd_method_disabled": (
        "critical",
        "Allow the method for these users, require another one (mfa_factors), or exempt them.",
    ),
    "sshd_pam_disabled": ("critical", "Set UsePAM yes: without PAM nothing asks for a token."),
    "sshd_pam_service_missing": ("critical", "Create the PAM service (pam_totp with own_service) before sshd uses it."),
    "pam_rules_lost": (
        "critical",
        "Run site again: the PAM service of enforced users must include all of the service that sshd would use without our policy.",
    ),
    "pam_auth_rules_skipped": (
        "critical",
        "Move the line to the account part of the PAM service, which every login runs, or set mfa_factors: password+totp.",
    ),
    "pam_token_not_asked": (
        "critical",
        "Run site again: it adds the token lines to each PAM service that sshd uses for enforced users.",
    ),
    "pam_locked_out": (
        "critical",
        "Correct the lines of the PAM service that the evidence names, or the way in that sshd requires (AuthenticationMethods): "
        "no answer lets these users in.",
    ),
    "sshd_root_cannot_pass": (
        "high",
        "Exempt root, or set PermitRootLogin yes: with prohibit-password, sshd replaces the token that root types with junk.",
    ),
    "sshd_any_method": (
        "critical",
        "Set AuthenticationMethods for the enforced group, e.g. publickey,keyboard-interactive:pam.",
    ),
    "sshd_publickey_without_token": ("critical", "Remove the list with publickey alone from AuthenticationMethods."),
    "sshd_password_without_token": (
        "critical",
        "Remove the list with password and without keyboard-interactive; passwords must go through keyboard-interactive.",
    ),
    "sshd_hostbased_without_token": (
        "critical",
        "Remove hostbased from AuthenticationMethods, or require keyboard-interactive as well.",
    ),
    "sshd_gssapi_without_token": (
        "critical",
        "Remove GSSAPI from AuthenticationMethods, or require keyboard-interactive as well.",
    ),
    "sshd_password_before_keyboard_interactive": (
        "critical",
        "Require keyboard-interactive:pam alone: sshd answers every PAM prompt with the password, including the token prompt.",
    ),
    "sshd_connection_decides": (
        "critical",
        "Remove settings for the login of enforced users from Match blocks on an address, host or port.",
    ),
    "sshd_second_daemon": ("critical", "Stop the second sshd, or include the drop-in in its configuration too."),
    "sshd_unenforced_asked": (
        "high",
        "Require keyboard-interactive only below Match Group: it breaks BatchMode, sftp, rsync and Ansible for users without a key.",
    ),
    "sshd_nobody_can_log_in": ("critical", "Make sure that at least one account can log in before sshd is reloaded."),
    "sshd_group_missing": (
        "medium",
        "Create the enforced group, or fix its name in the Match line: nobody is asked for a token.",
    ),
    "sshd_not_reloaded": (
        "medium",
        "Reload sshd through its unit: it still uses the configuration it was started with.",
    ),
    "sshd_security_key_not_demanded": (
        "critical",
        "Run site again: it writes the lines for users of security keys, and proves them. Remove the lines that the evidence names.",
    ),
    "sshd_security_key_weak": (
        "medium",
        "Set PubkeyAuthOptions verify-required, an AuthorizedKeysFile below /etc that only root writes, and AuthenticationMethods "
        "publickey.",
    ),
    "sshd_penalties_not_exempt": (
        "low",
        "Put the controllers' addresses, and those of networks that many users share (NAT), into mfa_penalty_exempt and run site.",
    ),
    "sshd_changes_others": ("critical", "Put only settings for enforced users into the drop-in, below Match Group."),
    "sshd_overdue_cannot_enroll": (
        "critical",
        "Exempt these users (mfa_exempt_users, mfa_exempt_groups), validate their keys for them (playbook validate), or set "
        "mfa_enrollment_overdue to deny or allow: after the deadline they could only enroll, and their sessions cannot do that.",
    ),
    "sshd_overdue_needed": (
        "critical",
        "Add the account to mfa_exempt_users, or set mfa_enrollment_overdue to allow: the account is needed and must not enroll.",
    ),
    "sshd_overdue_not_offered": (
        "high",
        "Tell these users, validate their keys for them (playbook validate) or exempt them before the deadline: their "
        "sessions do not offer enrollment.",
    ),
    "host_tokens": (
        "medium",
        "Tell these users: the entry that their app has works until their new key is validated, from then on only the new key "
        "does. To spare them a new QR code, import their keys (playbook import_keys, docs/import.md) before they enroll.",
    ),
    "overdue_first_factor": (
        "critical",
        "Give these users the factor that an enforced user needs (an SSH key, a password) before the deadline, allow another "
        "(mfa_factors), or exempt them: mfa-enroll does not let them enroll without it.",
    ),
    "first_factor_missing": (
        "high",
        "Give the user the factor that goes with the token (an SSH key, a password), or allow another (mfa_factors).",
    ),
    "uid_shared": (
        "critical",
        "Give the other name its own validated key, add it to exempt_users if it may log in without a token, or give it a "
        "different user id.",
    ),
    "account_misspelled": (
        "critical",
        "Run totp_key (playbook site), which moves the key and the membership to the account: under another spelling "
        "neither of them protects it.",
    ),
    "key_missing": (
        "critical",
        "Give the user a validated key, or release the user with state absent (totp_key); see docs/lost_keys.md.",
    ),
    "validated_not_member": (
        "critical",
        "Run totp_key for the user, which adds the user to the enforced group; or list the user in exempt_users here if this is intended.",
    ),
    "exempt_member": (
        "high",
        "Run totp_key with the same exempt lists, which removes the user from the enforced group; or stop exempting the user.",
    ),
    "member_released": (
        "critical",
        "Give the user a validated key, or state absent (totp_key) if the release was intended; see docs/lost_keys.md.",
    ),
    "member_without_account": (
        "medium",
        "Give the user state absent (totp_key) if the account is gone for good; otherwise check the directory service.",
    ),
    "key_unreadable": (
        "critical",
        "Make root the owner and set mode 0600 or 0400; the PAM module refuses anything else.",
    ),
    "key_weak": (
        "high",
        "Run totp_key (playbook site), which adds the missing line: until then the PAM module accepts more than it should.",
    ),
    "key_not_collected": (
        "medium",
        "Correct what the evidence names; the key stays on its host, and the key store does not have it.",
    ),
    "key_displaced": (
        "high",
        "Ask the person which key is on the device; if the other one is unknown to the person, revoke it and look at its host.",
    ),
    "device_added": (
        "medium",
        "Ask the person whether the second device is theirs; if not, revoke it (playbook revoke, mfa_revoke_device) and look at "
        "the host that the evidence names.",
    ),
    "recovery_overdue": (
        "high",
        "Run recover again with mfa_recover_access=denied, or help the person to validate the new key; by default nothing asks for a "
        "token until then (mfa_enrollment_overdue).",
    ),
    "key_old": (
        "medium",
        "Help the person to validate the new key that hosts offer (mfa-enroll). No host offers one for a second device: replace it "
        "(playbook recover, mfa_recover_device).",
    ),
    "token_used_twice": (
        "high",
        "Ask the person whether both logins were theirs; somebody may have seen the token being typed.",
    ),
    "host_clock_off": (
        "medium",
        "Set the host's clock from network time, then run sync again: it collects nothing from a host that is off by more than 60 seconds.",
    ),
    "host_not_reached": (
        "high",
        "Make the host reachable for Ansible, with Python and root rights, and audit again: nothing is known of it.",
    ),
    "login_not_as_expected": (
        "critical",
        "Find out from the steps of the login in the evidence document, and from the host's log, how the user got in or why not.",
    ),
    "login_not_judged": (
        "high",
        "Correct what the evidence names, such as an unknown host key or a host that does not answer, and audit again.",
    ),
    "user_differs": (
        "medium",
        "Run sync, so that the validated key is on all hosts of the user; or exempt the user where that is intended.",
    ),
    "waiver_expired": (
        "medium",
        "Remedy the finding, or have the risk accepted anew and write the new date into the waiver.",
    ),
    "waiver_unused": (
        "low",
        "Remove the waiver, or correct its finding, host or user: it accepts nothing.",
    ),
    "key_malformed": ("high", "Rotate the key (totp_key): recovery codes after a malformed line do not work."),
    "key_dead": ("critical", "Rotate the key (totp_key): the PAM module denies every login with this file."),
    "pending_key_faulty": (
        "medium",
        "Run totp_key (playbook site), which corrects what it can; if the problem remains, rotate the key.",
    ),
    "key_origin_unknown": (
        "high",
        "If you know the secret, give it to totp_key; otherwise rotate the key. If the log says it was shown, rotate it everywhere.",
    ),
    "claims_fell_back": (
        "medium",
        "Find out why etcd did not answer (the log of totp-guard says why) and make it answer: until then a token counts once "
        "on each host.",
    ),
    "user_locked": (
        "high",
        "Ask the user whether the wrong tokens were the user's own: whoever gave them has the SSH key. If not, replace the SSH key "
        "first; then run playbook unlock.",
    ),
    "key_folder_open": (
        "critical",
        "Make root the owner of the folder and its parents, and remove write permission for others.",
    ),
    **OF_AUDIT,
}


SEVERITIES = ("critical", "high", "medium", "low")
_MOST_EVIDENCE = 20


class FindingReport(TypedDict):
    """A finding as modules return it."""

    id: str
    severity: str
    evidence: list[str]
    remedy: str


class Finding(NamedTuple):
    id: str
    evidence: tuple[str, ...]

    @property
    def severity(self) -> str:
        return CATALOGUE[self.id][0]

    @property
    def remedy(self) -> str:
        return CATALOGUE[self.id][1]

    def as_dict(self) -> FindingReport:
        return {"id": self.id, "severity": self.severity, "evidence": list(self.evidence), "remedy": self.remedy}

    def __str__(self) -> str:
        return f"{self.id}: {'; '.join(self.evidence)}. {self.remedy}"


def merged(findings: Iterable[Finding]) -> list[Finding]:
    """One entry per id, the most severe first, with each piece of evidence once, and not thousands of them."""
    evidence: dict[str, dict[str, None]] = {}
    for finding in findings:
        evidence.setdefault(finding.id, {}).update(dict.fromkeys(finding.evidence))
    found = [Finding(name, _shortened(list(texts))) for name, texts in evidence.items()]
    return sorted(found, key=lambda finding: (SEVERITIES.index(finding.severity), list(CATALOGUE).index(finding.id)))


def _shortened(texts: list[str]) -> tuple[str, ...]:
    more = len(texts) - _MOST_EVIDENCE
    return tuple(texts[:_MOST_EVIDENCE]) + ((f"and {more} more",) if more > 0 else ())


class FindingsError(FleetMfaError):
    """A policy that must not take effect, with its findings."""

    def __init__(self, findings: Iterable[Finding]):
        self.findings = merged(findings)
        super().__init__(" ".join(map(str, self.findings)))
