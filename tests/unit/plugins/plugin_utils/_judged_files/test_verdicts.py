# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Verdicts on folders: the real sshd is asked about each, and real logins have judged the published pairs."""

from __future__ import annotations

import pytest

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.block import block
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._judged_files.text import summary
from ansible_collections.fleetmfa.ssh.tests.support.judged_folder import GATED, MAIN, JudgedEtc
from ansible_collections.fleetmfa.ssh.tests.support.pair_host import PAIRS
from ansible_collections.fleetmfa.ssh.tests.support.sshd_host import GROUP, POLICY, needs_sshd
from ansible_collections.fleetmfa.ssh.tests.support.token_lines import token_lines

pytestmark = needs_sshd
# Their verdict is about alice, and another user gets another one.
ABOUT_ALICE = {"the same for somebody outside the group", "a list of who may log in, in the account part"}
OF_FOLDERS = [pair for pair in PAIRS if pair.get("key", True) and pair["pair"] not in ABOUT_ALICE]
NO_TOKEN = "    AuthenticationMethods publickey\n"


@pytest.fixture
def etc(tmp_path):
    return JudgedEtc(tmp_path / "etc")


@pytest.mark.parametrize("pair", OF_FOLDERS, ids=lambda pair: pair["pair"])
def test_published_pairs(etc, pair):
    etc.remove("ssh/sshd_config.d/00-mfa.conf")
    etc.write("ssh/sshd_config", pair["sshd_config"])
    etc.write("pam.d/sshd", pair["pam"] + ("" if "\naccount" in pair["pam"] else "account required pam_unix.so\n"))
    for name, text in pair.get("files", {}).items():
        etc.write(name, text)
    who = "enforced users" if pair.get("enforced", True) else "other users"
    found = next(one for one in etc.judged() if one.users == who)
    assert found.verdict == pair["verdict"]
    assert bool(found.reason) == (pair["verdict"] == "locked_out") and not found.denied
    if pair["verdict"] == "can_bypass":
        assert found.counterexample[0]["method"] == "connect" and not any(
            "token" in step["answer"] for step in found.counterexample
        )


def test_there_are_pairs_of_each_kind():
    assert len(OF_FOLDERS) > 20
    assert {pair["verdict"] for pair in OF_FOLDERS} == {"asked", "not_asked", "can_bypass", "locked_out"}


def test_a_folder_as_wanted(etc):
    """Without the rights of root it is the same: test_without_root.py."""
    found = {one.users: one for one in etc.judged()}
    assert found["enforced users"].verdict == "asked" and found["other users"].verdict == "not_asked"
    where = found["enforced users"].where
    dropin = etc.path / "ssh/sshd_config.d/00-mfa.conf"
    assert where[0] == (
        f"{dropin}:3 (below `Match Group {GROUP}`, line 1): authenticationmethods publickey,keyboard-interactive:pam"
    )
    assert where[1] == f"{etc.path}/ssh/sshd_config:3: usepam yes"
    assert where[2] == f"{etc.path}/pam.d/sshd:2: auth pam_google_authenticator.so"
    assert etc.unwanted() == {}


def test_a_folder_that_remembers(etc):
    settings = {"own_service": False, "second_device": False, "remember_seconds": 3600}
    lines = token_lines("/usr/local/libexec/fleetmfa", "/var/lib/fleetmfa", **settings)
    service = (etc.path / "pam.d/sshd").read_text().partition("@include")[1:]
    etc.write("pam.d/sshd", block(lines.encode(), "a test").decode() + "".join(service))
    found = {one.users: one for one in etc.judged()}
    asked, others = found["enforced users"], found["other users"]
    assert (asked.verdict, asked.remembered_seconds) == ("asked", 3600)
    assert (others.verdict, others.remembered_seconds) == ("not_asked", 0)
    assert "asked (a token is remembered for 3600 seconds)" in summary(etc.compared(), "etc", (9, 2), GROUP)
    etc.write("pam.d/sshd", lines + "".join(service))
    assert {one.users: one.verdict for one in etc.judged()}["enforced users"] == "can_bypass"


@pytest.mark.parametrize(
    ("match", "users", "exempt"),
    [
        ("Match Group sudo", "enforced users in sudo", {"groups": ("sudo",)}),
        ("Match Group sudo,adm", "enforced users in sudo or adm", {"groups": ("sudo", "adm")}),
        ("Match Group *,!ops Group sudo", "enforced users in sudo", {"groups": ("sudo",)}),
        ("Match User git", "git (enforced)", {"users": ("git",)}),
        ("Match User root", "root (enforced)", {"users": ("root",)}),
        ("Match Group sudo User git", "git (enforced) in sudo", {"users": ("git",)}),
    ],
)
def test_whoever_a_match_line_names_is_judged(etc, match, users, exempt):
    etc.write("ssh/sshd_config.d/00-mfa.conf", f"{match}\n{NO_TOKEN}{POLICY}")
    assert etc.unwanted() == {users: "can_bypass"}
    found = next(one for one in etc.compared() if not one.ok)
    assert (
        f"sshd_config.d/00-mfa.conf:2 (below `{match}`, line 1): authenticationmethods publickey"
        in found.judged.where[0]
    )
    assert "mfa_exempt_users" in found.remedy
    assert etc.unwanted(**exempt) == {}


