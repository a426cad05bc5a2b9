# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""How a service is read. That libpam reads the same is shown in tests/differential."""

from __future__ import annotations

import pytest

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError
from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.config import PamConfig, parse_control


@pytest.fixture
def stack(tmp_path):
    """stack({"sshd": "auth …"}) reads service sshd of a folder with these files."""

    def read(files, service="sshd", overlay=None):
        for name, text in files.items():
            (tmp_path / name).write_text(text, newline="")
        return PamConfig(str(tmp_path), overlay).auth_stack(service)

    return read


def short(stack):
    return [(line.file.rsplit("/", 1)[-1], line.line, line.module, line.level) for line in stack.lines]


def test_comments_blank_lines_other_types_and_continued_lines(stack):
    text = (
        "#%PAM-1.0\n\nauth \\\n  required \\\n  pam_a.so x # why\naccount required pam_b.so\n\tauth optional pam_c.so"
    )
    lines = stack({"sshd": text}).lines
    assert [(line.line, line.module, line.arguments) for line in lines] == [
        (3, "pam_a.so", ("x",)),
        (7, "pam_c.so", ()),
    ]


def test_arguments_in_brackets(stack):
    (line,) = stack({"sshd": "auth required pam_a.so [a b] c=[d [e\\]f]g\n"}).lines
    assert line.arguments == ("a b", "c=[d", "e]f", "g")


def test_a_carriage_return_is_part_of_the_word(stack):
    assert [line.module for line in stack({"sshd": "auth required pam_a.so\r\n"}).lines] == ["pam_a.so\r"]


def test_includes_and_substacks_keep_their_place(stack):
    files = {
        "sshd": "auth required pam_a.so\n@include one\nauth substack two\n-auth include one\n",
        "one": "auth required pam_1.so\naccount required pam_x.so\n",
        "two": "auth required pam_2.so\nauth include one\n",
    }
    assert short(stack(files)) == [
        ("sshd", 1, "pam_a.so", 0),
        ("one", 1, "pam_1.so", 0),
        ("sshd", 3, "two", 0),
        ("two", 1, "pam_2.so", 1),
        ("one", 1, "pam_1.so", 1),
        ("one", 1, "pam_1.so", 0),
    ]


def test_an_include_takes_only_lines_of_its_type(stack):
    files = {"sshd": "account include one\n", "one": "auth required pam_1.so\nfoo required pam_2.so\n"}
    assert stack({**files, "other": ""}).lines == ()


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("auth", "no control"),
        ("auth required", "no module"),
        ("aut required pam_a.so", "unknown type 'aut'"),
        ("auth include missing", "cannot include missing: there is no file missing"),
        ("auth include sshd", "cannot include sshd: includes are nested 16 deep"),
    ],
)
def test_an_unusable_line_is_a_line_that_fails(stack, text, problem):
    line = stack({"sshd": text + "\n"}).lines[-1]
    assert (line.kind, line.problem, line.actions["perm_denied"]) == ("must_fail", problem, "bad")


def test_the_control_of_an_unusable_line_counts(stack):
    (line,) = stack({"sshd": "aut sufficient pam_a.so\n"}).lines
    assert line.kind == "must_fail"
    assert line.actions["perm_denied"] == "ignore"


@pytest.mark.parametrize(
    ("files", "problem"),
    [
        ({"sshd": "auth required pam_a.so\n@include missing\n"}, "cannot include missing"),
        ({"sshd": "auth required pam_a.so\\\n"}, "ends inside a continued line"),
        ({"sshd": "auth required pam_a.so\n", "other": "auth required \\"}, "ends inside a continued line"),
        ({}, "neither sshd nor other exists"),
    ],
)
def test_what_stops_the_whole_service(stack, files, problem):
    found = stack(files)
    assert found.lines == ()
    assert problem in found.problem


def test_other_stands_in_for_a_service_without_auth_lines(stack):
    files = {"sshd": "account required pam_a.so\n", "other": "auth required pam_deny.so\n"}
    assert short(stack(files)) == [("other", 1, "pam_deny.so", 0)]
    assert short(stack(files, service="missing")) == [("other", 1, "pam_deny.so", 0)]
    assert len(stack(files, service="other").lines) == 2, "libpam reads it twice"


