# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Reads a PAM service the way libpam does. Private to the collection.

Modelled on pam_handlers.c and pam_misc.c of Linux-PAM 1.4 to 1.7 with Debian's patches (`@include`), and compared with
the real libpam by tests/differential. Some of its behavior is surprising:

* A service without an `auth` line, or without a file, gets the `auth` lines of `other`.
* A line that libpam cannot use (unknown type, no control, no module, an unreadable include) is not dropped: it becomes
  a line that always fails, and its control decides what that means.
* Some errors disable the whole service: a missing file in a top-level `@include`, a file that ends inside a continued
  line. This includes errors in `other`, which is always read.
* If versions of libpam disagree or crash, nothing is guessed: it is an error that names the line.
* Names in `[…]` lose their brackets everywhere; a carriage return is part of a word.

Files are searched in `confdir` only or, if that is `/etc/pam.d`, also in the vendors' folders. (Debian's libpam always
searches included files in `/etc/pam.d`, regardless of the folder that the application uses; here the given folder takes
its place.)
"""

from __future__ import annotations

import errno
import functools
import os
import re
import stat
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Dict, Iterator, Mapping, NamedTuple, Union

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError
from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.texts import bytes_of, text_of

DEFAULT_CONFDIR = "/etc/pam.d"
VENDOR_CONFDIRS = ("/usr/lib/pam.d", "/usr/etc/pam.d")
FALLBACK_SERVICE = "other"
MAX_INCLUDE_LEVEL = 16
# libpam before 1.6 splits a longer line in two, and treats the second half as a separate line.
MAX_LINE_BYTES = 1022

RETURN_VALUES = (
    "success", "open_err", "symbol_err", "service_err", "system_err", "buf_err", "perm_denied", "auth_err",
    "cred_insufficient", "authinfo_unavail", "user_unknown", "maxtries", "new_authtok_reqd", "acct_expired",
    "session_err", "cred_unavail", "cred_expired", "cred_err", "no_module_data", "conv_err", "authtok_err",
    "authtok_recover_err", "authtok_lock_busy", "authtok_disable_aging", "try_again", "ignore", "abort",
    "authtok_expired", "module_unknown", "bad_item", "conv_again", "incomplete",
)  # fmt: skip
ACTIONS = ("ignore", "ok", "done", "bad", "die", "reset")
TYPES = ("auth", "account", "password", "session")

# What a line does with each result: one of ACTIONS, or the number of lines it skips.
Action = Union[str, int]
Actions = Dict[str, Action]

DELIMITERS = " \t\n"
_TOKEN = re.compile(r"\[((?:\\\]|[^\]])*)\]?|([^ \t\n]+)")
_C_SPACE = " \t\n\v\f\r"
_MODULE_FOLDER = re.compile(r"(/usr(/local)?)?/lib(32|64|x32)?(/[^/]+)?/security")
_DIGITS = re.compile(r"[0-9]+")


@dataclass(frozen=True, eq=False)
class Line:
    """One entry in libpam's list of handlers."""

    file: str
    line: int
    type: str
    control: str
    module: str
    level: int = 0
    kind: str = "module"  # or "must_fail", or "substack": the marker before the lines of a substack
    arguments: tuple[str, ...] = ()
    actions: Actions = field(default_factory=dict)
    problem: str = ""

    @property
    def place(self) -> str:
        return f"{self.file}:{self.line}"

    @functools.cached_property
    def module_name(self) -> str:
        """`pam_unix.so`, also if given with the standard folder; in another folder it is another module."""
        folder, name = os.path.split(self.module)
        if folder and not _MODULE_FOLDER.fullmatch(folder):
            return self.module
        return name


class Stack(NamedTuple):
    """The lines of one type of a service; with a `problem`, libpam does not start the service at all."""

    lines: tuple[Line, ...]
    problem: str = ""


class _Aborted(Exception):
    """libpam gives up on the file that it is reading (PAM_ABORT)."""


