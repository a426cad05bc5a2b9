# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors

from __future__ import annotations

import pytest

RETURNED = {
    "can_succeed",
    "can_succeed_without_token",
    "token_asked",
    "token_asked_when_it_succeeds",
    "can_succeed_if_token_module_missing",
    "ways_in",
    "counterexample",
    "lines",
    "unknown_modules",
    "problem",
}


@pytest.fixture
def confdir(tmp_path):
    (tmp_path / "sshd").write_text(
        "auth [success=ignore default=1] pam_succeed_if.so quiet user ingroup mfa\n"
        "auth required pam_google_authenticator.so nullok\n"
        "@include common-auth\n"
    )
    (tmp_path / "common-auth").write_text("auth required pam_unix.so\nauth optional pam_custom.so\n")
    return str(tmp_path)


@pytest.mark.parametrize("check_mode", [False, True])
def test_the_worst_case(run_module, confdir, check_mode):
    result = run_module("pam_stack_info", confdir=confdir, check_mode=check_mode)
    assert not result["changed"]
    assert set(result) >= RETURNED
    assert result["can_succeed_without_token"]
    assert result["token_asked"] == result["token_asked_when_it_succeeds"] == "sometimes"
    assert result["unknown_modules"] == ["pam_custom.so"]
    assert result["counterexample"][0]["file"] == f"{confdir}/sshd"
    assert [line["line"] for line in result["lines"]] == [1, 2, 1, 2]


@pytest.mark.parametrize(
    ("groups", "has_key", "without_token", "asked"),
    [
        (["mfa"], True, False, "always"),
        (["mfa"], False, True, "never"),
        (["wheel"], True, True, "never"),
        ([], True, True, "never"),
    ],
)
def test_classes_of_users(run_module, confdir, groups, has_key, without_token, asked):
    result = run_module("pam_stack_info", confdir=confdir, groups=groups, has_key=has_key)
    assert (result["can_succeed_without_token"], result["token_asked"]) == (without_token, asked)


def test_the_groups_of_a_user_come_from_the_host(run_module, confdir):
    result = run_module("pam_stack_info", confdir=confdir, user="root", has_key=True)
    assert result["token_asked"] == "never"
    result = run_module("pam_stack_info", confdir=confdir, user="root", groups=["mfa"], has_key=True)
    assert result["token_asked"] == "always"
    assert run_module("pam_stack_info", confdir=confdir, user="no-such-user")["failed"]


def test_another_token_module_and_a_what_if(run_module, tmp_path):
    (tmp_path / "vpn").write_text("auth required pam_duo.so\n")
    options = {"confdir": str(tmp_path), "service": "vpn", "token_modules": ["pam_duo.so"], "has_key": True}
    assert not run_module("pam_stack_info", **options)["can_succeed_without_token"]
    result = run_module("pam_stack_info", **options, assume={"vpn:1": ["auth_err"]})
    assert not result["can_succeed"]
    assert result["lines"][0]["results"] == ["auth_err"]


def test_errors_name_the_place(run_module, confdir, tmp_path):
    result = run_module("pam_stack_info", confdir=confdir, assume={"sshd:7": ["success"]})
    assert result["failed"]
    assert "sshd:7" in result["msg"]
    (tmp_path / "sshd").write_text("auth include\n")
    assert f"{confdir}/sshd:1" in run_module("pam_stack_info", confdir=confdir)["msg"]


def test_a_folder_without_the_service(run_module, tmp_path):
    result = run_module("pam_stack_info", confdir=str(tmp_path))
    assert (result["can_succeed"], result["counterexample"]) == (False, [])
    assert result["problem"] == f"neither sshd nor other exists in {tmp_path}"


def test_this_machine(run_module):
    result = run_module("pam_stack_info", service="other")
    assert result["lines"]
