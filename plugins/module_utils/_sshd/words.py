# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""How different versions of sshd split a line of sshd_config into words: quotes, backslashes, `=`, comments. Private.

Modelled on strdelim() and argv_split() in misc.c. Until 8.6 strdelim() splits everything: only double quotes quote, `=`
is equivalent to a blank, and a # ends the line anywhere, even in quotes. Since 8.7 argv_split() splits values like a
shell, and since 9.9 also the criteria of Match. The result for a line that sshd rejects does not matter, since sshd
reports it.
"""

from __future__ import annotations

import re

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError

NEWEST = (99, 0)
_VALUES_LIKE_A_SHELL = (8, 7)
_MATCH_LIKE_A_SHELL = (9, 9)
_BLANKS = " \t\r\n"
_NO_ARGUMENT = {"all", "invalid-user"}
_WITH_EQUALS = re.compile(r"(user|group|host|address|localaddress|localport|rdomain|version)=", re.IGNORECASE)


def split_line(text: str, version: tuple[int, int] = NEWEST) -> tuple[str, str]:
    """Keyword in lower case ("" for a comment or an empty line) and the rest."""
    if version < _VALUES_LIKE_A_SHELL:
        text = text.partition("#")[0]
    keyword, rest = _delimited(text.rstrip(_BLANKS + "\f"))
    if keyword == "" and rest:
        keyword, rest = _delimited(rest)
    return ("", "") if not keyword or keyword.startswith("#") else (keyword.lower(), rest or "")


def split_arguments(text: str, version: tuple[int, int] = NEWEST, keyword: str = "") -> list[str]:
    """The values of a line."""
    if version >= _VALUES_LIKE_A_SHELL:
        return _like_a_shell(text)
    # In the values of SetEnv the = belongs to the value.
    return _all_delimited(text, equals=keyword != "setenv")


def parse_criteria(text: str, version: tuple[int, int] = NEWEST) -> tuple[tuple[str, str], ...]:
    """The criteria of a Match line."""
    if version >= _MATCH_LIKE_A_SHELL:
        words = _like_a_shell(text)
        words = [part for word in words for part in _at_equals(word)]
    else:
        words = _all_delimited(text)
    found, left = [], iter(words)
    for word in left:
        if word.startswith("#"):
            break
        found.append((word.lower(), "" if word.lower() in _NO_ARGUMENT else next(left, "")))
    return tuple(found)


def quoted(word: str, version: tuple[int, int] = NEWEST) -> str:
    """A criterion's pattern, quoted as needed in a Match line."""
    if not re.search(r"[\s\"'\\=]|^#", word):
        return word
    if version >= _MATCH_LIKE_A_SHELL:
        return '"' + word.replace("\\", "\\\\").replace('"', '\\"') + '"'
    if not word.endswith("\\"):
        return f'"{word}"'
    # From 8.7 to 9.8 argv_split() must accept the line too, and it would take the backslash as escaping the quote.
    if re.search(r"[\s'=]", word):
        raise FleetMfaError(f"Match: the pattern {word!r} ends with a backslash; write ? instead")
    return word


def _delimited(text: str, equals: bool = True) -> tuple[str | None, str | None]:
    """strdelim(): the next word and the rest; None for an invalid word or if nothing is left."""
    found = re.search(r'[ \t\r\n"=]' if equals else r'[ \t\r\n"]', text)
    if found is None:
        return text, None
    at = found.start()
    if text[at] == '"':
        text = text[:at] + text[at + 1 :]
        end = text.find('"', at)
        return (None, None) if end < 0 else (text[:end], text[end + 1 :].lstrip(_BLANKS))
    rest = text[at + 1 :].lstrip(_BLANKS)
    if equals and text[at] != "=" and rest.startswith("="):
        rest = rest[1:].lstrip(_BLANKS)
    return text[:at], rest


def _all_delimited(text: str, equals: bool = True) -> list[str]:
    words: list[str] = []
    rest: str | None = text
    while rest is not None:
        word, rest = _delimited(rest, equals)
        if not word:
            break
        words.append(word)
    return words


def _like_a_shell(text: str) -> list[str]:
    """argv_split()."""
    words: list[str] = []
    at = 0
    while at < len(text):
        if text[at] in " \t":
            at += 1
        elif text[at] == "#":
            break
        else:
            word, at = _shell_word(text, at)
            words.append(word)
    return words


def _shell_word(text: str, at: int) -> tuple[str, int]:
    word, quote = "", ""
    while at < len(text):
        sign, following = text[at], text[at + 1 : at + 2]
        if sign == "\\" and following and (following in "'\"\\" or (following == " " and not quote)):
            word += following
            at += 1
        elif not quote and sign in " \t":
            break
        elif sign in ("'", '"') and quote in ("", sign):
            quote = "" if quote else sign
        else:
            word += sign
        at += 1
    return word, at


def _at_equals(word: str) -> list[str]:
    found = _WITH_EQUALS.match(word)
    return [found.group(1), word[found.end() :]] if found else [word]
