# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""pam_totp proves before it writes: services as distributions ship them, and stacks that let people in or lock them out."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

GATE = "auth [success=ignore ignore=ignore auth_err={jump} default=die] pam_succeed_if.so quiet user ingroup mfa-enforced\n"
TOKEN = "auth requisite pam_google_authenticator.so secret=/var/lib/fleetmfa/keys/${USER} user=root noskewadj\n"
ENOUGH = "auth sufficient pam_succeed_if.so quiet user ingroup mfa-enforced\n"
CONTENT = GATE.format(jump=2) + TOKEN + ENOUGH
GUARD = "/usr/local/libexec/fleetmfa/totp-guard"
GUARDED = (
    GATE.format(jump=4)
    + f"auth requisite pam_exec.so quiet {GUARD} attempt\n"
    + TOKEN
    + f"auth requisite pam_exec.so quiet {GUARD} claim\n"
    + ENOUGH
)

COMMON_AUTH = (
    "auth [success=1 default=ignore] pam_unix.so nullok\nauth requisite pam_deny.so\nauth required pam_permit.so\n"
)
DISTRIBUTIONS = {
    "debian": {"sshd": "@include common-auth\naccount required pam_nologin.so\n", "common-auth": COMMON_AUTH},
    "rhel": {
        "sshd": "#%PAM-1.0\nauth       substack     password-auth\nauth       include      postlogin\n",
        "password-auth": (
            "auth required pam_env.so\nauth required pam_faildelay.so delay=2000000\n"
            "auth sufficient pam_unix.so nullok\nauth required pam_deny.so\n"
        ),
        "postlogin": "session optional pam_umask.so silent\n",
    },
    "suse": {
        "sshd": "auth requisite pam_nologin.so\nauth include common-auth\n",
        "common-auth": "auth required pam_env.so\nauth required pam_unix.so try_first_pass\n",
    },
}


@pytest.fixture(params=DISTRIBUTIONS, ids=list(DISTRIBUTIONS))
def confdir(request, tmp_path):
    return write(tmp_path, DISTRIBUTIONS[request.param])


def write(folder, files):
    for name, text in files.items():
        Path(folder, name).write_text(text)
    return folder


@pytest.fixture
def debian(tmp_path):
    return write(tmp_path, DISTRIBUTIONS["debian"])


def refused(run_module, folder, message, **options):
    """The module refuses with this message, and the folder is as it was."""
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    result = run_module("pam_totp", confdir=str(folder), **{"service": "sshd", "content": CONTENT, **options})
    assert result.get("failed"), result
    assert message in result["msg"]
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    return result["msg"]


def test_check_run_check_again_run_again(run_module, confdir):
    before = (confdir / "sshd").read_bytes()
    options = {"service": "sshd", "confdir": str(confdir), "content": CONTENT}
    dry = run_module("pam_totp", check_mode=True, diff_mode=True, **options)
    assert (confdir / "sshd").read_bytes() == before
    wet = run_module("pam_totp", diff_mode=True, **options)
    assert dry["changed"] and wet["changed"] and dry["diff"] == wet["diff"]
    assert wet["ways_in"] == [["token"]] and CONTENT in (confdir / "sshd").read_text()
    assert not run_module("pam_totp", check_mode=True, **options)["changed"]
    assert not run_module("pam_totp", **options)["changed"]
    gone = run_module("pam_totp", service="sshd", confdir=str(confdir), state="absent")
    assert gone["changed"] and (confdir / "sshd").read_bytes() == before


def test_lines_that_take_the_place_of_ours(run_module, confdir):
    options = {"service": "sshd", "confdir": str(confdir)}
    before = (confdir / "sshd").read_bytes()
    for content in (CONTENT, GATE.format(jump=1) + TOKEN, CONTENT):
        assert run_module("pam_totp", content=content, **options)["changed"]
    run_module("pam_totp", state="absent", **options)
    assert (confdir / "sshd").read_bytes() == before


