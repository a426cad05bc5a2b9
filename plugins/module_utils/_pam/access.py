# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""The possible results of pam_listfile and pam_access, as far as their files determine them. Private to the collection.

The files are those of the machine that this runs on. The origin of a login is never known, so whatever depends on it
may have either result.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Iterator, Sequence

from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.subject import Subject
from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.texts import text_of

ACCESS_CONF = "/etc/security/access.conf"
_LISTFILE_OPTIONS = frozenset(("onerr", "sense", "file", "item", "apply"))
_ACCESS_TROUBLE = frozenset(("user_unknown", "abort", "service_err"))


def listfile_results(arguments: Sequence[str], subject: Subject) -> frozenset[str]:
    options = dict(argument.split("=", 1) for argument in arguments if "=" in argument)
    on_error = "success" if options.get("onerr") == "succeed" else "service_err"
    either = frozenset(("success", "auth_err", on_error))
    sense, item = options.get("sense"), options.get("item")
    if options.get("onerr", "fail") not in ("succeed", "fail"):
        return frozenset(("service_err",))
    if sense not in ("allow", "deny") or not item or not options.get("file") or set(options) - _LISTFILE_OPTIONS:
        return frozenset((on_error, "service_err"))
    if "apply" in options:
        return either | {"ignore"}
    listed = _is_listed(options["file"], item, subject)
    if listed is None:
        return either
    return frozenset(("success" if listed is (sense == "allow") else "auth_err",))


def _is_listed(path: str, item: str, subject: Subject) -> bool | None:
    entries = _entries(path)
    if entries is None:
        return None
    if item == "user":
        return subject.is_user(list(filter(None, entries)))
    if item == "group":
        return subject.in_any_group(entries)
    return None


def _entries(path: str) -> list[str] | None:
    try:
        mode = os.lstat(path).st_mode
        if not stat.S_ISREG(mode) or mode & stat.S_IWOTH:
            return None
        text = text_of(Path(path).read_bytes())
    except OSError:
        return None
    return [line.rstrip("\r") for line in text.split("\n")]


def access_results(arguments: Sequence[str], subject: Subject) -> frozenset[str]:
    either = frozenset(("success", "perm_denied"))
    path = next((word.split("=", 1)[1] for word in arguments if word.startswith("accessfile=")), ACCESS_CONF)
    entries = _entries(path)
    if entries is None or path == ACCESS_CONF or any(word.startswith(("fieldsep=", "listsep=")) for word in arguments):
        return either | _ACCESS_TROUBLE
    results: set[str] = set()
    for permission, users, origins in _access_rules(entries):
        applies = _user_matches(users.split(), subject)
        if applies is False:
            continue
        results.add("success" if permission.startswith("+") else "perm_denied")
        if applies and origins.split() == ["ALL"]:
            return frozenset(results) | _ACCESS_TROUBLE
    return frozenset(results) | {"success"} | _ACCESS_TROUBLE


def _access_rules(entries: list[str]) -> Iterator[tuple[str, str, str]]:
    for entry in entries:
        fields = entry.split(":", 2)
        if len(fields) == 3 and fields[0][:1] in ("+", "-"):
            yield fields[0], fields[1], fields[2]


def _user_matches(tokens: list[str], subject: Subject) -> bool | None:
    """None if a netgroup, a host or an EXCEPT decides, or if the user is unknown."""
    if tokens == ["ALL"]:
        return True
    answers: set[bool | None] = set()
    for token in tokens:
        if token == "EXCEPT" or "@" in token or token == "ALL":
            return None
        group = token[1:-1] if token.startswith("(") and token.endswith(")") else token
        answers.add(subject.in_group(group))
        if group == token:
            answers.add(subject.is_user([token]))
    if True in answers:
        return True
    return None if None in answers else False
