# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Which Match line holds, held against the real sshd on random configurations."""

from __future__ import annotations

import grp
import os
import pwd
import random

import pytest

from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.binary import Sshd
from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.config import MatchLine, SshdConfig
from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.match import (
    Account,
    Connection,
    admitted,
    connection_part_holds,
    in_group_list,
    list_matches,
    pattern_matches,
    representative_connections,
    setter,
    user_part_holds,
)
from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.policy import PolicyReader
from ansible_collections.fleetmfa.ssh.tests.support.sshd_host import SshdHost, needs_sshd

SEED = int(os.environ["FLEETMFA_SEED"])
CONFIGURATIONS = 40
QUESTIONS = 5

USERS = ["alice", "bob", "al", "svc-git", "root"]
GROUPS = ["wheel", "mfa-enforced", "git-users", "staff"]
USER_PATTERNS = ["alice", "al*", "b?b", "*", "!alice,*", "svc-*,!svc-git", "alice,bob", "root", "[a]lice"]
GROUP_PATTERNS = ["wheel", "mfa-*", "!staff,*", "git-users,staff", "*", "!mfa-enforced", "none"]
ADDRESS_PATTERNS = [
    "10.0.0.0/8",
    "10.1.0.0/16,!10.1.2.0/24",
    "192.0.2.*",
    "*",
    "2001:db8::/32",
    "!10.0.0.0/8,*",
    "10.1.2.3",
]
ADDRESSES = ["10.1.2.3", "10.1.3.4", "10.9.9.9", "192.0.2.5", "203.0.113.7", "2001:db8::1"]


def random_match(choose):
    criteria = []
    for name, patterns in (
        ("User", USER_PATTERNS),
        ("Group", GROUP_PATTERNS),
        ("Address", ADDRESS_PATTERNS),
        ("LocalAddress", ADDRESS_PATTERNS),
        ("Host", ["*.example.org", "10.*", "!bad.example.org,*", "h?st"]),
        ("LocalPort", ["22", "2222"]),
        ("RDomain", ["*"]),
    ):
        if choose.random() < 0.3:
            criteria.append(f"{name} {choose.choice(patterns)}")
    return "Match " + (" ".join(criteria) or "all")


def random_config(choose):
    lines = ["Banner /0"]
    for number in range(1, choose.randint(2, 6)):
        lines += [random_match(choose), f" Banner /{number}" if choose.random() < 0.8 else " X11Forwarding no"]
    return "\n".join(lines) + "\n"


@needs_sshd
def test_same_answer_as_sshd(tmp_path):
    """The line that is said to decide is the one that does; Group criteria are resolved, as -C cannot name groups."""
    choose = random.Random(SEED)
    host = SshdHost(tmp_path)
    sshd = Sshd(str(host.sshd))
    asked = 0
    for _round in range(CONFIGURATIONS):
        host.write(random_config(choose))
        config = SshdConfig(str(host.config))
        with PolicyReader(sshd, config) as reader:
            for _round in range(QUESTIONS):
                groups = frozenset(choose.sample(GROUPS, choose.randint(0, 3)))
                account = Account(choose.choice(USERS), 1000, groups)
                address = choose.choice(ADDRESSES)
                hosts = [address, "a.example.org", "bad.example.org", "host"]
                port, local = choose.choice([22, 2222]), choose.choice(ADDRESSES)
                connection = Connection(address, choose.choice(hosts), local, port)
                decided = reader.settings(account, connection)["banner"]
                expected = setter(config, "banner", account, connection)
                assert decided == list(expected.arguments), (host.config.read_text(), account, connection)
                asked += 1
    assert asked == CONFIGURATIONS * QUESTIONS


@needs_sshd
def test_an_account_is_never_answered_with_the_groups_of_another(tmp_path):
    """alice (for her name) and bob (for his groups) both fail the first Match; one from elsewhere makes sshd ask again."""
    host = SshdHost(tmp_path)
    host.write("Banner /0\nMatch User !alice,* Group wheel\n Banner /1\nMatch Address 10.0.0.0/8\n Banner /2\n")
    with PolicyReader(Sshd(str(host.sshd)), SshdConfig(str(host.config))) as reader:
        alice = reader.settings(Account("alice", 1000, frozenset({"wheel"})), Connection())
        bob = reader.settings(Account("bob", 1001, frozenset()), Connection("10.1.2.3", "10.1.2.3"))
    assert (alice["banner"], bob["banner"]) == (["/0"], ["/2"])


