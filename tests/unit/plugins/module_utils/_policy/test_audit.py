# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""What a host's sshd does for each class of users, in a handful of questions, and what is held against it."""

from __future__ import annotations

import os
import time

import pytest

from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.key_file import KeyFile, KeySettings
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.origin import given_by_operator
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.state_dir import StateDir
from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.config import PamConfig
from ansible_collections.fleetmfa.ssh.plugins.module_utils._policy.audit import Audit
from ansible_collections.fleetmfa.ssh.plugins.module_utils._policy.key_presence import KeyFiles
from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.accounts import login_accounts
from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.binary import Sshd
from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.config import SshdConfig
from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.daemons import Daemon
from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.match import Account, Connection
from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.plan import Surroundings
from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.policy import PolicyReader, user_classes
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.block import block
from ansible_collections.fleetmfa.ssh.tests.support.enrollment_host import SECRET, provision
from ansible_collections.fleetmfa.ssh.tests.support.sshd_host import (
    ALICE,
    BOB,
    DEBIAN,
    GROUP,
    POLICY,
    ROOT,
    SshdHost,
    needs_sshd,
)
from ansible_collections.fleetmfa.ssh.tests.support.token_lines import token_lines
from ansible_collections.fleetmfa.ssh.tests.support.work import calls_made

pytestmark = needs_sshd

HOSTILE = (
    "Match Group wheel,staff\n X11Forwarding no\nMatch User svc-*\n PasswordAuthentication no\n"
    "Match Address 10.0.0.0/8\n Banner /a\nMatch User user7 Address 192.0.2.0/24\n Banner /b\nMatch Group !wheel,*\n "
    "Banner /c\n"
)


@pytest.fixture
def host(tmp_path):
    return SshdHost(tmp_path)


SERVICE = "auth required pam_google_authenticator.so\naccount required pam_unix.so\n"


def audit(host, accounts=(ALICE, BOB, ROOT), running=(), service=SERVICE, **wish):
    lines = {"sshd": service, "other": "auth required pam_deny.so\n"}
    pam = PamConfig(str(host.config.parent / "pam.d"), lines)
    known = Surroundings(lambda config, group: list(accounts), lambda main: list(running))
    return Audit(host.audit_wish(**wish), known, pam=pam).report()


def ids(report):
    return {finding["id"] for finding in report["findings"]}


def give_key(host, user):
    state = StateDir(str(host.state_dir))
    with state.lock():
        state.prepare()
        key = KeyFile.create("JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP", KeySettings(), "lab", user, [], int(time.time()))
        state.converge_validated(user, lambda old: key)
    return host.state_dir / "keys" / user


def test_verdicts_of_a_sound_host(host):
    host.write(DEBIAN, {"00-fleetmfa.conf": POLICY})
    give_key(host, "alice")
    report = audit(host)
    by_example = {one["examples"][0]: one for one in report["classes"]}
    assert by_example["alice"]["verdict"] == "asked"
    assert by_example["alice"]["needs"] == [("publickey", "keyboard-interactive:pam")]
    assert by_example["alice"]["groups"] == [GROUP]
    assert by_example["bob"]["verdict"] == "not_asked"
    assert by_example["bob"]["needs"] == [("password",), ("publickey",)]
    assert by_example["root"]["needs"] == [("publickey",)]
    assert ids(report) <= {"sshd_group_missing"}, "this machine need not have the group"
    assert report["baseline"]["kbdinteractiveauthentication"] == "no"
    assert report["openssh_version"] == list(Sshd(str(host.sshd)).version)


def test_baseline_excludes_our_policy(host):
    block = "# BEGIN fleetmfa.ssh\nInclude DROPINS/00-fleetmfa.conf\n# END fleetmfa.ssh\n"
    host.write(block + DEBIAN, {"00-fleetmfa.conf": "MaxAuthTries 2\nPasswordAuthentication no\n" + POLICY})
    assert audit(host)["baseline"]["passwordauthentication"] == "yes"


def test_baseline_has_the_global_settings(host):
    host.write(DEBIAN + "Match LocalPort 22\n PasswordAuthentication no\nMatch User *\n PubkeyAuthentication no\n")
    baseline = audit(host)["baseline"]
    assert (baseline["passwordauthentication"], baseline["pubkeyauthentication"]) == ("yes", "yes")


def test_host_before_the_first_run_has_no_findings(host):
    host.write()
    report = audit(host, [BOB, ROOT])
    assert report["findings"] == []
    assert {one["verdict"] for one in report["classes"]} == {"not_asked"}


