# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Whether a user has an SSH key that sshd would take: files, AuthorizedKeysCommand, certificates. Private to the collection."""

from __future__ import annotations

import os
import pwd
import re
import tempfile
from pathlib import Path
from typing import Iterable, Literal, NamedTuple

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError
from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.authorized_keys import (
    NoSuchFile,
    UnusableFile,
    authorized_keys_files,
    expanded,
    key_lines,
    open_to_others,
    read_as_sshd,
)
from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.public_keys import Accepted, KeyLine, key_line
from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.words import split_arguments
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.commands import find_program, run, succeeds

State = Literal["can", "unknown", "cannot"]
_BEST_FIRST: tuple[State, ...] = ("can", "unknown", "cannot")
_SYSTEMD = "/run/systemd/system"
_COMMAND_SECONDS = 5
_KRL = b"SSHKRL\n"


class Answer(NamedTuple):
    """Whether a user can pass a factor, why (not), and what would help."""

    state: State
    reason: str = ""
    remedy: str = ""


CAN = Answer("can")


def best(answers: Iterable[Answer]) -> Answer:
    """Of ways that a user may choose from; the reasons of all where none will do."""
    found = list(dict.fromkeys(answers))
    state = min((one.state for one in found), key=_BEST_FIRST.index)
    same = [one for one in found if one.state == state]
    reasons, remedies = [one.reason for one in same], [one.remedy for one in same]
    return Answer(state, *("; ".join(filter(None, dict.fromkeys(texts))) for texts in (reasons, remedies)))


def worst(answers: Iterable[Answer]) -> Answer:
    """Of factors that are all needed."""
    return max(answers, key=lambda one: _BEST_FIRST.index(one.state), default=CAN)


def is_worse(one: Answer, other: Answer) -> bool:
    return _BEST_FIRST.index(one.state) > _BEST_FIRST.index(other.state)


