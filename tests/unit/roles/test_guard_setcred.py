# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""pam_setcred of the real libpam goes through the role's lines, with jumps and pam_deny among them, and on to the host's own."""

from __future__ import annotations

import pytest

from ansible_collections.fleetmfa.ssh.tests.support import libpam
from ansible_collections.fleetmfa.ssh.tests.support.pam_logins import SERVICE

FACTORS = ("publickey+totp", "password+totp", "either")
HOSTS_OWN = "auth required pam_permit.so"


def call(host, name, **options):
    return libpam.call(name, host.folder / "pam.d", SERVICE, host.user, **options)


@pytest.fixture(params=[*FACTORS, "remembered"])
def service(host, request):
    settings = {"remember_seconds": 3600} if request.param == "remembered" else {"factors": request.param}
    host.write_service(**settings)
    host.write_lines([*host.lines, HOSTS_OWN])
    return host


def test_in_a_process_that_has_not_authenticated(service):
    """As sshd calls it: keyboard-interactive was in another process, after a key there was none."""
    assert call(service, "pam_setcred") == libpam.SUCCESS
    service.write_lines([*service.lines, "auth required pam_debug.so cred=cred_unavail"])
    assert call(service, "pam_setcred") != libpam.SUCCESS, "the host's own lines are reached"


def test_after_a_login_in_the_same_process(service):
    """libpam then takes the way that it took for the login."""
    assert call(service, "pam_setcred", answer=service.token, after=["pam_authenticate"]) == libpam.SUCCESS


def test_a_deny_line_that_does_not_let_it_pass_is_noticed(service):
    service.write_lines([line.replace("cred_err=ignore ", "") for line in (*service.lines, HOSTS_OWN)])
    assert call(service, "pam_setcred") != libpam.SUCCESS
