# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""What is wrong with the login of an enforced user, as findings that name the deciding line. Private."""

from __future__ import annotations

from typing import Callable, Iterator

from ansible_collections.fleetmfa.ssh.plugins.module_utils._findings import Finding
from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.config import SshdConfig
from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.login import (
    KEYBOARD_INTERACTIVE,
    METHOD_KEYWORDS,
    Login,
    converses,
    deciding_line,
)
from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.pam_service import service_of
from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.verdict import AssumedPam

# The finding with this id, and the line that sets this keyword as evidence.
Told = Callable[[str, str], Finding]
_WITHOUT_TOKEN = {
    "publickey": "sshd_publickey_without_token",
    "password": "sshd_password_without_token",
    "hostbased": "sshd_hostbased_without_token",
    "gssapi-with-mic": "sshd_gssapi_without_token",
    "gssapi-keyex": "sshd_gssapi_without_token",
}


def findings_of_enforced(config: SshdConfig, one: Login, pam: AssumedPam) -> Iterator[Finding]:
    """What is wrong with this enforced user's login; `pam` are the PAM services as they will be then."""
    if not one.is_admitted:
        return  # denied by name (AllowUsers and so on), as the administrator intended

    def told(finding: str, keyword: str) -> Finding:
        return Finding(finding, (deciding_line(config, one, keyword),))

    if one.value("usepam") != "yes":
        yield told("sshd_pam_disabled", "usepam")
    elif not one.ways_in:
        yield from _lock_out(one, told)
    if not pam.has_file(service_of(one.settings)):
        yield told("sshd_pam_service_missing", "pamservicename")
    elif any(map(converses, one.ways_in)):
        yield from pam.findings(one)
    for way in one.ways_in:
        yield from _of_way(one, way, pam, told)


def _of_way(one: Login, way: tuple[str, ...], pam: AssumedPam, told: Told) -> Iterator[Finding]:
    if converses(way):
        if "password" in way:
            yield told("sshd_password_before_keyboard_interactive", "authenticationmethods")
        return
    if "password" in way and not pam.judge(one, way).without_token:
        return  # PAM wants the token as the password, or nobody gets in this way
    if one.takes_any_method:
        yield told("sshd_any_method", "authenticationmethods")
    for method in way:
        keyword = METHOD_KEYWORDS[method][0] if one.takes_any_method else "authenticationmethods"
        yield told(_WITHOUT_TOKEN[method], keyword)


def _lock_out(one: Login, told: Told) -> Iterator[Finding]:
    for way in one.demanded or [("publickey", KEYBOARD_INTERACTIVE)]:
        for method in way:
            keyword = one.disabled_by(method)
            if keyword == "permitrootlogin":
                yield told("sshd_root_cannot_pass", keyword)
            elif keyword and method.partition(":")[0] == KEYBOARD_INTERACTIVE and keyword != "authenticationmethods":
                yield told("sshd_keyboard_interactive_disabled", keyword)
            elif keyword:
                yield told("sshd_method_disabled", keyword)
