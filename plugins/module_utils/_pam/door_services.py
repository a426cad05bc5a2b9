# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Which PAM services besides sshd's can ask for a token after their password. Private to the collection.

A program that shows one field, or gives its one password to every prompt, would deny everybody whom PAM asks twice. Sources: manual
pages, the programs' sources and bug trackers; docs/doors.md names them.
"""

from __future__ import annotations

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError

# Programs that show each prompt of PAM and pass on its answer.
ASKS_AGAIN = frozenset(("login", "su", "su-l", "sudo", "sudo-i", "gdm-password", "cockpit"))
# Programs that run with their caller's own user id, so that pam_rootok means a caller who is root.
RUN_BY_CALLER = frozenset(("su", "su-l"))
# Where people log in who have no other way left.
CONSOLE = "login"

_ONE_PASSWORD = "it has one password for all prompts, so an enforced user could never log in"  # noqa: S105
_ONE_FIELD = "it shows one field only, so an enforced user could never log in"
_NO_PERSON = "it logs in without a person who could answer"
_PART = "it is no service but a part of others, sshd too"
REFUSED = {
    "sshd": "its lines go before the password (mfa_factors), with sshd's own policy",
    "other": "it stands in for services that have no file; name those",
    **dict.fromkeys(("common-auth", "system-auth", "password-auth", "postlogin"), _PART),
    **dict.fromkeys(("xrdp-sesman", "vsftpd", "proftpd", "pure-ftpd"), _ONE_PASSWORD),
    **dict.fromkeys(("sddm", "i3lock", "gtklock"), _ONE_FIELD),
    **dict.fromkeys(
        ("gdm-autologin", "lightdm-autologin", "sddm-autologin", "gdm-launch-environment", "lightdm-greeter",
         "sddm-greeter", "cron", "crond", "atd", "systemd-user", "runuser", "runuser-l"),
        _NO_PERSON,
    ),
}  # fmt: skip
_DEPENDS = {
    "lightdm": "on the greeter: lightdm-gtk-greeter shows a second prompt, elementary's does not",
    "polkit-1": "on the agent of the desktop: pkttyagent shows a second prompt, KDE's may not",
}


def refuse_unsuitable(service: str, asks_again: bool) -> None:
    """`asks_again`: whether the operator has stated that the service's program shows a second prompt."""
    if service in REFUSED:
        raise FleetMfaError(
            f"PAM service {service} cannot ask for a token after the password: {REFUSED[service]}; leave it out "
            "(mfa_services)"
        )
    if service not in ASKS_AGAIN and not asks_again:
        known = f"that depends {_DEPENDS[service]}" if service in _DEPENDS else "it is not known here"
        raise FleetMfaError(
            f"PAM service {service}: whether its program shows a second prompt, for the token, {known}; try it on one "
            "host and name it in mfa_services_tried too (option asks_again), or leave it out (mfa_services)"
        )
