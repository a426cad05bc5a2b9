# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""What is missing, cannot be read or is not in the folder is an error that says so, and is never judged as fine."""

from __future__ import annotations

import os
import re
import shutil

import pytest

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._judged_files.folder import EtcFolder
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._judged_files.judging import judge_folder
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._judged_files.people import FleetGroups
from ansible_collections.fleetmfa.ssh.tests.support.judged_folder import GATED, MAIN, JudgedEtc
from ansible_collections.fleetmfa.ssh.tests.support.sshd_host import needs_sshd

pytestmark = needs_sshd
ACCESS = "account required pam_access.so accessfile="
LIST = "account required pam_listfile.so item=user sense=allow file="
FILES = ["ssh/sshd_config", "ssh/sshd_config.d/00-mfa.conf", "pam.d/sshd", "pam.d/common-auth"]


@pytest.fixture
def etc(tmp_path):
    return JudgedEtc(tmp_path / "etc")


def refused(etc, *words):
    """Each of the words is in the error, with ETC for the folder."""
    with pytest.raises(FleetMfaError) as error:
        etc.judged()
    for word in words:
        assert word.replace("ETC", str(etc.path)) in str(error.value), str(error.value)


def test_no_folder_and_one_with_nothing_in_it(etc, tmp_path):
    for name, told in (
        ("nowhere", "is no folder"),
        ("etc/ssh/sshd_config", "is no folder"),
        ("empty", "nothing to judge"),
    ):
        (tmp_path / "empty").mkdir(exist_ok=True)
        etc.path = tmp_path / name
        refused(etc, told)


def test_the_folder_of_this_machine(etc, tmp_path):
    (tmp_path / "link").symlink_to("/etc")
    etc.path = tmp_path / "link"
    refused(etc, "sshd_policy_info")


def test_no_sshd(etc):
    with pytest.raises(FleetMfaError, match="install the OpenSSH server"):
        judge_folder(EtcFolder(str(etc.path)), FleetGroups("mfa-enforced", frozenset(), frozenset()), "/nowhere/sshd")


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        ("# \nInclude /etc/ssh/more.d/*", "ETC/ssh/sshd_config:2: includes /etc/ssh/more.d/*, and ETC/ssh/more.d does not exist"),
        ("Include more.d/*", "ETC/ssh/sshd_config:1: includes /etc/ssh/more.d/*, and ETC/ssh/more.d does not exist"),
        ("Include /etc/crypto/sshd.config", "includes /etc/crypto/sshd.config, and ETC/crypto/sshd.config does not exist; copy it"),
        ("Include /usr/share/ssh/*.conf", "ETC/ssh/sshd_config:1: includes /usr/share/ssh/*.conf, which cannot be in the folder"),
        ("Include ../../usr/share/ssh/*.conf", "which cannot be in the folder"),
        ("Include ~/x.conf", "which cannot be in the folder"),
        ("NoSuchOption yes", "ETC/ssh/sshd_config: sshd rejects it: ETC/ssh/sshd_config: line 1: Bad configuration option"),
        ("Include /etc/ssh/sshd_config", "form a loop"),
    ],
)  # fmt: skip
def test_included_files_of_sshd(etc, lines, told):
    etc.write("ssh/sshd_config", f"{lines}\n{MAIN}")
    refused(etc, told)


