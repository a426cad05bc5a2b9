# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Whom sudoers makes administrators; the real sudo is the judge where it is installed."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from ansible_collections.fleetmfa.ssh.plugins.module_utils._audit.administrators import Administrators
from ansible_collections.fleetmfa.ssh.plugins.module_utils._audit.sudoers import Sudoers

HOST = os.uname().nodename
RULES = rf"""
# A comment, and a user id: #20000 is none here
Defaults env_reset
Defaults:alice !requiretty
Defaults!/usr/bin/true !authenticate
User_Alias OPERATORS = dave, %operators : GUESTS = erin, \
    frank
Runas_Alias DATABASE = postgres, oracle
Host_Alias HERE = {HOST}, another
Cmnd_Alias RESTART = /bin/ls, /usr/bin/true # these
root ALL=(ALL:ALL) ALL
%admins	ALL=(ALL:ALL) NOPASSWD: ALL
alice ALL=(postgres) /bin/ls, (root) NOPASSWD: /bin/ls
bob ALL=(DATABASE) ALL
OPERATORS HERE = NOPASSWD: RESTART
GUESTS elsewhere = ALL
carol elsewhere=ALL : {HOST}=(root) /bin/ls
#4711 ALL=ALL
gina ALL=(:adm) ALL
hugo ALL=(postgres,root) /bin/ls
ivan ALL=!ALL
jane ALL = (root) /bin/cat
kurt ALL = /bin/ls
"linda" ALL = (ALL) /bin/ls
mallory, !nina ALL = /bin/ls
"""
PEOPLE = [
    "alice",
    "bob",
    "carol",
    "dave",
    "erin",
    "frank",
    "gina",
    "hugo",
    "ivan",
    "kurt",
    "linda",
    "mallory",
    "nina",
    "olga",
    "paul",
]
MAY = {"alice", "carol", "dave", "hugo", "kurt", "linda", "mallory", "olga", "paul"}


@pytest.fixture
def host(accounts):
    accounts.add(*(set(PEOPLE) - {"alice", "bob", "carol"}), "jane", "postgres2")
    accounts.add_group("admins", ["olga"])
    accounts.add_group("operators", ["paul"])
    Path("/etc/sudoers").write_text(RULES)
    Path("/etc/sudoers").chmod(0o440)
    return accounts


def admins():
    return {user for user, reasons in Administrators().why.items() if any("sudoers" in reason for reason in reasons)}


def test_administrators(host):
    assert admins() & {*PEOPLE, "jane"} == MAY | {"jane"}
    why = Administrators().why
    assert why["olga"] == ["admins group", "sudoers: /etc/sudoers:12"]
    assert why["alice"] == ["sudoers: /etc/sudoers:13"]
    assert why["root"][:2] == ["uid 0", "sudoers: /etc/sudoers:11"]


@pytest.mark.skipif(shutil.which("sudo") is None, reason="no sudo on this machine")
def test_real_sudo_agrees(host):
    def says(user):
        command = ["sudo", "-n", "-l", "-U", user, "-u", "root", "/bin/ls"]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    if says("root").returncode:
        pytest.skip(f"this sudo does not answer here: {says('root').stderr}")
    assert {user for user in PEOPLE if says(user).returncode == 0} == MAY


@pytest.mark.parametrize(
    ("rules", "problem"),
    [
        ("+net ALL=ALL", "who is +net is not judged"),
        ("%:ad ALL=ALL", "who is %:ad is not judged"),
        ("NOALIAS ALL=ALL", "who is NOALIAS is not judged"),
        ("alice 10.0.0.0/8=ALL", "whether this host is meant by 10.0.0.0/8 is not judged"),
        ("some words", "is not a line that sudo understands"),
        ("User_Alias broken name = x", "an alias that cannot be read"),
        ("@include /nonexistent", "/nonexistent does not exist, but is included"),
        ("Defaults targetpw\nALL ALL=(ALL) ALL", "everybody may use sudo who knows the password of the other account"),
    ],
)
def test_what_is_not_judged(tmp_path, rules, problem):
    path = tmp_path / "sudoers"
    path.write_text(rules + "\n")
    assert [text for text in Sudoers(str(path)).problems if problem in text]
    path.write_text("root ALL=(ALL) ALL\n")
    assert Sudoers(str(path)).problems == []


def test_everybody(accounts, tmp_path):
    path = tmp_path / "sudoers"
    path.write_text("ALL ALL=(ALL) NOPASSWD: ALL\n")
    assert {"alice", "bob", "carol"} <= set(Administrators(str(path)).why)


def test_included_files(accounts, tmp_path):
    folder = tmp_path / "sudoers.d"
    folder.mkdir()
    for name, user in {"10-a": "alice", "20.rpmnew": "bob", "backup~": "carol"}.items():
        (folder / name).write_text(f"{user} ALL=ALL\n")
    path = tmp_path / "sudoers"
    path.write_text("#includedir sudoers.d\n")
    why = Administrators(str(path)).why
    assert why["alice"] == [f"sudoers: {folder}/10-a:1"]
    assert not {"bob", "carol"} & set(why)


def test_group_by_number_and_primary_group(accounts, tmp_path):
    path = tmp_path / "sudoers"
    gid = next(line.split(":")[2] for line in Path("/etc/group").read_text().splitlines() if line.startswith("bob:"))
    path.write_text(f"%#{gid} ALL=ALL\n")
    assert Administrators(str(path)).why["bob"] == ["bob group", f"sudoers: {path}:1"]


def test_rules_elsewhere_are_said(accounts, tmp_path):
    nsswitch, doas = tmp_path / "nsswitch.conf", tmp_path / "doas.conf"
    nsswitch.write_text("passwd: files\nsudoers: files sss\n")
    doas.write_text("permit alice\n")
    told = Administrators(str(tmp_path / "none"), str(nsswitch), [str(doas)]).problems
    assert [text.partition(": ")[0] for text in told] == [str(nsswitch), str(doas)]
    nsswitch.write_text("sudoers: files\n")
    doas.unlink()
    assert Administrators(str(tmp_path / "none"), str(nsswitch), [str(doas)]).problems == []
