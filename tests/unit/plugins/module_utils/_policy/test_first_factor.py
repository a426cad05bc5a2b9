# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Whether a user has what goes with the token, as the real sshd's settings and the account say."""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.options import MfaHost
from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.config import PamConfig
from ansible_collections.fleetmfa.ssh.plugins.module_utils._policy.first_factor import (
    FACTORS,
    first_factors,
    judge,
    refuse,
    refused,
)
from ansible_collections.fleetmfa.ssh.plugins.module_utils._policy.lock_out import refuse_first_factor_lost
from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.binary import Sshd
from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.config import SshdConfig
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.files import FileChange
from ansible_collections.fleetmfa.ssh.tests.support.sshd_host import DEBIAN, GROUP, POLICY, SshdHost, needs_sshd

pytestmark = needs_sshd
PASSWORD_POLICY = POLICY.replace("publickey,", "")
EITHER_POLICY = POLICY.replace(":pam\n", ":pam keyboard-interactive:pam\n")
HASH = "$y$j9T$abcdefghijklmnopqrstuv$0123456789012345678901234567890123456789012"


class Host:
    """The test's own /etc, an sshd configuration, and homes that users can read."""

    def __init__(self, accounts, folder, homes):
        self.accounts, self.sshd_host, self.homes = accounts, SshdHost(folder), homes
        self.pam = PamConfig(str(folder / "pam.d"))
        (folder / "pam.d").mkdir()
        self.write_pam("pam_unix.so")

    def write_pam(self, *modules):
        Path(self.pam.confdir, "sshd").write_text("".join(f"auth sufficient {module}\n" for module in modules))

    def home(self, user):
        home = self.homes / user
        shutil.rmtree(home, ignore_errors=True)
        home.mkdir()
        passwd = Path("/etc/passwd")
        text = re.sub(rf"^({user}:.*):/[^:\n]*:([^:\n]*)$", rf"\1:{home}:\2", passwd.read_text(), flags=re.MULTILINE)
        passwd.write_text(text)
        return home

    def add_key(self, user):
        home = self.home(user)
        (home / ".ssh").mkdir()
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", home / "id"], check=True)
        (home / "id.pub").rename(home / ".ssh/authorized_keys")  # root's, and everybody may read it

    def set_password(self, user, field):
        shadow = Path("/etc/shadow")
        lines = [line for line in shadow.read_text().splitlines() if not line.startswith(f"{user}:")]
        shadow.write_text("\n".join([*lines, f"{user}:{field}:20000:0:99999:7:::", ""]))

    def answers(self, policy, *users, factors=None, sshd_config=DEBIAN, enforced=True):
        self.sshd_host.write(sshd_config, {"00-fleetmfa.conf": policy} if policy else {})
        sshd = Sshd(str(self.sshd_host.sshd))
        config = SshdConfig(str(self.sshd_host.config), version=sshd.version)
        with first_factors(GROUP, config, sshd, self.pam, factors) as judged:
            return judged.answers(users, enforced)

    def state(self, policy, user="alice", **options):
        return self.answers(policy, user, **options)[user].state


@pytest.fixture
def host(accounts, tmp_path):
    accounts.add_group(GROUP)
    homes = Path(tempfile.mkdtemp(prefix="homes-", dir="/var/lib"))
    homes.chmod(0o755)
    made = Host(accounts, tmp_path, homes)
    for user in ("alice", "bob"):
        made.home(user)
        made.set_password(user, "!")
    yield made
    shutil.rmtree(homes)


@pytest.mark.parametrize(
    ("has_key", "password", "expected"),
    [
        (False, "!", ("cannot", "cannot", "cannot")),
        (True, "!", ("can", "cannot", "can")),
        (False, HASH, ("cannot", "can", "can")),
        (True, HASH, ("can", "can", "can")),
        (False, f"!{HASH}", ("cannot", "cannot", "cannot")),
        (False, "*", ("cannot", "cannot", "cannot")),
        (False, "", ("cannot", "cannot", "cannot")),
    ],
)
def test_key_and_password_under_each_policy(host, has_key, password, expected):
    if has_key:
        host.add_key("alice")
    host.set_password("alice", password)
    policies = (POLICY, PASSWORD_POLICY, EITHER_POLICY)
    assert tuple(host.state(policy) for policy in policies) == expected
    # The same where the policy is only about to come.
    assert tuple(host.state("", factors=factors) for factors in FACTORS) == expected


