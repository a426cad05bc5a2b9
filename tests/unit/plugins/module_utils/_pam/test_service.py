# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors

from __future__ import annotations

import pytest

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError
from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.service import (
    plan_block,
    plan_own_service,
    plan_removal,
)

LINES = "auth requisite pam_google_authenticator.so\nauth sufficient pam_permit.so\n"
BLOCK = f"# BEGIN fleetmfa.ssh\n{LINES}# END fleetmfa.ssh\n"
DEBIAN = (
    "# PAM configuration\n\n# Standard Un*x authentication.\n@include common-auth\n\naccount required pam_nologin.so\n"
)
RHEL = "#%PAM-1.0\nauth       substack     password-auth\nauth       include      postlogin\naccount required pam_sepermit.so\n"
SHAPES = {
    "debian": DEBIAN,
    "rhel": RHEL,
    "optional module first": "-auth optional pam_fscrypt.so\nauth required pam_unix.so\n",
    "auth behind account": "account required pam_unix.so\nauth required pam_unix.so\n",
    "no newline at the end": "account required pam_unix.so\nauth required pam_unix.so",
    "carriage returns": "#%PAM-1.0\r\nauth required pam_unix.so\r\n",
    "continued comment": "# a comment \\\nauth required pam_unix.so\n",
    "continued line": "account required \\\n  auth pam_unix.so\nauth required pam_unix.so\n",
    "no auth part": "account required pam_unix.so\n",
    "upper case": "AUTH required pam_unix.so\n",
    "not UTF-8": b"# caf\xe9\nauth required pam_unix.so\n",
}


@pytest.fixture(params=SHAPES, ids=list(SHAPES))
def service(request, tmp_path):
    text = SHAPES[request.param]
    (tmp_path / "sshd").write_bytes(text if isinstance(text, bytes) else text.encode())
    return tmp_path / "sshd"


def put(service):
    plan_block(str(service.parent), "sshd", LINES).apply()


def test_in_and_out_is_byte_for_byte(service):
    before = service.read_bytes()
    put(service)
    assert BLOCK.encode() in service.read_bytes()
    plan_removal(str(service.parent), "sshd").apply()
    assert service.exists() and service.read_bytes() == before


def test_second_time_changes_nothing(service):
    put(service)
    assert not plan_block(str(service.parent), "sshd", LINES).changed


@pytest.mark.parametrize("shape", ["debian", "rhel", "optional module first", "continued comment", "upper case"])
def test_block_stands_before_every_auth_line(tmp_path, shape):
    (tmp_path / "sshd").write_text(SHAPES[shape])
    plan_block(str(tmp_path), "sshd", LINES).apply()
    lines = (tmp_path / "sshd").read_text().splitlines()
    auth = [line for line in lines if line.lstrip("-").lower().startswith(("auth", "@include"))]
    assert auth[:2] == LINES.splitlines() and len(auth) > 2


def test_block_never_lands_inside_a_continued_line(tmp_path):
    (tmp_path / "sshd").write_text(SHAPES["continued line"])
    plan_block(str(tmp_path), "sshd", LINES).apply()
    assert (tmp_path / "sshd").read_text().startswith("account required \\\n  auth pam_unix.so\n# BEGIN")


def test_lines_put_above_the_block_later_go_below_it(service):
    put(service)
    service.write_bytes(b"auth sufficient pam_permit.so\n" + service.read_bytes())
    put(service)
    lines = [line for line in service.read_bytes().splitlines() if line.lower().startswith(b"auth")]
    assert lines[0] == LINES.encode().splitlines()[0]


def test_new_content_replaces_the_old(service):
    put(service)
    plan_block(str(service.parent), "sshd", "auth required pam_deny.so").apply()
    assert b"google" not in service.read_bytes() and b"pam_deny.so\n# END" in service.read_bytes()