class KeySources:
    """What sshd's settings, as they are for one login of this user, name as sources of keys."""

    def __init__(self, settings: dict[str, list[str]], user: pwd.struct_passwd, private_groups: bool):
        self._settings, self._user, self._private_groups = settings, user, private_groups

    def answer(self) -> Answer:
        files = self._files()
        if files.state == "can":
            return files
        others = [one for one in (self._command(), self._certificates()) if one]
        return best([files, *others])

    def _value(self, keyword: str) -> str:
        """ "" for none, which is what sshd prints for an option that is not set."""
        value = self._settings.get(keyword, ["none"])[0]
        return "" if value.lower() == "none" else value

    def _paths(self, keyword: str) -> list[str]:
        # One line with all values, or a line for each: that differs between keywords.
        patterns = " ".join(self._settings.get(keyword, [])).split()
        return authorized_keys_files(patterns, self._user.pw_name, self._user.pw_uid, self._user.pw_dir)

    def _files(self) -> Answer:
        paths = self._paths("authorizedkeysfile")
        if not paths:
            return Answer(
                "cannot", "sshd reads no authorized_keys file (AuthorizedKeysFile none)", "set AuthorizedKeysFile"
            )
        answers = [self._file(path) for path in paths]
        # Of the default, two files, hardly anybody has the second.
        found = best(filter(None, answers)) if any(answers) else self._missing(paths)
        return found if found.state != "cannot" else found._replace(remedy=f"add a public key to {paths[0]}")

    @staticmethod
    def _missing(paths: list[str]) -> Answer:
        return Answer("cannot", f"no SSH key, since there is no file {' or '.join(paths)}")

    def _file(self, path: str) -> Answer | None:
        """None: there is no such file."""
        strict = self._value("strictmodes") != "no"
        try:
            text = read_as_sshd(path, self._user, strict, self._private_groups)
        except NoSuchFile:
            return None
        except UnusableFile as problem:
            return Answer("cannot", f"no SSH key in {path}: {problem}")
        except OSError as error:
            return Answer("unknown", f"{path} cannot be read now: {error.strerror}")
        return self._of_text(text, path)

    def _of_text(self, text: str, where: str) -> Answer:
        keys = [key_line(line, self._accepted) for line in key_lines(text)]
        if self._has_valid([key for key in keys if not key.trouble and not key.is_authority]):
            return CAN
        if any(key.is_authority for key in keys):
            return Answer(
                "unknown", f"{where} trusts a certificate authority, and who has a certificate is not known here"
            )
        troubles = list(dict.fromkeys(key.trouble or "has been revoked (RevokedKeys)" for key in keys))
        said = f"what is there {', '.join(troubles)}" if troubles else "it is empty, or has comments only"
        return Answer("cannot", f"no SSH key in {where}: {said}")

    @property
    def _accepted(self) -> Accepted:
        names = self._value("pubkeyacceptedalgorithms") or self._value("pubkeyacceptedkeytypes")
        bits = self._value("requiredrsasize")
        return Accepted(tuple(names.split(",")) if names else ("*",), int(bits) if bits.isdigit() else 1024)

    def _has_valid(self, keys: list[KeyLine]) -> bool:
        revoked = self._value("revokedkeys")
        return bool(keys) if not revoked else any(_is_not_revoked(key.text, revoked) for key in keys)

    def _command(self) -> Answer | None:
        command = self._value("authorizedkeyscommand")
        if not command:
            return None
        words = split_arguments(command)
        try:
            problem = open_to_others(words[0], 0, "/", self._private_groups)
        except OSError as error:
            problem = str(error.strerror)
        if problem:
            return Answer("cannot", f"sshd does not run AuthorizedKeysCommand {words[0]}: {problem}")
        if any(re.search("%[^%huU]", word.replace("%%", "")) for word in words):
            return Answer(
                "unknown", f"AuthorizedKeysCommand {words[0]} is told the key, so it cannot be asked without one"
            )
        if len(words) == 1:
            words.append("%u")
        user = self._user
        arguments = [expanded(word, user.pw_name, user.pw_uid, user.pw_dir) for word in words]
        said = _printed_by(arguments, self._value("authorizedkeyscommanduser"))
        if said is None:
            return Answer("unknown", f"AuthorizedKeysCommand {words[0]} did not answer when it was run")
        return self._of_text(said, f"what AuthorizedKeysCommand {words[0]} prints")

    def _certificates(self) -> Answer | None:
        authorities = self._value("trustedusercakeys")
        if not authorities or not _has_lines(authorities):
            return None
        has_command = bool(self._value("authorizedprincipalscommand"))
        principals = self._paths("authorizedprincipalsfile")
        if principals and not has_command and not any(map(self._names_principals, principals)):
            return Answer("cannot", f"no certificate is taken either: {principals[0]} names no principal")
        return Answer(
            "unknown", f"the user may have a certificate (TrustedUserCAKeys {authorities}), which is not known here"
        )

    def _names_principals(self, path: str) -> bool:
        try:
            return bool(
                key_lines(read_as_sshd(path, self._user, self._value("strictmodes") != "no", self._private_groups))
            )
        except UnusableFile:
            return False
        except OSError:
            return True


def _has_lines(path: str) -> bool:
    try:
        return bool(key_lines(Path(path).read_text("utf-8", "replace")))
    except OSError:
        return False


def _is_not_revoked(key: str, revoked: str) -> bool:
    """A list of keys, or a KRL, which ssh-keygen reads. sshd takes no key at all where it cannot read the file."""
    try:
        content = Path(revoked).read_bytes()
    except OSError:
        return False
    if not content.startswith(_KRL):
        return key.split()[1].encode() not in content.split()
    with tempfile.NamedTemporaryFile("w", suffix=".pub") as file:
        file.write(f"{key}\n")
        file.flush()
        return succeeds("ssh-keygen", "-Q", "-f", revoked, file.name)


def _printed_by(command: list[str], user: str) -> str | None:
    """What a command prints, run by systemd: as that user, and not with whatever confines this process; None if it fails."""
    if not user or not os.path.isdir(_SYSTEMD) or not find_program(command[0]):
        return None
    limits = ("--property", f"RuntimeMaxSec={_COMMAND_SECONDS}", "--property", "CollectMode=inactive-or-failed")
    try:
        done = run("systemd-run", "--quiet", "--wait", "--pipe", "--uid", user, *limits, "--", *command)
    except FleetMfaError:
        return None
    return done.output if done.code == 0 else None