def test_the_machines_own_services(run_module, tmp_path):
    shutil.copytree("/etc/pam.d", tmp_path / "pam.d")
    for service in ("sshd", "login"):
        if not (tmp_path / "pam.d" / service).exists():
            pytest.skip(f"this machine has no PAM service {service}")
        result = run_module("pam_totp", service=service, confdir=str(tmp_path / "pam.d"), content=CONTENT)
        assert result["changed"], result
        assert result["ways_in"] == [["token"]]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (GATE.format(jump=3) + TOKEN + ENOUGH, "could log in before and no longer could"),
        (GATE.format(jump=1) + TOKEN + "auth sufficient pam_permit.so\n", "would need something else than before"),
        (TOKEN + ENOUGH, "someone who is not a member of mfa-enforced would be asked"),
        (
            GATE.format(jump=2).replace("success=ignore", "success=done") + TOKEN + ENOUGH,
            "without a token",
        ),
        (GATE.format(jump=2) + TOKEN.replace("requisite", "optional") + ENOUGH, "without a token"),
        (GATE.format(jump=2) + TOKEN.replace("noskewadj", "noskewadj nullok") + ENOUGH, "without a token"),
        (
            GATE.format(jump=2) + TOKEN.replace("requisite", "[success=ok module_unknown=ignore default=die]") + ENOUGH,
            "",
        ),
        ("auth sufficient pam_permit.so\n" + CONTENT, "without a token"),
        (GATE.format(jump=2) + TOKEN + "auth requisite pam_deny.so\n", "could never log in"),
        (GATE.format(jump=2) + TOKEN.replace("noskewadj", "noskewad") + ENOUGH, "noskewad"),
        (
            GATE.format(jump=2) + TOKEN.replace("pam_google_authenticator", "pam_google_authentikator") + ENOUGH,
            "is not installed",
        ),
    ],
    ids=[
        "jump too long",
        "jump too short",
        "no gate",
        "success=done on the gate",
        "optional token",
        "nullok",
        "a missing module is ignored",
        "permit first",
        "never succeeds",
        "unknown option",
        "module that is not there",
    ],
)
def test_stacks_that_are_refused(run_module, debian, content, message):
    refused(run_module, debian, message, content=content)


def test_a_gate_that_throws_members_out_again_is_refused(run_module, debian):
    # pam_setcred walks the lines anew, and pam_succeed_if returns ignore there.
    content = CONTENT.replace("ignore=ignore ", "")
    assert "setcred" in refused(run_module, debian, "let in and then thrown out", content=content)


def test_an_end_that_keeps_credentials_from_everybody_is_refused(run_module, debian):
    content = CONTENT.replace(ENOUGH, "auth sufficient pam_permit.so\n")
    refused(run_module, debian, "pam_setcred would no longer reach pam_permit.so", content=content)


def test_counterexample_is_shown_line_by_line(run_module, debian):
    message = refused(run_module, debian, "without a token", content="auth sufficient pam_permit.so\n" + CONTENT)
    assert "sshd:2: pam_permit.so returned success" in message


def test_guard_has_to_be_there_when_wanted(run_module, debian):
    refused(run_module, debian, "without a token", guard=GUARD)
    result = run_module("pam_totp", service="sshd", confdir=str(debian), content=GUARDED, guard=GUARD)
    assert result["changed"], result


def test_token_alone_is_refused_where_a_password_is_wanted(run_module, debian):
    refused(run_module, debian, "with a token alone", token_alone=False)
    content = GATE.format(jump=1) + TOKEN
    result = run_module("pam_totp", service="sshd", confdir=str(debian), content=content, token_alone=False)
    assert result["ways_in"] == [["password", "token"]]


def test_a_rest_that_asks_no_password_is_seen(run_module, debian):
    (debian / "common-auth").write_text("auth required pam_permit.so\n")
    refused(run_module, debian, "with a token alone", content=GATE.format(jump=1) + TOKEN, token_alone=False)


# A popular guide, and the same where a key is demanded of everybody.
GUIDE = "auth required pam_google_authenticator.so"


class TestHostThatAsksEverybody:
    @pytest.fixture(params=["", " nullok"])
    def guide(self, request, debian):
        service = debian / "sshd"
        service.write_text(f"{GUIDE}{request.param}\n{service.read_text()}")
        return debian

    def test_continues_to_do_so_and_is_reported(self, run_module, guide):
        result = run_module("pam_totp", service="sshd", confdir=str(guide), content=CONTENT)
        assert result["changed"] and result["ways_in"] == [["token"]], result
        assert len(result["notes"]) == 1
        assert f"are asked for a token as well, by {guide}/sshd:1, which is not ours" in result["notes"][0]
        again = run_module("pam_totp", service="sshd", confdir=str(guide), content=CONTENT)
        assert not again["changed"] and again["notes"] == result["notes"]

    @pytest.mark.parametrize("own_service", [False, True])
    def test_members_are_not_asked_for_two_tokens(self, run_module, guide, own_service):
        content = TOKEN + TestOwnService.INCLUDES if own_service else GATE.format(jump=1) + TOKEN
        options = {"own_service": own_service, "service": "sshd-mfa" if own_service else "sshd", "token_alone": False}
        refused(run_module, guide, "would be asked for two tokens", content=content, **options)

    def test_lines_of_ours_that_ask_others_are_refused(self, run_module, guide):
        content = GATE.format(jump=2).replace("auth_err=2", "auth_err=ignore") + TOKEN + ENOUGH
        refused(run_module, guide, "someone who is not a member", content=content)