class PamConfig:
    """A folder of PAM services; `overlay` replaces the text of a file, by name or by path (None: as if the file did not exist)."""

    def __init__(self, confdir: str = DEFAULT_CONFDIR, overlay: Mapping[str, str | None] | None = None):
        self.confdir = os.path.normpath(confdir)
        self._folders = [self.confdir]
        if self.confdir == DEFAULT_CONFDIR:
            self._folders.extend(VENDOR_CONFDIRS)
        self._overlay = {self._path(name): text for name, text in (overlay or {}).items()}

    def _path(self, name: str) -> str:
        return name if "/" in name else os.path.join(self.confdir, name)

    def overlaid(self, overlay: Mapping[str, str | None]) -> PamConfig:
        """The same with these texts replacing files, by name or by path."""
        return PamConfig(self.confdir, {**self._overlay, **overlay})

    def auth_stack(self, service: str) -> Stack:
        return self.stack(service, "auth")

    def stack(self, service: str, kind: str) -> Stack:
        """The lines that libpam runs for this type: those of `other` if the service has none."""
        name = os.path.basename(service).lower()
        own: list[Line] = []
        fallback: list[Line] = []
        try:
            # If `other` is requested by name, it is read twice into the fallback: libpam runs its lines twice.
            found = [
                self._load(name, fallback if name == FALLBACK_SERVICE else own),
                self._load(FALLBACK_SERVICE, fallback),
            ]
        except _Aborted as error:
            return Stack((), str(error))
        if not any(found):
            return Stack((), f"neither {name} nor {FALLBACK_SERVICE} exists in {self.confdir}")
        for lines in (own, fallback):
            wanted = tuple(line for line in lines if line.type == kind)
            if wanted:
                return Stack(wanted)
        return Stack(())

    def lines(self, service: str) -> list[Line]:
        """The lines of all types of a service, without those of `other`; empty if libpam does not start it."""
        own: list[Line] = []
        try:
            self._load(os.path.basename(service).lower(), own)
        except _Aborted:
            return []
        return own

    def _load(self, name: str, lines: list[Line]) -> bool:
        found = self.find_file(name)
        if found is None:
            return False
        _FileParser(self, lines).parse(*found, wanted=None, level=0, depth=0)
        return True

    def find_file(self, name: str) -> tuple[str, str] | None:
        """Path and text of the file that libpam would open for `name`."""
        paths = [name] if name.startswith("/") else [os.path.join(folder, name) for folder in self._folders]
        for path in paths:
            text = self._overlay[path] if path in self._overlay else _read_text(path)
            if text is not None:
                return path, text
        return None


class _FileParser:
    """Adds the lines of one file, and of the files it includes, to `lines`."""

    def __init__(self, config: PamConfig, lines: list[Line]):
        self._config = config
        self.lines = lines

    def parse(self, path: str, text: str, wanted: str | None, level: int, depth: int) -> None:
        for number, logical in _logical_lines(path, text):
            _LineParser(self, path, number, wanted, level, depth).parse(logical)

    def include(self, name: str, wanted: str | None, level: int, depth: int) -> None:
        if depth >= MAX_INCLUDE_LEVEL:
            raise _Aborted(f"includes are nested {depth} deep")
        found = self._config.find_file(name)
        if found is None:
            raise _Aborted(f"there is no file {name}")
        self.parse(*found, wanted=wanted, level=level, depth=depth)


class _LineParser:
    """One logical line: type, control, module, arguments. `wanted` is the type requested by an including line."""

    def __init__(self, files: _FileParser, path: str, number: int, wanted: str | None, level: int, depth: int):
        self._files = files
        self._path, self._number = path, number
        self._wanted, self._level, self._depth = wanted, level, depth
        self._problem = ""

    def parse(self, text: str) -> None:
        word, rest = _next_token(text)
        # A dash only prevents libpam from logging that the module is missing.
        name = (word or "")[1:] if (word or "").startswith("-") else word or ""
        if _same(name, "@include"):
            self._at_include(rest)
            return
        line_type = next((known for known in TYPES if _same(name, known)), None)
        if line_type is None:
            line_type = self._wanted or "auth"
            self._problem = f"unknown type {name!r}"
        if self._wanted in (None, line_type):
            self._typed_line(line_type, rest)

    def _at_include(self, rest: str) -> None:
        name = self._included_name(rest)
        try:
            self._files.include(name, self._wanted, self._level, self._depth + 1)
        except _Aborted as error:
            problem = f"{self._path}:{self._number}: cannot include {name}: {error}"
            if self._wanted is None:
                raise _Aborted(problem) from error
            raise FleetMfaError(f"{problem}; libpam's behavior on this line is undefined; fix it first") from error

    def _typed_line(self, line_type: str, rest: str) -> None:
        control, rest = _next_token(rest)
        for word in ("include", "substack"):
            if control is not None and _same(control, word):
                self._include_line(line_type, word, rest)
                return
        module, rest = _next_token(rest)
        if control is None or module is None:
            self._problem = self._problem or ("no control" if control is None else "no module")
        self._add(
            line_type,
            control or "",
            module,
            kind="must_fail" if self._problem else "module",
            arguments=tuple(_tokens(rest)),
            actions=self._actions(control),
        )

    def _include_line(self, line_type: str, control: str, rest: str) -> None:
        name = self._included_name(rest)
        deeper = int(control == "substack")
        if deeper:
            self._add(line_type, control, name, kind="substack")
        try:
            self._files.include(name, line_type, self._level + deeper, self._depth + 1)
        except _Aborted as error:
            self._problem = f"cannot include {name}: {error}"
            self._add(line_type, control, None, kind="must_fail", actions=parse_control(None))

    def _actions(self, control: str | None) -> Actions:
        if control is not None and re.search(r"=\s*[0-9]{10}", control):
            raise FleetMfaError(
                f"{self._path}:{self._number}: versions of libpam disagree about a jump over so many lines; fix the "
                "control"
            )
        return parse_control(control)

    def _included_name(self, rest: str) -> str:
        name, _rest = _next_token(rest)
        if name is None:
            raise FleetMfaError(
                f"{self._path}:{self._number}: an include without a file name, which crashes some versions of libpam;"
                " name the file or remove the line"
            )
        return name

    def _add(self, line_type: str, control: str, module: str | None, **fields: Any) -> None:
        line = Line(
            self._path, self._number, line_type, control, module or "", self._level, problem=self._problem, **fields
        )
        if module is not None and not _audit_name(module):
            raise FleetMfaError(
                f"{line.place}: there is no module name in {module!r}, which crashes some versions of libpam; fix "
                "the line"
            )
        self._files.lines.append(line)