def test_broken_configuration_is_a_finding(host):
    host.write(DEBIAN, {"50-x.conf": "Nonsense 1\n"})
    report = audit(host)
    assert ids(report) == {"sshd_config_invalid"}
    assert f"{host.dropins}/50-x.conf" in report["findings"][0]["evidence"][0]
    assert report["classes"] == [] and report["baseline"] == {}


def test_assumed_member_is_checked_as_one(host):
    host.write(DEBIAN + "PermitRootLogin prohibit-password\n", {"00-fleetmfa.conf": POLICY})
    assert "sshd_root_cannot_pass" not in ids(audit(host))
    report = audit(host, assume_enforced=["root"])
    assert "sshd_root_cannot_pass" in ids(report)
    keys = [text for one in report["findings"] if one["id"].startswith("key_") for text in one["evidence"]]
    assert [text.partition(":")[0] for text in keys] == ["alice"]


def test_future_member_is_checked_though_nobody_is_one(host):
    host.write(DEBIAN, {"00-fleetmfa.conf": POLICY.replace("    Kbd", "    # Kbd")})
    report = audit(host, [BOB])
    found = {finding["id"]: finding for finding in report["findings"]}
    assert "any other enforced user" in found["sshd_keyboard_interactive_disabled"]["evidence"][0]


def test_nobody_can_log_in(host):
    host.write(DEBIAN + "AllowUsers nobody-here\n")
    assert "sshd_nobody_can_log_in" in ids(audit(host))


def test_pam_service_without_a_file(host):
    host.write()
    if not Sshd(str(host.sshd)).pam_service_name:
        pytest.skip("this sshd has no PAMServiceName")
    host.write(DEBIAN, {"00-fleetmfa.conf": POLICY + "    PAMServiceName sshd-none\n"})
    assert "sshd_pam_service_missing" in ids(audit(host))


def test_sshd_that_still_has_the_old_configuration(host):
    pid_file = host.config.parent / "pid"
    pid_file.write_text("1\n")
    host.write(f"PidFile {pid_file}\n" + DEBIAN, {"00-fleetmfa.conf": POLICY})
    os.utime(host.path, (time.time() + 5, time.time() + 5))
    assert "sshd_not_reloaded" in ids(audit(host))
    os.utime(pid_file, (time.time() + 9, time.time() + 9))
    assert "sshd_not_reloaded" not in ids(audit(host))


def test_configuration_that_only_some_logins_run_into(host):
    """sshd -t is content; sshd 9.2 ends the login of whom both Match blocks hold for."""
    host.write(DEBIAN, {"00-fleetmfa.conf": POLICY, "50-x.conf": "Match User alice\n    AuthenticationMethods any\n"})
    report = audit(host)
    if Sshd(str(host.sshd)).version < (9, 9):
        assert (
            f"for alice from 203.0.113.7 to port 22: sshd rejects its configuration: {host.dropins}/50-x.conf line 2"
            in str(report)
        )
        assert ids(report) == {"sshd_config_invalid"}
    else:
        assert "sshd_config_invalid" not in ids(report)


# Classes that PAM tells apart

ONCALL = "auth sufficient pam_succeed_if.so user ingroup oncall\n" + SERVICE
CAROL = Account("carol", 1003, frozenset({"carol", GROUP, "oncall"}))


def test_users_whom_only_pam_tells_apart(host):
    host.write(DEBIAN, {"00-fleetmfa.conf": POLICY})
    report = audit(host, [ALICE, CAROL, BOB, ROOT], service=ONCALL)
    classes = {one["examples"][0]: one for one in report["classes"]}
    assert {name: classes[name]["verdict"] for name in ("alice", "carol")} == {"alice": "asked", "carol": "can_bypass"}
    steps = classes["carol"]["counterexample"]
    assert [step["method"] for step in steps] == ["connect", "publickey", "keyboard-interactive", "account"]
    assert steps[2]["line"].endswith("/sshd:1 pam_succeed_if.so")
    (found,) = [one for one in report["findings"] if one["id"] == "pam_token_not_asked"]
    assert all(text.startswith(("carol: ", "any other enforced user: ")) for text in found["evidence"])


def remembering(*groups):
    settings = {"own_service": False, "second_device": False, "remember_seconds": 3600, "remember_groups": list(groups)}
    lines = token_lines("/usr/local/libexec/fleetmfa", "/var/lib/fleetmfa", **settings)
    return block(lines.encode(), "a test").decode() + "auth required pam_unix.so\naccount required pam_unix.so\n"