def test_places_of_allowed_users(etc):
    """alice is let in from the office only, and without a token from a part of it."""
    allowed = f"AllowUsers alice@10.0.0.0/8\n{POLICY}"
    etc.write("ssh/sshd_config.d/00-mfa.conf", allowed)
    alice = next(one for one in etc.judged() if one.users == "alice (enforced)")
    assert alice.verdict == "asked" and not alice.denied and etc.unwanted() == {}
    etc.write("ssh/sshd_config.d/00-mfa.conf", f"Match Address 10.1.0.0/16\n{NO_TOKEN}Match all\n{allowed}")
    assert etc.unwanted() == {"alice (enforced)": "can_bypass"}
    found = next(one for one in etc.compared() if not one.ok)
    assert found.judged.counterexample[0]["effect"].startswith("as alice from 10.1.")
    etc.write("ssh/sshd_config.d/00-mfa.conf", "AllowUsers alice@10.0.0.0/8\n")
    assert etc.unwanted() == {"alice (enforced)": "can_bypass"}


def test_denied_by_name_is_as_wanted_but_not_for_everybody(etc):
    etc.write("ssh/sshd_config.d/00-mfa.conf", f"AllowGroups staff\n{POLICY}")
    denied = {one.users for one in etc.judged() if one.denied}
    assert {"enforced users", "other users"} <= denied and etc.unwanted() == {}
    assert etc.unwanted(groups=("staff",))["enforced users"] == "locked_out"


def test_groups_that_sshd_does_not_tell_apart_may_be_apart_in_pam(etc):
    etc.write("ssh/sshd_config.d/00-mfa.conf", f"AllowGroups staff guests\n{POLICY}")
    etc.write("pam.d/sshd", f"auth sufficient pam_succeed_if.so user notingroup staff\n{GATED}")
    assert etc.unwanted() == {"enforced users in staff or guests": "can_bypass"}


def test_pam_lines_about_exempt_users(etc):
    etc.write("pam.d/sshd", f"auth sufficient pam_succeed_if.so user in deploy:backup\n{GATED}")
    assert etc.unwanted() == {"enforced users": "can_bypass"}
    assert etc.unwanted(users=("deploy",)) == {"enforced users": "can_bypass"}
    assert etc.unwanted(users=("deploy", "backup")) == {}
    etc.write(
        "pam.d/sshd", f"auth sufficient pam_listfile.so item=user sense=allow file=/etc/ssh/free onerr=fail\n{GATED}"
    )
    etc.write("ssh/free", "deploy\n")
    (etc.path / "ssh/free").chmod(0o666)  # as some CI systems check files out
    assert etc.unwanted() == {"enforced users": "can_bypass"}
    assert etc.unwanted(users=("deploy",)) == {}


def test_other_users(etc):
    """Everybody is asked: wanted or not, as the operator says."""
    everybody = POLICY.partition("\n")[2]
    etc.write("ssh/sshd_config.d/00-mfa.conf", f"PermitRootLogin no\n{everybody}")
    etc.write("pam.d/sshd", GATED.partition("\n")[2].replace("auth sufficient", "#"))
    assert etc.unwanted() == {"other users": "asked"}
    assert "mfa_judge_others=asked" in next(one for one in etc.compared() if not one.ok).remedy
    assert etc.unwanted("asked") == etc.unwanted("any") == {}
    assert etc.unwanted("any", users=("deploy",)) == {"deploy (exempt)": "asked"}
    etc.write("ssh/sshd_config.d/00-mfa.conf", everybody)
    assert etc.unwanted("any") == {"root (not enforced)": "locked_out"}  # with prohibit-password, the default


def test_other_users_who_are_not_asked(etc):
    assert etc.unwanted("any") == {}
    assert etc.unwanted("asked") == {"other users": "not_asked"}
    assert etc.unwanted("asked", groups=("staff",)) == {"other users": "not_asked"}


def test_locked_out(etc):
    etc.write("ssh/sshd_config", f"{MAIN}PubkeyAuthentication no\nPasswordAuthentication no\n")
    assert etc.unwanted() == {"enforced users": "locked_out", "other users": "locked_out"}
    enforced = next(one for one in etc.judged() if one.users == "enforced users")
    assert f"{etc.path}/ssh/sshd_config:4: pubkeyauthentication no" in enforced.where
    etc.write("ssh/sshd_config", MAIN)
    etc.write("pam.d/sshd", GATED.replace("account required pam_unix.so", "account required pam_deny.so"))
    found = next(one for one in etc.judged() if one.users == "enforced users")
    assert found.verdict == "locked_out" and f"{etc.path}/pam.d/sshd:5: pam_deny.so" in found.reason


@pytest.mark.parametrize("permitted", ["yes", "prohibit-password", "no"])
def test_root_may_be_denied(etc, permitted):
    """Except with `yes`, root passes no keyboard-interactive, so it cannot be enforced: that is no fault of the files."""
    etc.write("ssh/sshd_config", f"{MAIN}PermitRootLogin {permitted}\n")
    assert etc.unwanted() == {}


def test_more_groups_than_can_be_judged(etc):
    lines = "".join(f"Match Group group{number}\n    X11Forwarding no\n" for number in range(12))
    etc.write("ssh/sshd_config.d/00-mfa.conf", POLICY + lines)
    with pytest.raises(FleetMfaError, match="tell 12 groups and 1 users apart, too many"):
        etc.judged()
