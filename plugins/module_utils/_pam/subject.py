# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""The subject of a proof, and the results of pam_succeed_if for it. Private to the collection."""

from __future__ import annotations

import grp
import operator
import os
import pwd
import re
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Callable, Iterable, Sequence

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError

EVERYTHING = frozenset(("success", "auth_err"))
YES, NO = frozenset(("success",)), frozenset(("auth_err",))
BROKEN = frozenset(("service_err",))

_FLAGS = ("debug", "use_uid", "quiet", "quiet_fail", "quiet_success", "audit")
_USER = ("user", "login", "name")
_OTHER_ATTRIBUTES = ("uid", "gid", "shell", "home", "dir", "homedir", "service", "ruser", "rhost", "tty")
_NUMERIC: dict[str, Callable[[int, int], bool]] = {
    "<": operator.lt, "lt": operator.lt, "<=": operator.le, "le": operator.le, ">": operator.gt, "gt": operator.gt,
    ">=": operator.ge, "ge": operator.ge, "eq": operator.eq, "ne": operator.ne,
}  # fmt: skip
_TEXTUAL: dict[str, Callable[[str, str], bool]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "=~": fnmatchcase,
    "glob": fnmatchcase,
    "!~": lambda value, pattern: not fnmatchcase(value, pattern),
    "noglob": lambda value, pattern: not fnmatchcase(value, pattern),
    "in": lambda value, items: value in items.split(":"),
    "notin": lambda value, items: value not in items.split(":"),
}
_NAMES_USERS: dict[str, Callable[[str], list[str]]] = {
    **dict.fromkeys(("=", "!="), lambda value: [value]),
    **dict.fromkeys(("in", "notin"), lambda value: value.split(":")),
}


@dataclass(frozen=True)
class Subject:
    """A user or a class of users. Whatever is unknown may be either way; `not_member_of` None means: no other group.

    A user who is not known is still none of `not_user`.
    """

    user: str | None = None
    uid: int | None = None
    member_of: frozenset[str] = frozenset()
    not_member_of: frozenset[str] | None = frozenset()
    has_key: bool | None = None
    not_user: frozenset[str] = frozenset()

    @classmethod
    def from_host(cls, user: str | None, groups: Sequence[str] | None, has_key: bool | None) -> Subject:
        """`groups` are all the groups of the subject; without them, those known to this host for `user`."""
        account = None
        if user is not None:
            try:
                account = pwd.getpwnam(user)
            except KeyError:
                if groups is None:
                    raise FleetMfaError(
                        f"option 'user': account {user} does not exist on this host; give its groups in option 'groups'"
                    ) from None
        if groups is None and account is not None:
            groups = _group_names(os.getgrouplist(account.pw_name, account.pw_gid))
        return cls(
            user=user,
            uid=None if account is None else account.pw_uid,
            member_of=frozenset(groups or ()),
            not_member_of=frozenset() if groups is None else None,
            has_key=has_key,
        )

    def is_user(self, names: Sequence[str]) -> bool | None:
        """Whether it is one of these users."""
        if self.user is not None:
            return self.user in names
        return None if set(names) - self.not_user else False

    def in_group(self, group: str) -> bool | None:
        if group in self.member_of:
            return True
        return False if self.not_member_of is None or group in self.not_member_of else None

    def in_any_group(self, groups: Sequence[str]) -> bool | None:
        answers = {self.in_group(group) for group in groups if group}
        if True in answers:
            return True
        return None if None in answers else False


def _group_names(numbers: Iterable[int]) -> list[str]:
    names = []
    for number in numbers:
        try:
            names.append(grp.getgrgid(number).gr_name)
        except KeyError:
            continue  # no condition can name a group without a name
    return names


def succeed_if(arguments: Sequence[str], subject: Subject, service: str) -> frozenset[str]:
    """The possible results of a pam_succeed_if line with these arguments: all its conditions must be fulfilled, in
    order."""
    words = [word for word in arguments if word not in _FLAGS]
    if "use_uid" in arguments:
        # The account of the process that runs PAM, not the one that logs in.
        subject = Subject()
    results: set[str] = set()
    for start in range(0, len(words), 3):
        triple = words[start : start + 3]
        answer = _condition(triple[0], triple[1], triple[2], subject, service) if len(triple) == 3 else BROKEN
        results |= answer - YES
        if "success" not in answer:
            return frozenset(results)
    return frozenset(results | YES)


def _condition(attribute: str, test: str, value: str, subject: Subject, service: str) -> frozenset[str]:
    attribute, test = attribute.lower(), test.lower()
    if attribute not in (*_USER, *_OTHER_ATTRIBUTES):
        return BROKEN
    if test in ("ingroup", "notingroup"):
        return _answer(subject.in_any_group(value.split(":")), negated=test == "notingroup")
    if test in ("innetgr", "notinnetgr"):
        return EVERYTHING
    if attribute in _USER and test in _NAMES_USERS:
        return _answer(subject.is_user(_NAMES_USERS[test](value)), negated=test in ("!=", "notin"))
    left = _value(attribute, subject, service)
    if test in _NUMERIC:
        return _numeric(test, left, value)
    if test in _TEXTUAL:
        return EVERYTHING if left is None else _answer(_TEXTUAL[test](left, value))
    return BROKEN


def _value(attribute: str, subject: Subject, service: str) -> str | None:
    if attribute in _USER:
        return subject.user
    if attribute == "uid":
        return None if subject.uid is None else str(subject.uid)
    return service if attribute == "service" else None


def _numeric(test: str, left: str | None, right: str) -> frozenset[str]:
    bound = _number(right)
    if bound is None:
        return BROKEN
    if left is None:
        return EVERYTHING | BROKEN
    number = _number(left)
    return BROKEN if number is None else _answer(_NUMERIC[test](number, bound))


def _number(text: str) -> int | None:
    """As read by strtoll() with base 0."""
    if not re.fullmatch(r"\s*[+-]?(0[xX][0-9a-fA-F]+|[0-9]+)", text):
        return None
    text = text.strip()
    if re.fullmatch(r"[+-]?0[0-9]+", text):
        return int(text, 8) if re.fullmatch(r"[+-]?[0-7]+", text) else None
    return int(text, 0)


def _answer(truth: bool | None, negated: bool = False) -> frozenset[str]:
    if truth is None:
        return EVERYTHING
    return YES if truth is not negated else NO
