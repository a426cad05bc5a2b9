# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""What each finding means, in one sentence, as docs/findings_sshd.md and docs/host_audit.md say it. Private to the collection."""

from __future__ import annotations

MEANINGS = {
    "sshd_config_invalid": "sshd -t rejects the configuration.",
    "sshd_dropin_not_read": "The drop-in exists, but no Include reads it.",
    "sshd_include_below_match": (
        "The Include that reads the drop-in is below a Match line, so it only takes effect where that Match applies."
    ),
    "sshd_policy_shadowed": "A line that is read earlier sets the same option as the drop-in, and the first value wins.",
    "sshd_keyboard_interactive_disabled": (
        "A token is required through keyboard-interactive, which is disabled for these users: they are locked out."
    ),
    "sshd_method_disabled": (
        "A required method is disabled or does not exist, and there is no other way in: these users are locked out."
    ),
    "sshd_pam_disabled": "UsePAM is not yes.",
    "sshd_pam_service_missing": "PAMServiceName names a service without a file, so PAM falls back to other, which denies.",
    "pam_rules_lost": (
        "The PAM service that sshd sends enforced users to lacks lines of the one that it would use without our "
        "policy, so users whom an account line denied may get in."
    ),
    "pam_auth_rules_skipped": (
        "Today every way in runs the auth lines of the PAM service, and one of them decides who gets in "
        "(pam_access, pam_listfile, pam_succeed_if, and others)."
    ),
    "pam_token_not_asked": "The PAM service that sshd sends enforced users to lets them in without a token.",
    "pam_locked_out": (
        "sshd offers enforced users a way in, but whatever they answer, the auth lines of its PAM service deny: "
        "no line says yes, or method password gives one answer to prompts for a password and a token."
    ),
    "sshd_root_cannot_pass": "An enforced user with UID 0 may not use keyboard-interactive.",
    "sshd_any_method": "AuthenticationMethods is not set for enforced users, so any single method is enough.",
    "sshd_publickey_without_token": "A key alone logs an enforced user in.",
    "sshd_password_without_token": "The password method logs an enforced user in without a token.",
    "sshd_hostbased_without_token": "A trusted client host logs an enforced user in (hostbased authentication).",
    "sshd_gssapi_without_token": "A Kerberos ticket logs an enforced user in.",
    "sshd_password_before_keyboard_interactive": "password and keyboard-interactive are required together.",
    "sshd_connection_decides": (
        "Enforced users are asked for a token from some addresses, hosts or ports, and get in without one from others."
    ),
    "sshd_second_daemon": (
        "Another sshd has a configuration, or was started with options, that lets enforced users in without a token."
    ),
    "sshd_unenforced_asked": "Users who are not enforced must pass keyboard-interactive after another method.",
    "sshd_nobody_can_log_in": "No account with a login shell has a way in.",
    "sshd_group_missing": "The enforced group does not exist on this host.",
    "sshd_not_reloaded": "The drop-in is newer than the pid file, which sshd writes each time it reads its configuration.",
    "sshd_security_key_not_demanded": (
        "A member of mfa-security-key, who is not asked for a token, gets in without a security key that has verified its user."
    ),
    "sshd_security_key_weak": (
        "sshd takes only security keys (FIDO2) from users who are not enforced, but one factor can be enough to get in."
    ),
    "sshd_penalties_not_exempt": (
        "After a few wrong tokens sshd refuses all connections from an address for a while, and neither the address that this run "
        "connects from nor, where that is not known, any other is exempt."
    ),
    "sshd_changes_others": "The change would affect somebody who is not enforced (sshd_totp only).",
    "sshd_overdue_cannot_enroll": (
        "enroll_only is set, and the sessions of users with a key to validate are confined (ChrootDirectory, "
        "PermitTTY no, a shell that runs no commands)."
    ),
    "sshd_overdue_needed": "The deadline would lock out the account that Ansible connects with, or another one that is needed.",
    "sshd_overdue_not_offered": (
        "deny or enroll_only is set, and users with a key to validate never see the offer to enroll: a "
        "ForceCommand, options of their keys, or one of the settings above confines their sessions, at least from some addresses."
    ),
    "overdue_first_factor": (
        "deny or enroll_only: users who have a key to validate, and log in today, lack the factor that goes with "
        "the token (or it cannot be told, mfa_unknown_first_factor), so mfa-enroll sends them away. site stops for enroll_only."
    ),
    "first_factor_missing": (
        "An enforced user has not the factor that goes with the token: no SSH key that sshd would take, or no password."
    ),
    "host_tokens": (
        "The host's own lines ask users who are not enforced for a token (as in the popular guide: "
        "pam_google_authenticator with a file in the home directory)."
    ),
    "uid_shared": (
        "Another login name has the user id of an enforced user (useradd -o) and is neither enforced nor exempt: "
        "it is a way in without a token."
    ),
    "account_misspelled": (
        "A member of the enforced group, or a key file, has a name for which the system's database returns an "
        "account with another name (BOB, if the account is bob)."
    ),
    "key_missing": "An enforced user has no validated key.",
    "validated_not_member": "A user with a validated key is neither enforced nor exempt.",
    "exempt_member": "An exempt user is enforced.",
    "member_released": (
        "A user was asked for a token before, has lost the key and is no longer asked (version 0.1.0 did that)."
    ),
    "member_without_account": "The enforced group has a member without an account on the host.",
    "key_unreadable": "The key file is not a regular file that is owned by root with mode 0600 or 0400.",
    "key_weak": (
        "A line is missing from the key file: a token can be used twice during its time step, or tokens can be "
        "guessed without a limit."
    ),
    "key_not_collected": (
        "A validated key of a host was not taken into the key store: it cannot be used, its person's keys were "
        "revoked, or its generation cannot be right."
    ),
    "key_displaced": "Two hosts had different validated keys for one person; one of them counts now, the other is dead.",
    "device_added": "A host has returned the key of a second device that the key store did not know; it lets its person in on every host "
    "with mfa_second_device.",
    "key_old": "A key was validated longer ago than mfa_key_max_age allows, and still counts.",
    "token_used_twice": "The token of one time step was used on two hosts.",
    "recovery_overdue": (
        "A person was not asked for a token after a recovery, until a date, and has not validated the new key by then."
    ),
    "host_clock_off": (
        "A host's clock differs from the controller's by more than 60 seconds, or by more than its tokens tolerate. Then its times "
        "cannot be compared, or right tokens are refused."
    ),
    "key_malformed": "The PAM module ignores a line of the key file.",
    "key_dead": "The PAM module denies every login, or every token, with this key file.",
    "pending_key_faulty": "A pending key file has one of the faults above.",
    "key_origin_unknown": "It is not recorded where a pending key comes from, or it was made on another machine.",
    "claims_fell_back": (
        "In the last eight days a user was let in on a claim on this host alone, because etcd did not answer "
        "(mfa_claims_unreachable: local)."
    ),
    "user_locked": (
        "The guard has counted too many wrong tokens in a row after an accepted SSH key, and locked the user or suspended "
        "the key."
    ),
    "key_folder_open": "Users other than root can write to the folder of the key files, or replace it.",
    "host_without_mfa": "Nothing on this host asks anybody for a token, neither this collection nor lines of the host's own.",
    "user_admin_not_enforced": "An account that may act as root can log in and is not asked for a token.",
    "user_admin_exempt": "An account that may act as root is exempt, so it is never asked for a token.",
    "exemption_without_reason": "An exemption names no reason, or nobody who approved it.",
    "exemption_ends_soon": (
        "An exemption ends within the next 14 days: then the account is asked for a token if its key is validated."
    ),
    "exemption_expired": "The last day of an exemption has passed, so the entry exempts nobody any more.",
    "exemption_not_ended": (
        "An account stays exempt although the last day has passed, since being asked for a token would lock it, or everybody, out."
    ),
    "user_not_enforced": "A person's account can log in without a token: it has no key, or one that is not validated.",
    "enrollment_overdue": "The enrollment period of a user has ended, and the key is not validated.",
    "door_not_covered": "A service that the network reaches gives enforced users a session without the token.",
    "door_local_not_covered": "A console, or a command for somebody who has a session, does not ask enforced users for the token.",
    "door_not_judged": "Whether a service asks enforced users for the token cannot be told.",
    "guard_missing": (
        "The token lines run without the guard, so a token that is sent on several connections at once lets in "
        "several logins."
    ),
    "lockout_missing": (
        "Any number of wrong tokens in a row locks nobody, although the host asks for the token after an SSH key, where a lock works."
    ),
    "lockout_weak": (
        "Wrong tokens lock a user only after more than 10 in a row, or for less than 30 minutes, which PCI DSS 8.3.4 does not accept."
    ),
    "failure_cap_missing": (
        "Nothing counts wrong tokens, so there is no number of them after which a key no longer lets anybody in."
    ),
    "token_remembered": (
        "After a token users are not asked again for a time, with the same SSH key and from the same address, by mfa_remember_seconds."
    ),
    "account_check_missing": (
        "No PAM service has the account check, so a host that loses its token lines lets enforced users in with "
        "what is left."
    ),
    "key_shared_by_users": "Two users have the same key, so a token of one is good for the other.",
    "key_short": "A key has less than 112 bits.",
    "window_wide": "A token is accepted for more than two minutes.",
    "recovery_codes_in_clear": "Key files contain unspent recovery codes, which the PAM module stores in clear.",
    "clock_not_synchronized": "The kernel says that the clock is not synchronized.",
    "time_service_missing": "No time service keeps the clock right.",
    "state_drift": (
        "A managed file is not what the role has written, or a package's program is not what the package has installed."
    ),
    "log_many_refused": "Many logins of one account were refused.",
    "log_token_reused": "A token that had let in a login was given again.",
    "host_not_reached": "An audit has nothing from the host, since it could not be reached or the task failed.",
    "login_not_as_expected": (
        "A login that the audit made (mfa_audit_logins) was asked for a token, not asked, or denied, and should not have been."
    ),
    "login_not_judged": "A login of the audit has no result: nobody answered, the host key was unknown, or a prompt was.",
    "user_differs": "A human user is enforced on some hosts, and has another state on others.",
    "waiver_expired": "The last day of an accepted risk has passed.",
    "waiver_unused": "A waiver matches no finding.",
    "log_not_read": "There is no log of logins to read on this host.",
    "sudoers_not_judged": "Rules of sudo, or of doas, that are not judged may let somebody act as root.",
    "audit_incomplete": "A part of the host could not be judged.",
}
