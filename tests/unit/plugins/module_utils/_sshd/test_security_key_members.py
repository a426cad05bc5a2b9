# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""The role's lines for users of security keys: each is needed, sshd is asked whether it holds, and nobody who is enforced gains by them."""

from __future__ import annotations

import pytest

from ansible_collections.fleetmfa.ssh.plugins.module_utils._findings import FindingsError
from ansible_collections.fleetmfa.ssh.plugins.module_utils._policy.audit import Audit
from ansible_collections.fleetmfa.ssh.plugins.module_utils._policy.security_key_users import FOLDER
from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.match import Account
from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.plan import Surroundings, plan_sshd_totp
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.accounts import SECURITY_KEY_GROUP
from ansible_collections.fleetmfa.ssh.tests.support.security_key_lines import security_key_lines
from ansible_collections.fleetmfa.ssh.tests.support.sshd_host import (
    ALICE,
    BOB,
    DEBIAN,
    GROUP,
    ROOT,
    SshdHost,
    needs_sshd,
)

pytestmark = needs_sshd
CAROL = Account("carol", 1003, frozenset({"carol", SECURITY_KEY_GROUP}))
BOTH = Account("dora", 1004, frozenset({"dora", SECURITY_KEY_GROUP, GROUP}))
LINES = security_key_lines()
# Of mfa_factors: password+totp, which needs no public key.
POLICY = f"""\
Match Group {GROUP}
    KbdInteractiveAuthentication yes
    PasswordAuthentication no
    AuthenticationMethods keyboard-interactive:pam
"""
NOT_FOR_ROOT = ("AuthenticationMethods",)  # PermitRootLogin prohibit-password
# A host whose own settings undo each line that is not ours.
HOST = (
    "PubkeyAuthentication no\nPasswordAuthentication yes\nAuthorizedKeysCommand /usr/bin/keys\nAuthorizedKeysCommandUser nobody\n"
    "TrustedUserCAKeys /etc/ssh/authorities\nPubkeyAuthOptions touch-required\n" + DEBIAN
)


class Host(SshdHost):
    def plan(self, content, sshd_config=HOST, accounts=(ALICE, BOB, CAROL, BOTH, ROOT)):
        self.write(sshd_config)
        self.surroundings = Surroundings(lambda *_: [*accounts], lambda config: [])
        return plan_sshd_totp(self.wish(content=content), self.surroundings)

    def refused(self, content):
        """The findings because of which the plan is refused, with their evidence."""
        with pytest.raises(FindingsError) as error:
            self.plan(content)
        return {one.id: " ".join(one.evidence) for one in error.value.findings}

    def audit(self, dropin, earlier=""):
        self.write(HOST, {"00-a.conf": earlier, **({"00-fleetmfa.conf": dropin} if dropin else {})})
        surroundings = Surroundings(lambda *_: [ALICE, BOB, CAROL, BOTH], lambda config: [])
        return Audit(self.audit_wish(), surroundings, lambda *_: []).report()


@pytest.fixture
def host(tmp_path):
    return Host(tmp_path)


def verdicts(report):
    return {user: one["verdict"] for one in report["classes"] for user in one["examples"]}


def told(report, finding):
    return [text for one in report["findings"] if one["id"] == finding for text in one["evidence"]]


def test_the_lines_hold_on_any_host(host):
    assert [change.path for change in host.plan(LINES + POLICY)[0]] == [str(host.path)]
    report = host.audit(LINES + POLICY)
    assert not [one for one in report["findings"] if one["id"].startswith("sshd_security") or "carol" in str(one)]
    by_user = verdicts(report)
    assert by_user["carol"] == "not_asked"
    assert by_user["alice"] == by_user["dora"], "whoever is in both groups is asked like everybody who is enforced"


def test_whoever_is_in_both_groups_has_the_settings_of_the_enforced(host):
    host.write(DEBIAN, {"00-fleetmfa.conf": LINES + POLICY})
    surroundings = Surroundings(lambda *_: [ALICE, CAROL, BOTH], lambda config: [])
    classes = Audit(host.audit_wish(), surroundings, lambda *_: []).report()["classes"]
    needs = {user: [*one["needs"]] for one in classes for user in one["examples"]}
    token = [("keyboard-interactive:pam",)]
    assert needs == {"alice": token, "dora": token, "carol": [("publickey",)]}


