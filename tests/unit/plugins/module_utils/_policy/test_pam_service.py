# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Which PAM service users have without us, whichever OpenSSH is installed, and what enforced users must not lose of it."""

from __future__ import annotations

import pytest

from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.config import PamConfig
from ansible_collections.fleetmfa.ssh.plugins.module_utils._policy.pam_service import PamServices
from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.config import SshdConfig
from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.login import Login
from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.match import Connection, user_part_holds
from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.pam_service import BaseServices, service_of
from ansible_collections.fleetmfa.ssh.tests.support.sshd_host import ALICE, BOB, GROUP

INCLUDES = "".join(f"{kind} include ssh-corp\n" for kind in ("auth", "account", "password", "session"))
CORP = "auth required pam_unix.so\naccount required pam_access.so\nsession required pam_limits.so\n"


class Reader:
    """A PolicyReader of an sshd that knows PAMServiceName."""

    def __init__(self, folder, text):
        path = folder / "sshd_config"
        path.write_text(text)
        self.config = SshdConfig(str(path))

    def global_settings(self):
        return self._settings(lambda directive: not directive.matches)

    def settings(self, account, connection):
        below = self._settings(lambda directive: directive.matches and user_part_holds(directive.matches[-1], account))
        return below or self.global_settings()

    def _settings(self, counts):
        found = [list(directive.arguments) for directive in self.config.directives if counts(directive)]
        return {"pamservicename": found[0]} if found else {}

    def connections(self):
        return [Connection()]


@pytest.mark.parametrize(
    ("text", "services"),
    [
        ("", ["sshd"]),
        ("PAMServiceName ssh-corp\n", ["ssh-corp"]),
        ("pamservicename SSH-Corp\n", ["ssh-corp"]),
        ("Match User alice\n PAMServiceName ssh-corp\n", ["ssh-corp", "sshd"]),
        ("Match User carol\n PAMServiceName ssh-corp\n", ["ssh-corp", "sshd"]),  # whom the host may get tomorrow
        ("Match User *\n PAMServiceName ssh-corp\n", ["ssh-corp"]),
    ],
)
def test_services_of_a_host(tmp_path, text, services):
    assert BaseServices(Reader(tmp_path, text)).all([ALICE, BOB]) == services


def test_a_folder_is_no_part_of_the_name():
    assert service_of({"pamservicename": ["/etc/pam.d/Corp"]}) == "corp"


@pytest.mark.parametrize(
    ("name", "lines", "found"),
    [
        ("sshd-mfa", "auth requisite pam_google_authenticator.so\n" + INCLUDES, set()),
        (
            "sshd-mfa",
            "auth requisite pam_google_authenticator.so\n" + INCLUDES.replace("ssh-corp", "sshd"),
            {"pam_rules_lost"},
        ),
        ("sshd-mfa", INCLUDES, {"pam_token_not_asked"}),
        ("sshd-mfa", "auth requisite pam_google_authenticator.so\n@include gone\n", {"pam_rules_lost"}),
        ("ssh-corp", CORP, {"pam_token_not_asked"}),
        ("ssh-corp", "auth requisite pam_google_authenticator.so\n" + CORP, set()),
    ],
)
def test_what_enforced_users_get_in_place_of_their_service(tmp_path, name, lines, found):
    base = BaseServices(Reader(tmp_path, "PAMServiceName ssh-corp\n"))
    files = {
        "other": "auth required pam_deny.so\n",
        "sshd": "account required pam_unix.so\n",
        "ssh-corp": CORP,
        name: lines,
    }
    pam = PamServices(PamConfig(str(tmp_path / "pam.d"), files), base, GROUP)
    assert pam.has_file(name) and not pam.has_file("gone")
    one = Login(ALICE, Connection(), {"pamservicename": [name]})
    assert {finding.id for finding in pam.findings(one)} == found


LISTED = "auth required pam_listfile.so item=user sense=deny file=/etc/denied onerr=succeed\n"
TOKEN = "auth requisite pam_google_authenticator.so\n"
ALONE = f"auth sufficient pam_succeed_if.so quiet user ingroup {GROUP}\n"
BOTH = "AuthenticationMethods publickey,keyboard-interactive"


@pytest.mark.parametrize(
    ("before", "host", "ours", "found"),
    [
        (BOTH, LISTED, TOKEN + ALONE, {"pam_auth_rules_skipped"}),
        (BOTH, "auth required pam_succeed_if.so user ingroup staff\n", TOKEN + ALONE, {"pam_auth_rules_skipped"}),
        (BOTH, LISTED, TOKEN, set()),  # the password is asked for behind it
        (BOTH, "auth requisite pam_succeed_if.so uid >= 1000\n", TOKEN + ALONE, set()),
        ("AuthenticationMethods publickey", LISTED, TOKEN + ALONE, set()),  # it never counted
        ("AuthenticationMethods any", LISTED, TOKEN + ALONE, set()),
    ],
)
def test_rules_in_the_auth_part_that_counted_for_everybody(tmp_path, before, host, ours, found):
    class Before(Reader):
        def settings(self, account, connection):
            on = dict.fromkeys(
                ("pubkeyauthentication", "kbdinteractiveauthentication", "passwordauthentication"), ["yes"]
            )
            return {**on, "usepam": ["yes"], "authenticationmethods": [before.partition(" ")[2]]}

    block = f"# BEGIN fleetmfa.ssh\n{ours}# END fleetmfa.ssh\n"
    rest = host + "auth required pam_unix.so\n"
    pam = PamServices(PamConfig(str(tmp_path), {"sshd": block + rest}), BaseServices(Before(tmp_path, "")), GROUP)
    one = Login(ALICE.joined(GROUP), Connection(), {})
    assert {finding.id for finding in pam.findings(one)} == found
    assert not list(pam.findings(Login(BOB.left(GROUP), Connection(), {})))