def remembered(report):
    return {one["examples"][0]: (one["verdict"], one["remembered_seconds"]) for one in report["classes"]}


def test_who_is_asked_may_be_remembered(host, monkeypatch):
    host.write(DEBIAN, {"00-fleetmfa.conf": POLICY})
    monkeypatch.setattr(KeyFiles, "of", lambda self, account, lines: GROUP in account.groups)
    people = [ALICE, CAROL, BOB, ROOT]
    report = audit(host, people, service=remembering())
    assert remembered(report)["alice"] == ("asked", 3600) and remembered(report)["bob"] == ("not_asked", 0)
    assert "pam_token_not_asked" not in ids(report)
    report = audit(host, people, service=remembering("oncall"))
    assert remembered(report)["alice"] == ("asked", 0) and remembered(report)["carol"] == ("asked", 3600)
    report = audit(host, people, service=remembering().replace("# BEGIN", "#").replace("# END", "#"))
    assert remembered(report)["alice"] == ("can_bypass", 0) and "pam_token_not_asked" in ids(report)


def test_users_whom_pam_tells_apart_without_effect_are_one_class(host):
    host.write(DEBIAN, {"00-fleetmfa.conf": POLICY})
    report = audit(
        host, [ALICE, CAROL], service=ONCALL.replace("sufficient", "optional") + "auth required pam_unix.so\n"
    )
    assert [one["examples"] for one in report["classes"]] == [["alice", "carol"]]


def test_enforced_users_whom_pam_denies(host):
    host.write(DEBIAN, {"00-fleetmfa.conf": POLICY})
    report = audit(host, service="auth required pam_deny.so\naccount required pam_unix.so\n")
    alice = next(one for one in report["classes"] if "alice" in one["examples"])
    assert (alice["verdict"], alice["counterexample"]) == ("locked_out", [])
    assert "pam_deny.so returned auth_err" in alice["reason"]
    assert "pam_locked_out" in ids(report)


def test_a_bypass_always_has_a_finding(host, tmp_path):
    """A line with nullok and alice without a key: whoever has one is asked."""
    host.write(DEBIAN, {"00-fleetmfa.conf": POLICY})
    line = f"auth required pam_google_authenticator.so nullok secret={tmp_path}/keys/${{USER}}\n"
    service = line + "auth required pam_permit.so\naccount required pam_unix.so\n"
    report = audit(host, [ALICE, BOB], service=service)
    assert {one["examples"][0]: one["verdict"] for one in report["classes"]}["alice"] == "can_bypass"
    assert "pam_token_not_asked" in ids(report)


# A second sshd


def test_second_daemon_with_its_own_configuration(host):
    host.write(DEBIAN, {"00-fleetmfa.conf": POLICY})
    other = host.config.parent / "other"
    other.write_text("Port 2222\nUsePAM yes\n")
    daemon = Daemon("process 7", str(other), ())
    report = audit(host, running=[daemon, Daemon("process 1", str(host.config), ())])
    found = {finding["id"]: finding for finding in report["findings"]}
    assert found["sshd_second_daemon"]["evidence"] == [
        f"process 7: sshd -f {other}: enforced users get in without a token"
    ]
    other.write_text(f"Include {host.path}\nPort 2222\nUsePAM yes\n")
    assert "sshd_second_daemon" not in ids(audit(host, running=[daemon]))


def test_second_daemon_with_options(host):
    host.write(
        DEBIAN,
        {"00-fleetmfa.conf": POLICY + f"Match LocalPort 2222 Group {GROUP}\n    AuthenticationMethods publickey\n"},
    )
    assert "sshd_second_daemon" not in ids(audit(host, running=[Daemon("process 8", str(host.config), ("-p", "2222"))]))
    host.write(DEBIAN, {"00-fleetmfa.conf": "Match LocalPort 2222\n    AuthenticationMethods any\n" + POLICY})
    assert "sshd_second_daemon" in ids(audit(host, running=[Daemon("process 8", str(host.config), ("-p", "2222"))]))


def test_second_daemon_that_cannot_be_checked(host):
    host.write(DEBIAN, {"00-fleetmfa.conf": POLICY})
    report = audit(
        host, running=[Daemon("process 1", str(host.config), ()), Daemon("process 9", "/nonexistent/sshd_config", ())]
    )
    assert "cannot be checked" in str([one for one in report["findings"] if one["id"] == "sshd_second_daemon"])


