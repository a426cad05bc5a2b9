# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""pam_totp with after_password: where the lines go in services as distributions ship them, and which are refused with what reason."""

from __future__ import annotations

from pathlib import Path

import pytest

GATE = "auth [success=ignore ignore=ignore auth_err=1 default=die] pam_succeed_if.so quiet user ingroup mfa-enforced\n"
TOKEN = "auth requisite pam_google_authenticator.so secret=/var/lib/fleetmfa/keys/${USER} user=root noskewadj\n"
CONTENT = GATE + TOKEN
BLOCK = f"# BEGIN fleetmfa.ssh\n{CONTENT}# END fleetmfa.ssh\n"
COMMON_AUTH = (
    "auth [success=1 default=ignore] pam_unix.so nullok\nauth requisite pam_deny.so\nauth required pam_permit.so\n"
    "auth optional pam_cap.so\n"
)
SYSTEM_AUTH = "auth required pam_env.so\nauth sufficient pam_unix.so nullok\nauth required pam_deny.so\n"
# Services that get the lines at the mark.
PLACES = {
    "su": "auth sufficient pam_rootok.so\nsession required pam_env.so\n@include common-auth\n<>@include common-account\n",
    "login": "auth optional pam_faildelay.so \\\n  delay=3000000\nauth requisite pam_nologin.so\n@include common-auth\n"
    "<>auth optional pam_group.so\nsession required pam_limits.so\n",
    "sudo": "#%PAM-1.0\n# auth required pam_wheel.so \\\n@include common-auth\n<>session required pam_limits.so\n",
    "cockpit": "auth required pam_sepermit.so\nauth include common-auth\n<>auth optional pam_ssh_add.so\n"
    "auth required pam_listfile.so item=user sense=deny file=/etc/cockpit/disallowed-users onerr=succeed\n",
    "polkit-1": "#%PAM-1.0\n\n@include common-auth\n<>@include common-account\n",
    "lightdm": "auth      requisite pam_nologin.so\nsession      required pam_env.so readenv=1\n@include common-auth\n"
    "<>\n-auth  optional pam_gnome_keyring.so\n@include common-account\n",
    "gdm-password": "auth requisite pam_nologin.so\nauth required pam_succeed_if.so user != root quiet_success\n"
    "@include common-auth\n<>auth optional pam_gnome_keyring.so\n@include common-account\n",
}


@pytest.fixture
def folder(tmp_path):
    def folder(**files):
        for name, text in {
            "common-auth": COMMON_AUTH,
            "common-account": "account required pam_unix.so\n",
            **files,
        }.items():
            (tmp_path / name.replace("_", "-")).write_text(text)
        return tmp_path

    return folder


def pam_totp(run_module, confdir, service, **options):
    return run_module(
        "pam_totp", service=service, confdir=str(confdir), after_password=True, **{"content": CONTENT, **options}
    )


@pytest.mark.parametrize("service", PLACES)
def test_the_place_is_after_the_password(run_module, folder, service):
    text = PLACES[service]
    confdir = folder(**{service: text.replace("<>", "")})
    result = pam_totp(run_module, confdir, service, asks_again=True)
    assert result["changed"] and result["ways_in"] == [["password", "token"]], result
    assert (confdir / service).read_text() == text.replace("<>", BLOCK)
    assert not pam_totp(run_module, confdir, service, asks_again=True)["changed"]
    assert run_module("pam_totp", service=service, confdir=str(confdir), state="absent")["changed"]
    assert (confdir / service).read_text() == text.replace("<>", "")


def test_a_service_that_includes_another_one_gets_no_lines_twice(run_module, folder):
    text = "auth include su\naccount include su\n"
    confdir = folder(su=PLACES["su"].replace("<>", ""), su_l=text)
    assert pam_totp(run_module, confdir, "su-l")["changed"]
    assert (confdir / "su-l").read_text() == text.replace("su\n", f"su\n{BLOCK}", 1)
    assert pam_totp(run_module, confdir, "su")["changed"]
    assert pam_totp(run_module, confdir, "su-l")["ways_in"] == [["password", "token"]]
    assert (confdir / "su-l").read_text() == text


@pytest.mark.parametrize(
    ("service", "text", "said"),
    [
        ("su", "auth sufficient pam_rootok.so\nauth substack system-auth\n", "does not know the password"),
        ("sudo", "auth include system-auth\n", "could get in without a token"),
        ("su", "auth sufficient pam_wheel.so trust\n@include common-auth\n", "could get in without a token"),
        ("su", "auth sufficient pam_fprintd.so\n@include common-auth\n", "could get in without a token"),
        ("login", "auth sufficient pam_rootok.so\n@include common-auth\n", "could get in without a token"),
        ("login", "auth required pam_unix.so\n", "does not know the password"),
        (
            "cockpit",
            "auth required pam_sepermit.so\nauth substack common-auth\nauth optional pam_ssh_add.so\n",
            "include in place of substack",
        ),
        ("login", "auth required pam_permit.so\n", "with a token alone"),
        ("login", "@include common-auth\nauth required pam_google_authenticator.so\n", "two tokens"),
        ("login", "session required pam_limits.so\n", "has no auth line"),
        ("login", "@include common-auth", "has no auth line"),
    ],
    ids=[
        "wrong password goes on (RHEL)",
        "right password ends (RHEL)",
        "wheel is trusted",
        "fingerprint instead",
        "rootok where root runs it",
        "wrong password goes on (SUSE)",
        "wrong password goes on (Debian's cockpit)",
        "no password",
        "a token already",
        "no auth line",
        "no line end",
    ],
)
def test_stacks_without_such_a_place_are_refused(run_module, folder, service, text, said):
    confdir = folder(system_auth=SYSTEM_AUTH, **{service: text})
    result = pam_totp(run_module, confdir, service)
    assert result.get("failed") and said in result["msg"], result
    assert (confdir / service).read_text() == text


@pytest.mark.parametrize(
    ("service", "options", "said"),
    [
        ("sddm", {}, "shows one field only"),
        ("xrdp-sesman", {"asks_again": True}, "one password for all prompts"),
        ("common-auth", {"asks_again": True}, "no service but a part of others"),
        ("sshd", {}, "before the password"),
        ("lightdm", {}, "depends on the greeter"),
        ("polkit-1", {}, "depends on the agent"),
        ("vlock", {}, "it is not known here; try it on one host and name it in mfa_services_tried"),
        ("su", {"own_service": True}, "only sshd sends users to a separate service"),
        ("doas", {"asks_again": True}, "does not exist or is empty; leave doas out"),
    ],
)
def test_services_that_are_refused(run_module, folder, service, options, said):
    confdir = folder(
        **{name: "@include common-auth\n# end\n" for name in ("sddm", "lightdm", "vlock", "su", "polkit-1")}
    )
    result = pam_totp(run_module, confdir, service, **options)
    assert result.get("failed") and said in result["msg"], result


def test_a_service_that_was_tried(run_module, folder):
    confdir = folder(vlock="@include common-auth\n# end\n")
    assert pam_totp(run_module, confdir, "vlock", asks_again=True)["changed"]


def test_a_file_of_a_package_is_named_and_not_changed(run_module, folder, tmp_path, monkeypatch):
    from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam import door_plan

    vendor = tmp_path / "vendor"
    vendor.mkdir()
    Path(vendor, "su").write_text("@include common-auth\n# end\n")
    monkeypatch.setattr(door_plan, "VENDOR_CONFDIRS", (str(vendor),))
    result = pam_totp(run_module, folder(), "su")
    assert result["failed"] and f"{vendor}/su belongs to a package, so it is not changed; copy it" in result["msg"]