@pytest.mark.parametrize(
    "text",
    [
        "# BEGIN fleetmfa.ssh\nauth required pam_unix.so\n",
        "# END fleetmfa.ssh\n",
        "# END fleetmfa.ssh\n# BEGIN fleetmfa.ssh\n",
        BLOCK + BLOCK,
    ],
)
def test_markers_that_do_not_pair_up_are_refused(tmp_path, text):
    (tmp_path / "sshd").write_text(text)
    for plan in (lambda: plan_block(str(tmp_path), "sshd", LINES), lambda: plan_removal(str(tmp_path), "sshd")):
        with pytest.raises(FleetMfaError, match=r"sshd: the marker lines .*lines 1"):
            plan()
    assert (tmp_path / "sshd").read_text() == text


@pytest.mark.parametrize("name", ["../passwd", "/etc/passwd", "", ".hidden", "a/b", "a\n", "-x", "sshd\0"])
def test_service_names_that_leave_the_folder_are_refused(tmp_path, name):
    with pytest.raises(FleetMfaError, match="not the name of a PAM service"):
        plan_block(str(tmp_path), name, LINES)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "is empty"),
        ("\n\n", "is empty"),
        ("auth x\n# END fleetmfa.ssh\nauth y", "line 2: the marker lines"),
        ("auth required pam_deny.so \\", "ends with a backslash"),
    ],
)
def test_content_that_would_break_the_file_is_refused(tmp_path, content, message):
    (tmp_path / "sshd").write_text(DEBIAN)
    with pytest.raises(FleetMfaError, match=message):
        plan_block(str(tmp_path), "sshd", content)


@pytest.mark.parametrize("text", [None, ""], ids=["missing", "empty"])
def test_missing_service_names_the_remedy(tmp_path, text):
    if text is not None:
        (tmp_path / "sshd").write_text(text)
    with pytest.raises(FleetMfaError, match="own_service: true"):
        plan_block(str(tmp_path), "sshd", LINES)


def test_symlink_is_never_followed(tmp_path):
    (tmp_path / "elsewhere").write_text(DEBIAN)
    (tmp_path / "sshd").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(FleetMfaError, match="symbolic link"):
        plan_block(str(tmp_path), "sshd", LINES)
    assert (tmp_path / "elsewhere").read_text() == DEBIAN


class TestOwnService:
    def test_made_and_removed(self, tmp_path):
        plan_own_service(str(tmp_path), "sshd-mfa", LINES).apply()
        assert (tmp_path / "sshd-mfa").read_text() == BLOCK
        assert (tmp_path / "sshd-mfa").stat().st_mode & 0o777 == 0o644
        assert not plan_own_service(str(tmp_path), "sshd-mfa", LINES).changed
        plan_removal(str(tmp_path), "sshd-mfa").apply()
        assert not (tmp_path / "sshd-mfa").exists()

    def test_somebody_elses_file_is_never_replaced(self, tmp_path):
        (tmp_path / "sshd-mfa").write_text(DEBIAN)
        with pytest.raises(FleetMfaError, match="exists and is not ours"):
            plan_own_service(str(tmp_path), "sshd-mfa", LINES)

    def test_lines_of_others_around_ours_stay(self, tmp_path):
        """As in any other file; what they do to a login is proven with ours."""
        (tmp_path / "sshd-mfa").write_text("# the house's\n" + BLOCK + "session optional pam_motd.so\n")
        plan_own_service(str(tmp_path), "sshd-mfa", "auth required pam_deny.so").apply()
        ours = "# BEGIN fleetmfa.ssh\nauth required pam_deny.so\n# END fleetmfa.ssh\n"
        around = "# the house's\n{}session optional pam_motd.so\n"
        assert (tmp_path / "sshd-mfa").read_text() == around.format(ours)
        plan_removal(str(tmp_path), "sshd-mfa").apply()
        assert (tmp_path / "sshd-mfa").read_text() == around.format("")

    def test_removal_of_what_is_not_there(self, tmp_path):
        assert not plan_removal(str(tmp_path), "sshd-mfa").changed