def test_the_folder_is_the_one_that_the_module_writes():
    assert f"    AuthorizedKeysFile {FOLDER}/%u\n" in LINES


def test_the_name_of_a_keyword_before_openssh_8_5():
    old = security_key_lines((8, 4))
    assert old == LINES.replace("PubkeyAcceptedAlgorithms", "PubkeyAcceptedKeyTypes") != LINES
    assert security_key_lines((8, 5)) == security_key_lines((10, 0)) == LINES


def test_without_the_variable_the_drop_in_is_that_of_earlier_versions():
    assert security_key_lines(security_keys=[]) == ""


@pytest.mark.parametrize(
    ("keyword", "finding", "evidence"),
    [
        ("PubkeyAuthentication", "sshd_method_disabled", "sshd_config:1: "),
        ("PubkeyAcceptedAlgorithms", "sshd_security_key_not_demanded", "other keys than security keys are taken"),
        ("PubkeyAuthOptions", "sshd_security_key_not_demanded", "PIN or fingerprint is not required"),
        ("AuthorizedKeysFile", "sshd_security_key_not_demanded", "not only root may add keys"),
        ("AuthorizedKeysCommand", "sshd_security_key_not_demanded", "sshd_config:3: "),
        ("TrustedUserCAKeys", "sshd_security_key_not_demanded", "sshd_config:5: "),
        ("AuthenticationMethods", "sshd_security_key_not_demanded", "password let the user in without the key"),
    ],
)
def test_without_one_of_the_lines_nothing_is_changed(host, keyword, finding, evidence):
    kept = [line for line in LINES.splitlines(keepends=True) if not line.startswith(f"    {keyword} ")]
    assert len(kept) == len(LINES.splitlines()) - 1
    refused = host.refused("".join(kept) + POLICY)
    assert [*refused] == [finding] and evidence in refused[finding]
    assert refused[finding].startswith("carol from ") and ("root from " in refused[finding]) == (
        keyword not in NOT_FOR_ROOT
    )


def test_every_line_is_tried():
    assert len([line for line in LINES.splitlines() if line.startswith("    ")]) == 7


@pytest.mark.parametrize(
    ("line", "evidence"),
    [
        ("AuthenticationMethods publickey password", "password let the user in without the key: "),
        ("AuthorizedKeysFile .ssh/authorized_keys", "not only root may add keys"),
        ("AuthorizedKeysCommand /usr/bin/keys", "not only the files of root say which keys are taken: "),
        ("PubkeyAuthOptions none", "PIN or fingerprint is not required: "),
        ("PubkeyAcceptedAlgorithms *", "other keys than security keys are taken: "),
    ],
)
def test_an_audit_finds_lines_of_others_that_are_read_before(host, line, evidence):
    found = told(host.audit(LINES + POLICY, f"Match User carol\n    {line}\n"), "sshd_security_key_not_demanded")
    [said] = found
    assert said.startswith("carol: ") and evidence in said and "00-a.conf:2 (below" in said


def test_only_some_connections(host):
    earlier = "Match Address 10.0.0.0/8\n    PubkeyAuthOptions none\n"
    [said] = told(host.audit(LINES + POLICY, earlier), "sshd_security_key_not_demanded")
    assert said.startswith("carol from 10.0.0.0 to port 22: the key's PIN")


def test_a_block_that_lets_in_who_is_enforced_too_is_refused(host):
    both = LINES.replace(f",!{GROUP}", "")
    assert "sshd_policy_shadowed" in host.refused(both + POLICY)
    dora = [text for text in told(host.audit(both + POLICY), "sshd_publickey_without_token") if "dora" in text]
    assert dora and verdicts(host.audit(both + POLICY))["dora"] == "can_bypass"


def test_others_log_in_as_before(host):
    open_to_all = LINES.replace(f"{SECURITY_KEY_GROUP},!{GROUP}", f"{SECURITY_KEY_GROUP},*,!{GROUP}")
    assert "sshd_changes_others" in host.refused(open_to_all + POLICY)


@pytest.mark.parametrize("dropin", ["", POLICY])
def test_an_audit_finds_members_of_whom_no_security_key_is_demanded(host, dropin):
    found = told(host.audit(dropin), "sshd_security_key_not_demanded")
    assert any("carol: other keys than security keys are taken" in text for text in found)
    assert not any(name in text for text in found for name in ("alice", "bob"))
