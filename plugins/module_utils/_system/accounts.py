# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""The accounts of a host: who is human, who is exempt, who is a member of the enforced group. Private.

Accounts and groups are looked up through NSS, as sshd and PAM do, so those of a directory service are included. A
directory may accept several spellings of an account (it returns account `bob` for `BOB`); the returned name is the one
that counts.
"""

from __future__ import annotations

import grp
import os
import pwd
import re
from collections import defaultdict
from typing import Iterable, Iterator

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError, PartlyDoneError
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.account_lookup import (
    account_of,
    group_ids_of,
    local_uids_once,
)
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.commands import run
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.files import read_file

DEFAULT_GROUP = "mfa-enforced"
# Of users from whom sshd demands a security key instead of a token (docs/security_keys.md).
SECURITY_KEY_GROUP = "mfa-security-key"

_REMEDY = "check whether another program is changing accounts, or /etc is read-only"
# Sources in nsswitch.conf that contain only this host's own accounts and always answer.
_LOCAL_SERVICES = {"files", "systemd", "altfiles"}
_NO_LOGIN = {"nologin", "false", "sync"}
# Up to this many changes are made one by one, so they cannot undo changes that another program makes at the same time.
_ONE_BY_ONE = 8


def account_name(user: str) -> str | None:
    """The account's own name in the system's database, which groups and key files use."""
    account = account_of(user)
    return account.pw_name if account else None


def known_as(user: str) -> str:
    """The account's own name, or the given name if there is no such account."""
    return account_name(user) or user


def is_named(user: str, names: Iterable[str]) -> bool:
    """Whether one of the names, in any spelling, belongs to this account."""
    names = list(names)
    return user in names or any(account_name(name) == user for name in names)


def account_exists(user: str) -> bool:
    return account_name(user) is not None


def account_uid(user: str) -> int | None:
    """None if no account is found, possibly only temporarily: a directory service may be unreachable."""
    account = account_of(user)
    return account.pw_uid if account else None


def local_uid(user: str) -> int | None:
    """The user id of an account in this host's own passwd file, regardless of any directory."""
    known = local_uids_once(_local_uids)
    if known is not None:
        return known.get(user)
    return next((uid for _name, uid, _shell in _local_accounts(f"{user}:")), None)


def _local_uids() -> dict[str, int]:
    """The first line of a name counts, as for the system."""
    return {name: uid for name, uid, _shell in reversed([*_local_accounts()])}


def is_gone(user: str, was_local: bool) -> bool:
    """Whether the account certainly does not exist. A directory service may merely be unreachable."""
    return account_uid(user) is None and local_uid(user) is None and (was_local or not _may_have_a_directory())


class SharedUids:
    """Accounts that are one user under several names (`useradd -o`), as of now."""

    def __init__(self) -> None:
        self._names = defaultdict(list)
        for name, uid, shell in _local_accounts():
            if is_login_shell(shell):
                self._names[uid].append(name)

    def other_names(self, user: str) -> list[str]:
        """The user's other local names that have a login shell."""
        uid = account_uid(user)
        return [name for name in self._names.get(uid, ()) if name != user] if uid is not None else []


def is_root(user: str) -> bool:
    """By user id: to sshd every account with user id 0 is root (PermitRootLogin), whatever its name."""
    return account_uid(user) == 0


def shared_uid_text(names: list[str]) -> str:
    return (
        f"{' and '.join(names)} has the same user id and could log in without a token; give it its own validated "
        "key, add it to exempt_users if that is intended, or give it a different user id"
    )


def _local_accounts(beginning: str = "") -> Iterator[tuple[str, int, str]]:
    """Name, user id and shell of each line that begins like this."""
    for line in (read_file("/etc/passwd") or b"").decode("utf-8", "surrogateescape").splitlines():
        fields = line.split(":") if line.startswith(beginning) else []
        if len(fields) >= 7 and fields[2].isdigit():
            yield fields[0], int(fields[2]), fields[6]


def _may_have_a_directory(database: str = "passwd") -> bool:
    text = (read_file("/etc/nsswitch.conf") or b"").decode("utf-8", "replace")
    lines = [line.split("#")[0].partition(":") for line in text.splitlines()]
    services = [word for name, _colon, words in lines if name.strip() == database for word in words.split()]
    return not services or not set(services) <= _LOCAL_SERVICES


def has_login_shell(account: pwd.struct_passwd) -> bool:
    return is_login_shell(account.pw_shell)


def is_login_shell(shell: str) -> bool:
    return os.path.basename(shell) not in _NO_LOGIN


def human_accounts() -> list[str]:
    """Accounts in the UID range that login.defs reserves for people, with a login shell."""
    lowest, highest = _human_uids()
    return sorted(
        {
            account.pw_name
            for account in pwd.getpwall()
            if lowest <= account.pw_uid <= highest and has_login_shell(account)
        }
    )