def test_passwords_of_a_directory_cannot_be_known(host):
    for modules, state in (
        (("pam_unix.so", "pam_sss.so"), "unknown"),
        (("pam_ldap.so",), "unknown"),
        (("pam_unix.so",), "cannot"),
        (("pam_permit.so",), "cannot"),
    ):
        host.write_pam(*modules)
        assert host.state(PASSWORD_POLICY) == state, modules
    host.write_pam("pam_unix.so")
    host.set_password("alice", HASH)
    assert host.state(PASSWORD_POLICY) == "can"
    shadow = Path("/etc/shadow")
    shadow.write_text("".join(line for line in shadow.open() if not line.startswith("alice:")))
    assert host.state(PASSWORD_POLICY) == "unknown"


def test_a_match_line_counts(host):
    host.add_key("alice")
    elsewhere = f"{DEBIAN}Match User alice\n    AuthorizedKeysFile /etc/ssh/nowhere/%u\n"
    assert host.state(POLICY, sshd_config=elsewhere) == "cannot"
    off = f"{DEBIAN}PubkeyAuthentication no\n"
    told = host.answers(POLICY, "alice", sshd_config=off)["alice"]
    assert told.state == "cannot" and "sshd does not offer publickey (pubkeyauthentication no)" in told.reason
    # From one address only is better than from none.
    one_address = f"{DEBIAN}Match Address 10.1.2.3\n    AuthorizedKeysFile /etc/ssh/nowhere/%u\n"
    assert host.state(POLICY, sshd_config=one_address) == "can"


def test_who_is_not_admitted_is_not_judged(host):
    assert host.state(POLICY, sshd_config=f"{DEBIAN}AllowUsers bob\n") == "can"


def test_who_is_not_enforced_needs_any_one_way(host):
    assert host.state(POLICY, enforced=False) == "cannot"
    host.set_password("alice", HASH)
    assert host.state(POLICY, enforced=False) == "can"


def test_what_is_refused(host):
    host.write_pam("pam_sss.so")
    told = host.answers(EITHER_POLICY, "alice", "bob", "no-such-user")
    assert {user: one.state for user, one in told.items()} == {"alice": "unknown", "bob": "unknown"}
    assert set(refused(told, "error")) == {"alice", "bob"} and refused(told, "accept") == {}
    with pytest.raises(
        FleetMfaError, match=r"user 'alice' may not be able .*; user 'bob' .*mfa_unknown_first_factor: accept"
    ):
        refuse(refused(told, "error"))


def test_without_sshd_nothing_is_known(host):
    assert judge(["alice"], GROUP)["alice"].state == "unknown"  # the test's /etc has no sshd_config
    assert judge([], GROUP) == {}


@pytest.mark.parametrize(
    ("before", "after", "has_key", "password", "is_refused"),
    [
        (PASSWORD_POLICY, POLICY, False, HASH, True),
        (PASSWORD_POLICY, POLICY, True, HASH, False),
        (POLICY, PASSWORD_POLICY, True, "!", True),
        (EITHER_POLICY, POLICY, False, HASH, True),
        (POLICY, EITHER_POLICY, True, "!", False),
        (POLICY, PASSWORD_POLICY, False, "!", False),  # could not log in before, either
        ("", POLICY, False, HASH, True),
    ],
)
def test_a_switch_of_factors(host, tmp_path, before, after, has_key, password, is_refused):
    if has_key:
        host.add_key("alice")
    host.set_password("alice", password)
    subprocess.run(["gpasswd", "-a", "alice", GROUP], check=True, capture_output=True)
    host.answers(before)  # writes the configuration
    place = host.sshd_host
    options = {"state_dir": str(tmp_path / "state"), "group": GROUP, "exempt_users": [], "exempt_groups": []}
    changes = [FileChange(str(place.path), after.encode())]
    call = (changes, Sshd(str(place.sshd)), str(place.config))
    if not is_refused:
        refuse_first_factor_lost(*call, MfaHost.from_options(options), host.pam, "error")
        return
    with pytest.raises(FleetMfaError, match="nothing was changed: user 'alice' could not log in any more"):
        refuse_first_factor_lost(*call, MfaHost.from_options(options), host.pam, "accept")
    options["exempt_users"] = ["alice"]  # who is about to leave the group is not shut out
    refuse_first_factor_lost(*call, MfaHost.from_options(options), host.pam, "error")