# Key files


def test_key_files(host):
    host.write(DEBIAN, {"00-fleetmfa.conf": POLICY})
    key = give_key(host, "alice")
    sound = key.read_bytes()
    assert not [one for one in ids(audit(host)) if one.startswith("key_")]

    key.chmod(0o644)
    assert "key_unreadable" in ids(audit(host))
    key.chmod(0o600)
    key.write_bytes(sound.replace(b'" TOTP_AUTH\n', b""))
    assert "key_dead" in ids(audit(host))
    key.write_bytes(sound + b"not a code\n12345678\n")
    assert "key_malformed" in ids(audit(host))
    key.write_bytes(b"no secret!\n" + sound.split(b"\n", 1)[1])
    assert "key_dead" in ids(audit(host))
    key.write_bytes(sound)
    host.state_dir.chmod(0o777)
    assert "key_folder_open" in ids(audit(host))
    host.state_dir.chmod(0o700)
    key.unlink()
    assert "key_missing" in ids(audit(host))


@pytest.mark.parametrize(("origin", "found"), [({}, True), (given_by_operator(), False)])
def test_a_pending_key_of_unknown_origin(host, tmp_path, origin, found):
    """Of everybody: who is not enforced is whom a thief with one factor comes as."""
    host.write(DEBIAN, {"00-fleetmfa.conf": POLICY})
    provision(tmp_path, "bob", origin=origin)
    report = audit(host)
    assert ("key_origin_unknown" in ids(report)) == found
    assert SECRET not in str(report)


def test_no_secret_in_a_report(host):
    host.write(DEBIAN, {"00-fleetmfa.conf": POLICY})
    key = give_key(host, "alice")
    key.write_bytes(b"SECRETSECRETSECRET0\n" + key.read_bytes().replace(b"JBSWY3DP", b"JBSWY3D0") + b"99887766 x\n")
    assert not [part for part in ("SECRETSECRET", "JBSWY3D", "99887766") if part in str(audit(host))]


# Many users


def many(number):
    groups = [frozenset({"users"}), frozenset({"wheel"}), frozenset({"staff", GROUP}), frozenset({GROUP})]
    return [
        ROOT,
        *(Account(f"user{n}", 1000 + n, groups[n % 4]) for n in range(number)),
        Account("svc-git", 900, frozenset()),
    ]


def test_questions_do_not_grow_with_users(host):
    host.write(DEBIAN + HOSTILE, {"00-fleetmfa.conf": POLICY})
    calls = {number: audit(host, many(number))["sshd_calls"] for number in (10, 1000)}
    assert calls[10] == calls[1000] < 40
    host.write(DEBIAN, {"00-fleetmfa.conf": POLICY})
    assert audit(host, many(1000))["sshd_calls"] < 10


def test_each_user_of_a_class_has_the_answer_of_the_class(host):
    host.write(DEBIAN + HOSTILE + "AllowUsers *\n", {"00-fleetmfa.conf": POLICY})
    sshd, config = Sshd(str(host.sshd)), SshdConfig(str(host.config))
    with PolicyReader(sshd, config) as reader:
        classes = user_classes(config, many(40), GROUP)
        assert len(classes) >= 6
        for members in classes:
            for account in members[:4]:
                for address in ("10.1.1.1", "192.0.2.9", "203.0.113.7"):
                    connection = Connection(address, address)
                    with PolicyReader(sshd, config) as fresh:
                        assert fresh.settings(account, connection) == reader.settings(members[0], connection)


@pytest.mark.release
def test_work_does_not_multiply_with_users(host):
    host.write(DEBIAN + HOSTILE, {"00-fleetmfa.conf": POLICY})
    few = calls_made(lambda: audit(host, many(1000)))
    assert calls_made(lambda: audit(host, many(10_000))) < 20 * few
    report = audit(host, many(10_000))
    assert sum(one["users"] for one in report["classes"]) == 10_002
    missing = next(one for one in report["findings"] if one["id"] == "key_missing")
    assert len(missing["evidence"]) == 21 and missing["evidence"][-1] == "and 4980 more"


def test_accounts_of_this_machine(host):
    host.write(DEBIAN + "Match Group adm\n X11Forwarding no\n")
    found = {account.name: account for account in login_accounts(SshdConfig(str(host.config)), "adm")}
    assert found["root"].uid == 0 and "root" in found["root"].groups
    assert "daemon" not in found