@needs_sshd
def test_real_accounts_are_answered_as_sshd_answers_them(tmp_path):
    """With real users sshd looks groups up itself: resolving them first makes no difference."""
    host = SshdHost(tmp_path)
    host.write("Banner /0\nMatch Group root,adm\n Banner /1\nMatch Group !daemon,*\n Banner /2\n")
    sshd, config = Sshd(str(host.sshd)), SshdConfig(str(host.config))
    banners = set()
    with PolicyReader(sshd, config) as reader:
        for entry in pwd.getpwall()[:12]:
            ids = os.getgrouplist(entry.pw_name, entry.pw_gid)
            account = Account(entry.pw_name, entry.pw_uid, frozenset(grp.getgrgid(number).gr_name for number in ids))
            own = sshd.effective(str(host.config), entry.pw_name, Connection())
            assert reader.settings(account, Connection()) == own, account
            banners.update(own["banner"])
    assert len(banners) > 1


def test_patterns():
    assert pattern_matches("alice", "a*e") and pattern_matches("bob", "b?b") and not pattern_matches("alice", "[a]lice")
    assert list_matches("a*,!alice", lambda pattern: pattern_matches("alice", pattern)) == -1
    assert list_matches("x,y", lambda pattern: pattern_matches("alice", pattern)) == 0


def test_negated_group_pattern_decides():
    assert in_group_list(["staff", "wheel"], "wheel")
    assert not in_group_list(["staff", "wheel"], "wheel,!staff")
    assert not in_group_list([], "*")


@pytest.mark.parametrize(
    ("lists", "account", "address", "expected"),
    [
        ({}, "alice", "10.0.0.1", True),
        ({"allowusers": ["alice", "bob"]}, "alice", "10.0.0.1", True),
        ({"allowusers": ["alice@192.0.2.0/24,10.0.0.0/8"]}, "alice", "10.0.0.1", True),
        ({"allowusers": ["alice@!10.0.0.1,10.0.0.0/8"]}, "alice", "10.0.0.1", False),
        ({"allowusers": ["alice@"]}, "alice", "10.0.0.1", False),
        ({"allowusers": ["bob"]}, "alice", "10.0.0.1", False),
        ({"allowusers": ["alice@10.*"]}, "alice", "10.0.0.1", True),
        ({"allowusers": ["alice@10.0.0.0/8"]}, "alice", "192.0.2.1", False),
        ({"denyusers": ["a*"]}, "alice", "10.0.0.1", False),
        ({"allowgroups": ["wheel"]}, "alice", "10.0.0.1", True),
        ({"allowgroups": ["staff"]}, "alice", "10.0.0.1", False),
        ({"denygroups": ["wheel"]}, "alice", "10.0.0.1", False),
        # sshd -T has a line for each; a blank is part of a name.
        ({"allowgroups": ["staff", "linux admins"]}, "alice", "10.0.0.1", True),
        ({"allowgroups": ["linux", "admins"]}, "alice", "10.0.0.1", False),
        ({"denygroups": ["linux admins"]}, "alice", "10.0.0.1", False),
        ({"denygroups": ["linux *"]}, "alice", "10.0.0.1", False),
        ({"denygroups": ["linux", "admins"]}, "alice", "10.0.0.1", True),
    ],
)
def test_allow_and_deny(lists, account, address, expected):
    assert (
        admitted(lists, Account(account, 1000, frozenset({"wheel", "linux admins"})), Connection(address, address))
        is expected
    )


def test_connections_tell_every_combination_apart():
    patterns = ["10.0.0.0/8", "10.5.0.0/16", "!10.0.0.0/8,*", "192.168.*", "2001:db8:1::/48"]
    matches = [MatchLine("f", n, (("address", pattern),)) for n, pattern in enumerate(patterns)]
    matches.append(MatchLine("f", 9, (("localport", "2222"),)))
    connections = representative_connections(matches, [22, 2222], use_dns=False)
    vectors = {tuple(connection_part_holds(match, one) for match in matches[:5]) for one in connections}
    assert vectors == {
        (True, False, False, False, False),
        (True, True, False, False, False),
        (False, False, True, False, False),
        (False, False, True, True, False),
        (False, False, True, False, True),
    }
    assert {one.local_port for one in connections} == {22, 2222}
    assert len(connections) == 10


def test_networks_that_begin_alike_are_told_apart():
    matches = [MatchLine("f", n, (("address", pattern),)) for n, pattern in enumerate(["10.0.0.0/8", "10.0.0.0/16"])]
    connections = representative_connections(matches, [22], use_dns=False)
    vectors = {tuple(connection_part_holds(match, one) for match in matches) for one in connections}
    assert vectors == {(False, False), (True, False), (True, True)}


def test_host_names_count_only_with_dns():
    matches = [MatchLine("f", 1, (("host", "*.example.org"),))]
    assert len(representative_connections(matches, [22], use_dns=False)) == 1
    assert len(representative_connections(matches, [22], use_dns=True)) == 2


def test_invalid_user_is_nobody_we_ask_about():
    match = MatchLine("f", 1, (("invalid-user", ""),))
    assert not user_part_holds(match, Account("alice", 1000, frozenset()))
