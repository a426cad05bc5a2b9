# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""A host that asks for a token by lines of its own: who has an entry for that in the app is told, and no key is read."""

from __future__ import annotations

import os
import pwd

import pytest

from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.config import PamConfig
from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.host_tokens import host_token_lines
from ansible_collections.fleetmfa.ssh.plugins.module_utils._policy.audit import Audit
from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.match import Account
from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.plan import Surroundings
from ansible_collections.fleetmfa.ssh.tests.support.sshd_host import DEBIAN, GROUP, POLICY, SshdHost, needs_sshd

pytestmark = needs_sshd

GUIDE = "auth required pam_google_authenticator.so nullok\n"
FOR_ALL = DEBIAN.replace("KbdInteractiveAuthentication no", "KbdInteractiveAuthentication yes")
FOR_ALL += "AuthenticationMethods publickey,keyboard-interactive\n"
USERS = ("alice", "bob", "carol", "dave")


@pytest.fixture
def homes(tmp_path, monkeypatch):
    """alice, bob and dave have a file of the guide's."""
    folder = tmp_path / "home"

    def entry(user):
        return pwd.struct_passwd((user, "x", 1001, 1001, "", str(folder / user), "/bin/sh"))

    monkeypatch.setattr(pwd, "getpwnam", entry)
    for user in USERS:
        (folder / user).mkdir(parents=True)
    for user in ("alice", "bob", "dave"):
        (folder / user / ".google_authenticator").touch()
    return folder


@pytest.fixture
def told(tmp_path, homes):
    """What is told of a host with these PAM lines; dave is enforced."""
    host = SshdHost(tmp_path)

    def evidence(pam_lines, sshd_config=FOR_ALL, users=USERS, **wish):
        host.write(sshd_config, {"00-fleetmfa.conf": POLICY})
        groups = {"dave": frozenset({GROUP})}
        accounts = [Account(user, 1001 + uid, groups.get(user, frozenset())) for uid, user in enumerate(users)]
        pam = PamConfig(str(tmp_path / "pam.d"), {"sshd": pam_lines, "other": "auth required pam_deny.so\n"})
        report = Audit(host.audit_wish(**wish), Surroundings(lambda *_: accounts, lambda _: []), pam=pam).report()
        return [text for one in report["findings"] if one["id"] == "host_tokens" for text in one["evidence"]]

    return evidence


def test_users_of_the_popular_guide(told, tmp_path):
    asked, everybody = told(GUIDE)
    line = f"{tmp_path}/pam.d/sshd:1 pam_google_authenticator.so"
    assert asked == f"{line}: 2 users with ~/.google_authenticator: alice, bob"
    assert everybody.endswith(":7: authenticationmethods publickey,keyboard-interactive is for everybody")


def test_users_who_are_enforced_or_exempt_do_not_count(told):
    assert "1 user with" in told(GUIDE, exempt_users=["bob"])[0]
    assert told(GUIDE, users=["dave", "carol"]) == []


def test_nothing_to_tell(told):
    ours = "# BEGIN fleetmfa.ssh\nauth required pam_google_authenticator.so\n# END fleetmfa.ssh\n"
    assert told(ours) == [], "our own lines"
    assert told("auth required pam_unix.so\n") == []
    assert told(GUIDE, FOR_ALL.replace("UsePAM yes", "UsePAM no")) == [], "sshd runs no PAM"
    half_a_block = PamConfig("/nowhere", {"sshd": "# BEGIN fleetmfa.ssh\n" + GUIDE})
    assert host_token_lines(half_a_block, ["sshd"]) == [], "a run is refused for that anyway"


@pytest.mark.parametrize(
    ("option", "names"),
    [
        ("secret=~/.google_authenticator", True),
        ("secret=${HOME}/.google_authenticator", True),
        ("secret=HOMES/${USER}/.google_authenticator", True),
        ("user=root secret=HOMES/${USER}/.google_authenticator", True),
        ("[secret=HOMES/${USER}/.google_authenticator]", True),
        ("secret=HOMES/${USER}/.another", False),
        ("user=root secret=~/.google_authenticator", False),  # the module knows no home then, and denies
        ("secret=.google_authenticator", False),
    ],
)
def test_the_file_that_the_line_names(option, names, told, homes):
    found = told(f"auth required pam_google_authenticator.so {option.replace('HOMES', str(homes))}\n", DEBIAN)
    assert [text.rpartition(": ")[2] for text in found] == (["alice, bob"] if names else [])


def test_file_of_pam_oath_is_named_and_not_read(told):
    found = told("auth sufficient pam_oath.so usersfile=/etc/users.oath\n", DEBIAN)
    assert len(found) == 1 and found[0].endswith("pam_oath.so: the users in /etc/users.oath, which was not read")


def test_many_users_are_counted_and_some_named(told, homes):
    users = [f"user{number:03}" for number in range(300)]
    for user in users:
        (homes / user).mkdir()
        (homes / user / ".google_authenticator").touch()
    text = told(GUIDE, users=users)[0]
    assert "300 users with" in text and text.endswith("user009 and 290 more") and len(text) < 300


@pytest.mark.skipif(os.geteuid() != 0, reason="links of root and of others")
def test_homes_that_are_not_looked_at_are_counted(told, homes):
    (homes / "carol").rmdir()
    (homes / "carol").symlink_to(homes / "alice")
    os.chown(homes / "carol", 1003, 1003, follow_symlinks=False)
    assert [text for text in told(GUIDE) if "1 user whose ~/.google_authenticator was not checked" in text]


def test_no_key_is_opened(told, homes):
    for user in ("alice", "bob"):
        (homes / user / ".google_authenticator").unlink()
        os.mkfifo(homes / user / ".google_authenticator")  # opening it would wait for ever
    assert "2 users" in told(GUIDE)[0]