def test_service_names_are_lowered_and_lose_their_folder(stack):
    assert short(stack({"sshd": "auth required pam_a.so\n"}, service="/etc/SSHD")) == [("sshd", 1, "pam_a.so", 0)]


def test_an_overlay_stands_for_a_file_or_for_its_absence(stack):
    files = {"sshd": "@include one\n", "one": "auth required pam_old.so\n"}
    assert short(stack(files, overlay={"one": "auth required pam_new.so\n"})) == [("one", 1, "pam_new.so", 0)]
    assert "there is no file one" in stack(files, overlay={"one": None}).problem


def test_a_symlink_is_followed_and_a_folder_reads_as_empty(stack, tmp_path):
    (tmp_path / "real").write_text("auth required pam_a.so\n")
    (tmp_path / "link").symlink_to("real")
    (tmp_path / "folder").mkdir()
    assert short(stack({"sshd": "auth include link\nauth include folder\n"})) == [("link", 1, "pam_a.so", 0)]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "auth required pam_a.so " + "x" * 1000,
            "sshd:1: versions of libpam disagree about a line of more than 1022 bytes",
        ),
        ("# " + "x" * 1021, "sshd:1: versions of libpam disagree about a line of more than"),
        (
            "auth required \\\n" + " " * 1010 + "pam_a.so",
            "sshd:2: versions of libpam disagree about a line of more than",
        ),
        ("auth required pam_a.so\0", "sshd:1: versions of libpam disagree about a line of more than"),
        (
            "auth required \\\n\n pam_a.so",
            "sshd:2: versions of libpam disagree about a blank line or comment after a line that ends in a backslash",
        ),
        ("auth required \\\n # why\n pam_a.so", "sshd:2: versions of libpam disagree about a blank line or comment"),
        ("auth include", "sshd:1: an include without a file name"),
        ("@include", "sshd:1: an include without a file name"),
        ("auth required /", "sshd:1: there is no module name in '/'"),
        ("auth required []", "sshd:1: there is no module name in ''"),
        ("auth [success=4294967297] pam_a.so", "sshd:1: versions of libpam disagree about a jump over so many lines"),
        ("auth include one", "one:1: cannot include missing"),
    ],
)
def test_what_versions_of_libpam_read_differently_is_refused(stack, text, message):
    with pytest.raises(FleetMfaError, match=message.replace("[", r"\[")):
        stack({"sshd": text + "\n", "one": "@include missing\n"})


def test_a_file_that_cannot_be_read_is_an_error_not_a_missing_file(stack, tmp_path):
    import os

    os.mkfifo(tmp_path / "sshd")
    with pytest.raises(FleetMfaError, match="sshd is not a regular file"):
        stack({})


@pytest.mark.parametrize(
    ("control", "result", "action"),
    [
        ("required", "ignore", "ignore"),
        ("REQUISITE", "auth_err", "die"),
        ("sufficient", "new_authtok_reqd", "done"),
        ("optional", "auth_err", "ignore"),
        ("success=ok", "auth_err", "bad"),
        ("default=ignore success=2", "success", 2),
        ("success = 1\tdefault=die", "user_unknown", "die"),
        ("success=okdefault=ignore", "auth_err", "ignore"),
        ("default=1 default=ok", "auth_err", 1),
        ("success=0 default=ok", "auth_err", "bad"),
        ("succes=ok default=ok", "auth_err", "bad"),
        ("authtok_recovery_err=ok default=ok", "success", "bad"),
        ("needed", "success", "bad"),
        ("", "success", "bad"),
        # Greek letters and the Kelvin sign are no ASCII letters.
        ("\u212a", "success", "bad"),
    ],
)
def test_controls(control, result, action):
    assert parse_control(control)[result] == action


def test_a_module_in_a_foreign_folder_is_not_what_its_name_says(stack):
    text = "".join(f"auth required {path}pam_permit.so\n" for path in ("", "/lib64/security/", "/tmp/"))  # noqa: S108
    names = [line.module_name for line in stack({"sshd": text}).lines]
    assert names == ["pam_permit.so", "pam_permit.so", "/tmp/pam_permit.so"]  # noqa: S108
