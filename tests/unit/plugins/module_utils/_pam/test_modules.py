# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors

from __future__ import annotations

import pytest

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError
from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.config import RETURN_VALUES, Line
from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.modules import (
    TOKEN_MODULES,
    ModuleOutcome,
    command_of,
    outcomes,
)
from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.subject import Subject, succeed_if

ALICE = Subject(user="alice", uid=1000, member_of=frozenset(("mfa", "staff")), not_member_of=None)


def ways(text, subject=ALICE, token_modules=TOKEN_MODULES):
    module, *arguments = text.split()
    line = Line("sshd", 1, "auth", "required", module, arguments=tuple(arguments))
    return outcomes(line, subject, "sshd", token_modules)


def results(text, subject=ALICE):
    return {way.result for way in ways(text, subject)}


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("user ingroup mfa", {"success"}),
        ("quiet user ingroup wheel", {"auth_err"}),
        ("user ingroup wheel:mfa", {"success"}),
        ("user notingroup mfa", {"auth_err"}),
        ("uid >= 1000", {"success"}),
        ("uid < 0x3e8", {"auth_err"}),
        ("uid eq 1000 user = alice", {"success"}),
        ("user = alice user = bob", {"auth_err"}),
        ("user != bob", {"success"}),
        ("user in bob:alice", {"success"}),
        ("user notin bob:carol", {"success"}),
        ("user =~ al*", {"success"}),
        ("user !~ al*", {"auth_err"}),
        ("service = sshd", {"success"}),
        ("service in su:sudo", {"auth_err"}),
        ("shell = /bin/sh", {"success", "auth_err"}),
        ("rhost =~ 10.*", {"success", "auth_err"}),
        ("user innetgr ops", {"success", "auth_err"}),
        ("use_uid user ingroup mfa", {"success", "auth_err"}),
        ("user lt 5", {"service_err"}),
        ("uid >= many", {"service_err"}),
        ("colour = red", {"service_err"}),
        ("user like alice", {"service_err"}),
        ("user ingroup", {"service_err"}),
        ("user ingroup wheel user", {"auth_err"}),
        ("quiet", {"success"}),
    ],
)
def test_succeed_if(condition, expected):
    assert succeed_if(condition.split(), ALICE, "sshd") == expected


def test_a_group_nothing_is_known_of_may_be_either_way():
    member = Subject(member_of=frozenset(("mfa",)), not_member_of=frozenset(("admin",)))
    assert succeed_if(["user", "ingroup", "mfa"], member, "sshd") == {"success"}
    assert succeed_if(["user", "ingroup", "admin"], member, "sshd") == {"auth_err"}
    assert succeed_if(["user", "ingroup", "wheel"], member, "sshd") == {"success", "auth_err"}


GOOD_TOKEN = ModuleOutcome("success", asks_token=True)
BAD_TOKEN = ModuleOutcome("auth_err", asks_token=True)


@pytest.mark.parametrize(
    ("arguments", "has_key", "expected"),
    [
        ("noskewadj", True, {GOOD_TOKEN, BAD_TOKEN}),
        ("nullok", True, {GOOD_TOKEN, BAD_TOKEN}),
        ("", False, {BAD_TOKEN}),
        ("nullok", False, {ModuleOutcome("ignore")}),
        ("nullok", None, {GOOD_TOKEN, BAD_TOKEN, ModuleOutcome("ignore")}),
        ("nulok", True, {ModuleOutcome("auth_err")}),
        ("grace_period=60", True, {GOOD_TOKEN, BAD_TOKEN, ModuleOutcome("success", genuine=False)}),
        ("grace_period=0", True, {GOOD_TOKEN, BAD_TOKEN}),
    ],
)
def test_google_authenticator(arguments, has_key, expected):
    assert set(ways(f"pam_google_authenticator.so {arguments}", Subject(has_key=has_key))) == expected


def test_oath():
    assert results("pam_oath.so usersfile=/x", Subject(has_key=False)) == {"user_unknown"}
    assert GOOD_TOKEN in ways("pam_oath.so usersfile=/x", Subject(has_key=True))
    assert results("pam_oath.so usersfile=/x alwaysok", Subject(has_key=False)) == {"success"}
    assert not any(way.genuine for way in ways("pam_oath.so usersfile=/x alwaysok", Subject(has_key=False)))
    assert results("pam_oath.so window=3") == {"incomplete"}