def _human_uids() -> tuple[int, int]:
    limits = {"UID_MIN": 1000, "UID_MAX": 60000}
    for line in (read_file("/etc/login.defs") or b"").decode("utf-8", "replace").splitlines():
        words = line.split()
        if len(words) >= 2 and words[0] in limits and words[1].isdigit():
            limits[words[0]] = int(words[1])
    return limits["UID_MIN"], limits["UID_MAX"]


class Exemptions:
    """Who is never asked: users by name, and members of groups, including users' primary groups.

    Names unknown to this host are ignored, since the lists are meant for a whole fleet.
    """

    def __init__(self, users: Iterable[str] = (), groups: Iterable[str] = ()):
        self._users = set(map(known_as, users))
        self._group_ids = {group.gr_gid for group in map(_group, groups) if group}

    def __contains__(self, user: str) -> bool:
        user = known_as(user)
        if user in self._users:
            return True
        if not self._group_ids:
            return False
        account = account_of(user)
        return account is not None and not self._group_ids.isdisjoint(group_ids(account))

    def listed(self) -> list[str]:
        """The users named, and those listed as members of the groups, sorted; members by primary group are left out."""
        members = {user for number in self._group_ids for user in grp.getgrgid(number).gr_mem}
        return sorted(self._users | set(map(known_as, members)))


def group_ids(account: pwd.struct_passwd) -> set[int]:
    """All groups of an account, its primary one too."""
    return group_ids_of(account, lists_all=not _may_have_a_directory("group"))


def misspelled(names: Iterable[str]) -> dict[str, str]:
    """The names for which the system's database returns an account with another name, and that account."""
    accounts = {name: account_name(name) for name in names}
    return {name: account for name, account in sorted(accounts.items()) if account not in (None, name)}


def _group(name: str) -> grp.struct_group | None:
    try:
        return grp.getgrnam(name)
    except KeyError:
        return None


def group_exists(name: str) -> bool:
    return _group(name) is not None


class EnforcedGroup:
    """The local group whose members are asked for a token. It is changed only with the system's own tools."""

    def __init__(self, name: str = DEFAULT_GROUP):
        if not re.fullmatch(r"[a-z_][a-z0-9_-]{0,31}", name):
            raise FleetMfaError(
                f"group: {name!r} is not a valid name for a local group (lower case, digits, '-' and '_')"
            )
        self.name = name

    @property
    def exists(self) -> bool:
        return _group(self.name) is not None

    @property
    def members(self) -> set[str]:
        """The names listed in the group; sshd and PAM look for the account's own name among them."""
        group = _group(self.name)
        return set(group.gr_mem) if group else set()

    def misspelled(self) -> dict[str, str]:
        """Entries that make nobody a member, with the account that each was meant for."""
        return misspelled(self.members)

    def prepare(self) -> bool:
        """Create the group or, if it exists, check that it can be changed before others rely on that. Returns whether
        it is new.

        The check is a change to the current state, which takes the same locks and writes the same file as any other.
        """
        group = _group(self.name)
        if group is None:
            _run("groupadd", "--system", self.name)
        else:
            _run("groupmod", "--gid", str(group.gr_gid), self.name)
        return group is None

    def update(self, join: Iterable[str] = (), leave: Iterable[str] = ()) -> bool:
        """Make these users members and those not, in few calls regardless of their number. Returns whether anything
        changed."""
        before = self.members
        joining, leaving = set(join) - before, set(leave) & before
        if not joining and not leaving:
            return False
        try:
            self._update(joining, leaving, (before | joining) - leaving)
        except FleetMfaError as error:
            raise PartlyDoneError(str(error)) if self.members != before else error from error
        return True

    def _update(self, joining: set[str], leaving: set[str], after: set[str]) -> None:
        # gpasswd refuses a list with an unknown member, and a member who is unknown at the moment must stay:
        # a directory service that does not answer must not release anybody.
        if len(joining) + len(leaving) > _ONE_BY_ONE and all(map(account_exists, after)):
            _run("gpasswd", "--members", ",".join(sorted(after)), self.name)
        else:
            self._update_one_by_one(joining, leaving)
        missing = {user for user in joining if user not in self.members} | (leaving & self.members)
        if missing:
            raise FleetMfaError(
                f"group {self.name}: the membership of {', '.join(sorted(missing)[:10])} did not change; is the "
                "group in a directory service? It must be in /etc/group"
            )

    def _update_one_by_one(self, joining: set[str], leaving: set[str]) -> None:
        for user in sorted(leaving):
            _run("gpasswd", "--delete", user, self.name)
        for user in sorted(joining):
            _run("gpasswd", "--add", user, self.name)


def _run(command: str, *arguments: str) -> None:
    done = run(command, *arguments)
    if done.code:
        raise FleetMfaError(f"{command} failed for group {arguments[-1]}: {done.said[:500]}; {_REMEDY}")
