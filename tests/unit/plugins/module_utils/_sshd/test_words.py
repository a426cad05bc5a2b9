# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Lines of sshd_config split as each version of sshd splits them; held against the one that is installed, on random lines."""

from __future__ import annotations

import os
import random

import pytest

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError
from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.binary import Sshd
from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.config import SshdConfig
from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.match import Account, Connection, setter
from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.policy import PolicyReader
from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.words import (
    parse_criteria,
    quoted,
    split_arguments,
    split_line,
)
from ansible_collections.fleetmfa.ssh.tests.support.sshd_host import SshdHost, needs_sshd

SEED = int(os.environ["FLEETMFA_SEED"])
LINES = 150
PIECES = ["a", "b", "ab", " ", " ", "\t", '"', '"', "'", "\\", "=", "#", "*"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("UsePAM yes", ("usepam", "yes")),
        ("  usepam\tyes\r", ("usepam", "yes")),
        ("UsePAM=yes", ("usepam", "yes")),
        ("UsePAM = yes", ("usepam", "yes")),
        ('"UsePAM" yes', ("usepam", "yes")),
        ("# UsePAM yes", ("", "")),
        ("#UsePAM yes", ("", "")),
        ("", ("", "")),
        ("   ", ("", "")),
    ],
)
def test_line(text, expected):
    assert split_line(text) == expected


def test_arguments_quotes_and_comments():
    assert split_arguments("a \"b c\" 'd e' # f") == ["a", "b c", "d e"]
    assert split_arguments("a#b") == ["a#b"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("User alice", (("user", "alice"),)),
        ("user=alice Address=10.0.0.0/8", (("user", "alice"), ("address", "10.0.0.0/8"))),
        ('Group "domain users" LocalPort 22', (("group", "domain users"), ("localport", "22"))),
        ("all", (("all", ""),)),
        ("invalid-user Group x", (("invalid-user", ""), ("group", "x"))),
        ("User alice # a comment", (("user", "alice"),)),
    ],
)
def test_criteria(text, expected):
    assert parse_criteria(text) == expected


@pytest.mark.parametrize(
    ("version", "text", "expected"),
    [
        ((8, 4), '"linux admins" staff', ["linux admins", "staff"]),
        ((9, 2), '"linux admins" staff', ["linux admins", "staff"]),
        ((8, 4), "'linux admins'", ["'linux", "admins'"]),
        ((9, 2), "'linux admins' # x", ["linux admins"]),
        ((8, 4), "linux\\ admins", ["linux\\", "admins"]),
        ((9, 2), "linux\\ admins", ["linux admins"]),
        ((9, 2), '"a \\"b\\" c" \\d', ['a "b" c', "\\d"]),
        ((8, 4), "a=b", ["a", "b"]),
        ((9, 2), "a=b", ["a=b"]),
    ],
)
def test_values_of_each_version(version, text, expected):
    assert split_arguments(text, version) == expected


def test_comment_of_each_version():
    line = 'AllowGroups staff "a # b" # c'
    assert split_line(line, (8, 4)) == ("allowgroups", 'staff "a')
    assert split_arguments(split_line(line, (9, 2))[1], (9, 2)) == ["staff", "a # b"]


def test_variables_keep_their_equals_sign():
    assert split_arguments('A=1 B="x y"', (8, 4), "setenv") == ["A=1", "B=x y"]
    assert split_arguments('A=1 B="x y"', (9, 2), "setenv") == ["A=1", "B=x y"]


@pytest.mark.parametrize(
    ("version", "text", "expected"),
    [
        ((8, 4), 'Group "linux admins"', (("group", "linux admins"),)),
        ((9, 2), "User 'alice'", (("user", "'alice'"),)),
        ((9, 9), "User 'alice'", (("user", "alice"),)),
        ((9, 2), "User = alice Group=x", (("user", "alice"), ("group", "x"))),
        ((10, 0), 'Group="linux admins" User a\\ b', (("group", "linux admins"), ("user", "a b"))),
    ],
)
def test_criteria_of_each_version(version, text, expected):
    assert parse_criteria(text, version) == expected


@pytest.mark.parametrize("version", [(8, 4), (9, 2), (10, 0)])
@pytest.mark.parametrize("word", ["alice", "linux admins", "a\\b c", "#x", "it's", "a=b", "!x y,*"])
def test_quoted_word_is_read_back(version, word):
    assert parse_criteria(f"Group {quoted(word, version)} User x", version) == (("group", word), ("user", "x"))


def random_text(choose):
    return "".join(choose.choice(PIECES) for _round in range(choose.randint(1, 9)))


@needs_sshd
def test_same_values_as_sshd(tmp_path):
    choose = random.Random(SEED)
    host = SshdHost(tmp_path)
    sshd = Sshd(str(host.sshd))
    taken = 0
    for _round in range(LINES):
        text = random_text(choose)
        host.write(f"DenyGroups first {text}\n")
        try:
            said = sshd.effective(str(host.config), "nobody", Connection())["denygroups"]
        except FleetMfaError:
            continue
        taken += 1
        assert said == split_arguments(split_line(f"DenyGroups first {text}", sshd.version)[1], sshd.version), repr(
            text
        )
    assert taken > LINES / 10


@needs_sshd
def test_same_match_as_sshd(tmp_path):
    """As the line stands, and as it is staged with its groups resolved."""
    choose = random.Random(SEED)
    host = SshdHost(tmp_path)
    sshd = Sshd(str(host.sshd))
    account, taken = Account("ab", 1000, frozenset({"a b", "b"})), 0
    for _round in range(LINES):
        text = f"User {random_text(choose)} Address {choose.choice(['*', '10.0.0.0/8'])}"
        host.write(f"Banner /0\nMatch {text}\n Banner /1\n")
        try:
            said = sshd.effective(str(host.config), account.name, Connection())["banner"]
        except FleetMfaError:
            continue
        taken += 1
        config = SshdConfig(str(host.config), version=sshd.version)
        assert said == list(setter(config, "banner", account, Connection()).arguments), repr(text)
        host.write(f'Banner /0\nMatch Group "a b" {text}\n Banner /1\n')
        with PolicyReader(sshd, SshdConfig(str(host.config), version=sshd.version)) as reader:
            try:
                assert reader.settings(account, Connection())["banner"] == said, repr(text)
            except FleetMfaError as error:
                assert "ends with a backslash" in str(error), (text, error)
    assert taken > LINES / 10