class TestOwnService:
    INCLUDES = "".join(f"{kind} include sshd\n" for kind in ("auth", "account", "password", "session"))
    CONTENT = TOKEN + ENOUGH + INCLUDES

    def test_made_and_removed(self, run_module, confdir):
        options = {"service": "sshd-mfa", "confdir": str(confdir), "own_service": True, "content": self.CONTENT}
        result = run_module("pam_totp", **options)
        assert result["changed"] and result["ways_in"] == [["token"]], result
        assert not run_module("pam_totp", **options)["changed"]
        assert run_module("pam_totp", service="sshd-mfa", confdir=str(confdir), state="absent")["changed"]
        assert not (confdir / "sshd-mfa").exists()

    def test_a_gate_in_it_would_be_a_bypass(self, run_module, debian):
        content = GATE.format(jump=2) + self.CONTENT
        refused(run_module, debian, "without a token", service="sshd-mfa", own_service=True, content=content)

    @pytest.mark.parametrize(
        ("line", "instead", "said"),
        [
            ("account include sshd\n", "", "the account lines of sshd and sshd-mfa"),
            ("account include sshd\n", "account required pam_permit.so\n", "pam_nologin.so is missing"),
            (
                "account include sshd\n",
                "account sufficient pam_permit.so\naccount include sshd\n",
                "pam_permit.so is added",
            ),
            ("session include sshd\n", "", "pam_limits.so is missing"),
            ("password include sshd\n", "password include common-auth\n", "the password lines of sshd"),
            ("auth include sshd\n", "", "the auth lines of sshd"),
        ],
    )
    def test_a_rule_of_the_base_may_not_be_lost(self, run_module, debian, line, instead, said):
        with (debian / "sshd").open("a") as service:
            service.write("session required pam_limits.so\npassword required pam_unix.so\n")
        options = {"service": "sshd-mfa", "own_service": True}
        refused(run_module, debian, said, content=self.CONTENT.replace(line, instead), **options)
        assert run_module("pam_totp", confdir=str(debian), content=self.CONTENT, **options)["changed"]

    def test_lines_that_others_put_into_it(self, run_module, debian):
        """They stay where they change nothing, and are refused by name, not overwritten, where they do."""
        options = {"service": "sshd-mfa", "confdir": str(debian), "own_service": True, "content": self.CONTENT}
        run_module("pam_totp", **options)
        ours = (debian / "sshd-mfa").read_text()
        (debian / "sshd-mfa").write_text("# seen by the house\n" + ours)
        assert not run_module("pam_totp", **options)["changed"]
        for line, said in [
            ("auth sufficient pam_permit.so", "could get in without a token"),
            ("account required pam_access.so", "sshd-mfa:1 pam_access.so is added"),
        ]:
            (debian / "sshd-mfa").write_text(f"{line}\n{ours}")
            refused(run_module, debian, said, **{name: options[name] for name in options if name != "confdir"})
            assert (debian / "sshd-mfa").read_text().startswith(line)

    def test_the_base_is_the_one_that_users_have(self, run_module, debian):
        (debian / "ssh-corp").write_text("@include common-auth\naccount required pam_access.so\n")
        options = {"service": "sshd-mfa", "own_service": True, "base_service": "ssh-corp"}
        refused(run_module, debian, "pam_access.so is missing", content=self.CONTENT, **options)
        content = self.CONTENT.replace("include sshd", "include ssh-corp")
        assert run_module("pam_totp", confdir=str(debian), content=content, **options)["ways_in"] == [["token"]]

    @pytest.mark.parametrize(
        ("base", "said"),
        [("gone", "no PAM service gone"), ("sshd-mfa", "the new service itself"), ("../x", "not the name")],
    )
    def test_a_base_that_cannot_be_one(self, run_module, debian, base, said):
        options = {"service": "sshd-mfa", "own_service": True, "base_service": base, "content": self.CONTENT}
        refused(run_module, debian, said, **options)


def test_content_is_required(run_module, debian):
    result = run_module("pam_totp", service="sshd", confdir=str(debian))
    assert result["failed"] and "content" in result["msg"]