def test_a_folder_of_drop_ins_that_is_said_to_be_empty(etc):
    etc.remove("ssh/sshd_config.d/00-mfa.conf")
    assert {one.users: one.verdict for one in etc.judged()}["enforced users"] == "can_bypass"
    (etc.path / "ssh/sshd_config.d").rmdir()
    refused(etc, "ETC/ssh/sshd_config.d does not exist", ".gitkeep")


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("common-auth", None, "ETC/pam.d/sshd:4: cannot include common-auth: there is no file common-auth; copy it into ETC/pam.d"),
        ("sshd", None, "ETC/pam.d/sshd does not exist, and sshd uses this PAM service"),
        ("sshd", GATED + "session include common-session\n", ""),
        ("sshd", GATED + "@include common-session\n", "ETC/pam.d/sshd:7: cannot include common-session"),
        ("sshd", GATED + "account include system-auth\n", "ETC/pam.d/sshd:7: cannot include system-auth"),
        ("sshd", GATED + "auth substack system-auth\n", "ETC/pam.d/sshd:7: cannot include system-auth"),
        ("sshd", GATED + "@include /usr/share/pam/common\n", "cannot include /usr/share/pam/common"),
        ("sshd", GATED + "@include /etc/pam.d/common-auth\n", ""),
        ("sshd", GATED + "@include /etc/pam.d/common-session\n", "cannot include /etc/pam.d/common-session"),
        ("sshd", GATED.replace("account", "#"), "ETC/pam.d/sshd has no account lines, and ETC/pam.d/other, whose lines count then"),
        ("sshd", f"{ACCESS}/etc/security/staff\n{GATED}", "ETC/pam.d/sshd:1: pam_access.so reads /etc/security/staff, and ETC/security/"),
        ("sshd", f"{ACCESS}/var/staff\n{GATED}", "ETC/pam.d/sshd:1: pam_access.so reads /var/staff, which cannot be in the folder"),
        ("sshd", f"{LIST}/etc/security/access.conf\n{GATED}", "pam_listfile.so reads /etc/security/access.conf, and ETC/security/"),
        ("sshd", f"{ACCESS}/etc/security/access.conf\n{GATED}", ""),
    ],
)  # fmt: skip
def test_included_files_of_pam(etc, name, text, told):
    if text is None:
        etc.remove(f"pam.d/{name}")
    else:
        etc.write(f"pam.d/{name}", text)
    if told:
        refused(etc, told)
    else:
        assert etc.unwanted() == {}


def test_the_service_that_sshd_uses_for_some(etc):
    etc.write("ssh/sshd_config", MAIN)
    etc.write("pam.d/other", "auth required pam_deny.so\naccount required pam_deny.so\n")
    etc.write("pam.d/sshd", GATED.replace("account", "#"))
    assert etc.unwanted()["enforced users"] == "locked_out"


def test_pam_is_not_needed_without_pam(etc):
    etc.write("ssh/sshd_config", MAIN.replace("UsePAM yes", "UsePAM no"))
    shutil.rmtree(etc.path / "pam.d")
    assert etc.unwanted() == {"enforced users": "locked_out"}


@pytest.mark.parametrize("name", FILES)
def test_links_out_of_the_folder(etc, tmp_path, name):
    """The file that they lead to is as good as it should be, but not the one of a host."""
    path = etc.path / name
    path.rename(tmp_path / "outside")
    path.symlink_to(tmp_path / "outside")
    refused(etc, f"ETC/{name} leads to {tmp_path}/outside, outside ETC", "cp -L")
    path.unlink()
    path.symlink_to("nothing")
    refused(etc, f"ETC/{name} is a symbolic link to nothing")


def test_a_linked_folder_of_drop_ins(etc, tmp_path):
    (etc.path / "ssh/sshd_config.d").rename(tmp_path / "dropins")
    (etc.path / "ssh/sshd_config.d").symlink_to(tmp_path / "dropins")
    refused(etc, "ETC/ssh/sshd_config.d leads to", "outside ETC")


def test_links_inside_the_folder(etc):
    for name in ("ssh/sshd_config.d/00-mfa.conf", "pam.d/common-auth"):
        path = etc.path / name
        path.rename(path.with_suffix(".real"))
        path.symlink_to(path.with_suffix(".real").name)
    assert etc.unwanted() == {}


@pytest.mark.parametrize("name", ["ssh/sshd_config", "ssh/sshd_config.d/00-mfa.conf", "pam.d/sshd"])
def test_what_is_no_file(etc, name):
    etc.remove(name)
    os.mkfifo(etc.path / name)
    refused(etc, f"ETC/{name} is not a regular file")


def test_messages_name_the_folder_as_it_was_given(etc, monkeypatch):
    monkeypatch.chdir(etc.path.parent)
    etc.path = etc.path.relative_to(etc.path.parent)
    assert re.match(r"etc/ssh/sshd_config\.d/00-mfa\.conf:3 ", etc.judged()[0].where[0])