def parse_control(control: str | None) -> Actions:
    """What a line with this control does with each result; a control that libpam cannot read makes everything `bad`."""
    actions: Actions = {}
    if control is not None:
        word = next((name for name in _WORDS if _same(control, name)), None)
        try:
            actions = dict(_WORDS[word]) if word else _parse_action_list(control)
        except ValueError:
            actions = {}
    default = actions.pop("default", "bad")
    return {result: actions.get(result, default) for result in RETURN_VALUES}


_YES = ("success", "new_authtok_reqd")
_WORDS: dict[str, Actions] = {
    "required": {**dict.fromkeys(_YES, "ok"), "ignore": "ignore", "default": "bad"},
    "requisite": {**dict.fromkeys(_YES, "ok"), "ignore": "ignore", "default": "die"},
    "optional": {**dict.fromkeys(_YES, "ok"), "default": "ignore"},
    "sufficient": {**dict.fromkeys(_YES, "done"), "default": "ignore"},
}


def _parse_action_list(text: str) -> Actions:
    """`success=ok default=2`: libpam matches the longest known name, spaces are optional, the first default wins."""
    actions: Actions = {}
    text = text.lstrip(_C_SPACE)
    while text:
        result = _known_prefix(text, (*RETURN_VALUES, "default"))
        text = text[len(result) :].lstrip(_C_SPACE)
        if not text.startswith("="):
            raise ValueError("expecting '='")
        text = text[1:].lstrip(_C_SPACE)
        number = _DIGITS.match(text)
        word = number.group() if number else _known_prefix(text, ACTIONS)
        text = text[len(word) :].lstrip(_C_SPACE)
        action: Action = int(word) if number else word
        if action == 0:
            raise ValueError("a jump over no line")
        if result != "default":
            actions[result] = action
        else:
            actions.update({name: action for name in RETURN_VALUES if name not in actions})
    return actions


def _known_prefix(text: str, words: tuple[str, ...]) -> str:
    for word in words:
        if text.startswith(word):
            return word
    raise ValueError("unknown word")


def _same(word: str, keyword: str) -> bool:
    return word.isascii() and word.lower() == keyword


def _next_token(text: str) -> tuple[str | None, str]:
    match = _TOKEN.match(text.lstrip(DELIMITERS))
    if match is None:
        return None, ""
    bracketed, plain = match.groups()
    token = plain if bracketed is None else bracketed.replace("\\]", "]")
    return token, match.string[match.end() :]


def _tokens(text: str) -> Iterator[str]:
    token, text = _next_token(text)
    while token is not None:
        yield token
        token, text = _next_token(text)


def _audit_name(module: str) -> str:
    """The name that libpam gives a module in its logs."""
    name = module.rsplit("/", 1)[-1].rsplit(".", 1)[0]
    return "" if name == "?" else name


def _logical_lines(path: str, text: str) -> Iterator[tuple[int, str]]:
    """Lines without comments, with continued ones joined, and the number of their first line."""
    parts: list[str] = []
    size = first = 0
    for number, physical in enumerate(re.findall(r"[^\n]*\n|[^\n]+", text), 1):
        first = first if parts else number
        size += len(bytes_of(physical.rstrip("\n")))
        if size > MAX_LINE_BYTES or "\0" in physical:
            raise FleetMfaError(
                f"{path}:{number}: versions of libpam disagree about a line of more than {MAX_LINE_BYTES} bytes or with "
                "a NUL byte; shorten it"
            )
        content, comment, _text = physical.partition("#")
        if not content.strip(DELIMITERS):
            if parts:
                raise FleetMfaError(
                    f"{path}:{number}: versions of libpam disagree about a blank line or comment after a line that ends "
                    "in a backslash; remove the backslash"
                )
            size = 0
            continue
        head = content.rstrip(DELIMITERS)
        if head.endswith("\\") and not comment:
            parts.append(head[:-1] + " ")
            continue
        yield first, "".join((*parts, content))
        parts, size = [], 0
    if parts:
        raise _Aborted(f"{path} ends inside a continued line")


def _read_text(path: str) -> str | None:
    """Text of a file, None if libpam finds none; a folder reads as an empty file."""
    try:
        mode = os.stat(path).st_mode
        if stat.S_ISDIR(mode):
            return ""
        if not stat.S_ISREG(mode):
            raise FleetMfaError(f"{path} is not a regular file; replace it with one")
        return text_of(Path(path).read_bytes())
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG):
            return None
        raise FleetMfaError(f"cannot read {path}: {error.strerror}; run as root") from error