def test_another_token_module_asks_and_may_do_anything():
    found = ways("pam_duo.so", Subject(has_key=True), token_modules=("pam_duo.so",))
    assert {way.result for way in found} == set(RETURN_VALUES)
    assert all(way.asks_token for way in found)
    assert GOOD_TOKEN not in ways("pam_duo.so", Subject(has_key=False), token_modules=("pam_duo.so",))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("pam_permit.so", {"success"}),
        ("pam_deny.so", {"auth_err"}),
        ("pam_env.so", {"ignore"}),
        ("pam_limits.so", {"module_unknown"}),
        ("pam_debug.so auth=user_unknown", {"user_unknown"}),
        ("pam_debug.so auth=nonsense", {"success"}),
        ("pam_exec.so quiet", {"ignore", "service_err"}),
        ("pam_script.so", set(RETURN_VALUES)),
        ("pam_whatever.so", set(RETURN_VALUES)),
    ],
)
def test_other_modules(text, expected):
    assert results(text) == expected


def test_a_command_says_yes_or_fails_and_is_never_ignored():
    found = results("pam_exec.so quiet /bin/true")
    assert {"success", "system_err"} <= found
    assert "ignore" not in found


def test_modules_that_can_be_the_only_yes():
    assert "success" in results("pam_faillock.so preauth")
    assert "success" in results("pam_echo.so hello")
    assert "success" in results("pam_cap.so")
    assert "success" in results("pam_rootok.so")
    assert "success" not in results("pam_nologin.so")
    assert "success" in results("pam_nologin.so successok")


@pytest.mark.parametrize(
    ("arguments", "command"),
    [
        ("quiet seteuid /x/guard attempt", ["/x/guard", "attempt"]),
        ("log=/tmp/x type=auth /x/guard", ["/x/guard"]),
        ("type=account /x/guard", []),
        ("quiet", []),
        ("guard", ["guard"]),
    ],
)
def test_the_command_of_pam_exec(arguments, command):
    assert command_of(arguments.split()) == command


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ("item=user sense=allow file={list}", {"success"}),
        ("item=user sense=deny file={list}", {"auth_err"}),
        ("item=group sense=allow file={list}", {"success"}),
        ("item=shell sense=allow file={list}", {"success", "auth_err", "service_err"}),
        ("item=user sense=allow file={list}.missing", {"success", "auth_err", "service_err"}),
        ("item=user sense=allow file={list}.missing onerr=succeed", {"success", "auth_err"}),
        ("item=user sense=maybe file={list} onerr=succeed", {"success", "service_err"}),
        ("item=user sense=allow file={list} colour=red", {"service_err"}),
        ("item=tty sense=allow file={list} apply=bob", {"success", "auth_err", "service_err", "ignore"}),
    ],
)
def test_listfile(tmp_path, options, expected):
    path = tmp_path / "list"
    path.write_text("alice\nstaff\n")
    path.chmod(0o644)
    assert results("pam_listfile.so " + options.format(list=path)) == expected


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        ("- : ALL : ALL", {"perm_denied"}),
        ("+ : alice : ALL\n- : ALL : ALL", {"success"}),
        ("+ : (mfa) : ALL\n- : ALL : ALL", {"success"}),
        ("+ : root : ALL\n- : ALL : ALL", {"perm_denied"}),
        ("+ : ALL : 10.0.0.0/24\n- : ALL : ALL", {"success", "perm_denied"}),
        ("- : ALL EXCEPT root : ALL", {"success", "perm_denied"}),
        ("# + : ALL : ALL\n- : bob : ALL", {"success"}),
    ],
)
def test_access(tmp_path, rules, expected):
    path = tmp_path / "access"
    path.write_text(rules + "\n")
    path.chmod(0o644)
    assert results(f"pam_access.so accessfile={path}") & {"success", "perm_denied"} == expected


def test_a_user_this_host_knows():
    root = Subject.from_host("root", None, None)
    assert (root.uid, "root" in root.member_of, root.in_group("no-such-group")) == (0, True, False)
    with pytest.raises(FleetMfaError, match="account .*no-such-user.* does not exist on this host; give its groups"):
        Subject.from_host("no-such-user", None, None)
    assert Subject.from_host("no-such-user", ["mfa"], None).in_group("mfa") is True
    assert Subject.from_host(None, None, None).in_group("mfa") is None
    assert Subject.from_host(None, [], None).in_group("mfa") is False
