# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""sshd_config(5) as sshd reads it: with Includes followed, and each line with the Match lines that it is below.
Private.

This is used for two purposes: evidence (which line of which file decided), and staging, that is, copying the whole
configuration with planned changes so that the real sshd can be queried about it.
"""

from __future__ import annotations

import fnmatch
import glob
import os
from pathlib import Path
from typing import Callable, Iterator, Mapping, NamedTuple

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError
from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.words import (
    NEWEST,
    parse_criteria,
    quoted,
    split_arguments,
    split_line,
)

SSHD_CONFIG = "/etc/ssh/sshd_config"
SSHD_FOLDER = "/etc/ssh"  # relative Includes are resolved against this, regardless of where the main file is
_MAX_DEPTH = 16
# Other names of options (readconf and servconf tables); before 8.7 the last two were a separate option.
_ALIASES = {
    "challengeresponseauthentication": "kbdinteractiveauthentication",
    "skeyauthentication": "kbdinteractiveauthentication",
}


class MatchLine(NamedTuple):
    """One Match line: all its criteria must be fulfilled."""

    file: str
    line: int
    criteria: tuple[tuple[str, str], ...]


class Directive(NamedTuple):
    """One line that sets an option; `matches` are the Match lines it is below, the outermost first."""

    file: str
    line: int
    keyword: str
    arguments: tuple[str, ...]
    matches: tuple[MatchLine, ...]

    @property
    def where(self) -> str:
        under = f" (below `{match_text(self.matches[-1])}`, line {self.matches[-1].line})" if self.matches else ""
        return f"{self.file}:{self.line}{under}: {self.keyword} {' '.join(self.arguments)}"


def match_text(match: MatchLine, version: tuple[int, int] = NEWEST) -> str:
    words = (f"{name.capitalize()} {quoted(pattern, version)}".strip() for name, pattern in match.criteria)
    return "Match " + " ".join(words)


def canonical(keyword: str, separate_challenge_response: bool) -> str:
    """The main name of an option that has several names."""
    return keyword if separate_challenge_response else _ALIASES.get(keyword, keyword)


class ConfigFiles:
    """The files of this machine, as sshd opens them."""

    def place(self, pattern: str) -> str:
        """Where the files are that this argument of an Include names."""
        return pattern

    def on_host(self, path: str) -> str:
        """What an Include has to name, so that sshd reads this file."""
        return path

    def read(self, path: str) -> bytes:
        try:
            return Path(path).read_bytes()
        except OSError as error:
            raise FleetMfaError(f"cannot read {path}: {error.strerror}") from error

    def matching(self, pattern: str, planned: set[str]) -> set[str]:
        """The files that this argument of an Include names, with those of them that are planned."""
        return set(glob.glob(pattern)) | planned


class SshdConfig:
    """A configuration, read from its main file the way this version of sshd reads it.

    `overlay` has contents that replace those of `files` (None: the file does not exist).
    """

    def __init__(
        self,
        path: str,
        overlay: Mapping[str, bytes | None] | None = None,
        version: tuple[int, int] = NEWEST,
        files: ConfigFiles | None = None,
    ):
        self.path = path
        self._files = files or ConfigFiles()
        self._version = version
        self._overlay = dict(overlay or {})
        self.directives: list[Directive] = []
        self.matches: list[MatchLine] = []
        self._walk(path, (), 0)

    def _walk(self, path: str, inherited: tuple[MatchLine, ...], depth: int) -> None:
        if depth > _MAX_DEPTH:
            raise FleetMfaError(f"{path}: Include lines form a loop; sshd rejects that")
        matches = inherited
        for number, text in enumerate(self._lines(path), 1):
            keyword, rest = split_line(text, self._version)
            if keyword == "match":
                matches = (*inherited, MatchLine(path, number, parse_criteria(rest, self._version)))
                if matches[-1] not in self.matches:
                    self.matches.append(matches[-1])
            elif keyword == "include":
                for included in self._included(rest, f"{path}:{number}"):
                    self._walk(included, matches, depth + 1)
            elif keyword:
                arguments = tuple(split_arguments(rest, self._version, keyword))
                self.directives.append(Directive(path, number, keyword, arguments, matches))

    def _lines(self, path: str) -> list[str]:
        content = self._overlay.get(path)
        if content is None:
            if path in self._overlay:
                raise FleetMfaError(f"{path} is to be removed, but is still needed")
            content = self._files.read(path)
        return content.decode("utf-8", "surrogateescape").split("\n")

    def _included(self, arguments: str, where: str) -> Iterator[str]:
        for argument in split_arguments(arguments, self._version):
            pattern = argument if argument[:1] in "/~" else f"{SSHD_FOLDER}/{argument}"
            try:
                found = self._matching(pattern)
            except FleetMfaError as error:
                raise FleetMfaError(f"{where}: {error}") from error
            yield from sorted(found, key=os.fsencode)

    def _matching(self, pattern: str) -> set[str]:
        place = self._files.place(pattern)
        planned = {
            path for path, content in self._overlay.items() if content is not None and _glob_matches(path, place)
        }
        removed = {path for path, content in self._overlay.items() if content is None}
        return self._files.matching(pattern, planned) - removed

    def stage(self, folder: str, resolve: Callable[[MatchLine], MatchLine] = lambda match: match) -> dict[str, str]:
        """Copy the configuration into `folder`, line for line. Returns the copy of each file, including the main file.

        Includes refer to the copies; each Match line is replaced by the result of `resolve`.
        """
        staged: dict[str, str] = {}
        self._stage_file(self.path, Path(folder), staged, resolve)
        return staged

    def _stage_file(
        self, path: str, folder: Path, staged: dict[str, str], resolve: Callable[[MatchLine], MatchLine]
    ) -> str:
        if path not in staged:
            staged[path] = str(folder / f"{len(staged)}.conf")
            lines = []
            for number, text in enumerate(self._lines(path), 1):
                keyword, rest = split_line(text, self._version)
                if keyword == "include":
                    copies = [self._stage_file(each, folder, staged, resolve) for each in self._included(rest, path)]
                    text = f"Include {' '.join(copies)}" if copies else ""
                elif keyword == "match":
                    match = MatchLine(path, number, parse_criteria(rest, self._version))
                    resolved = resolve(match)
                    text = text if resolved == match else match_text(resolved, self._version)
                lines.append(text)
            Path(staged[path]).write_bytes("\n".join(lines).encode("utf-8", "surrogateescape"))
        return staged[path]


def _glob_matches(path: str, pattern: str) -> bool:
    parts, patterns = path.split("/"), pattern.split("/")
    return len(parts) == len(patterns) and all(
        fnmatch.fnmatchcase(part, wanted) and (not part.startswith(".") or wanted.startswith("."))
        for part, wanted in zip(parts, patterns)
    )
