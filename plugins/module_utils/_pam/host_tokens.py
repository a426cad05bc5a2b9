# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""The host's own token lines, and the key files that they use. Private to the collection."""

from __future__ import annotations

import re
from typing import Iterable

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError
from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.base import without_us
from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.config import Line, PamConfig
from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.prover import token_line

# get_secret_filename() of pam_google_authenticator.c: a tilde is expanded at the beginning and after a slash.
_VARIABLE = re.compile(r"(?<![^/])~|\$\{HOME\}|\$\{USER\}")
DEFAULT_FILE = "~/.google_authenticator"


def host_token_lines(config: PamConfig, services: Iterable[str]) -> list[Line]:
    """Each once; none for a service that cannot be read, since it lets nobody in and every change of it is refused."""
    services, is_token_line, found = list(services), token_line(), {}
    try:
        bare = without_us(config, services)
        for service in services:
            found.update({line.place: line for line in bare.auth_stack(service).lines if is_token_line(line)})
    except FleetMfaError:
        return []
    return list(found.values())


def named_file(line: Line) -> str | None:
    """The file as the line names it: one per user (pam_google_authenticator), or one for all (pam_oath)."""
    option, default = ("usersfile=", None) if _is_oath(line) else ("secret=", DEFAULT_FILE)
    return next((word[len(option) :] for word in reversed(line.arguments) if word.startswith(option)), default)


def file_of(line: Line, user: str, home: str) -> str | None:
    """The file that holds this user's key; None if one file is for all, or the module would deny."""
    template = named_file(line)
    if _is_oath(line) or template is None:
        return None
    if any(word.startswith("user=") for word in line.arguments):
        home = ""  # then the module knows no home directory
    return path_of(template, user, home)


def is_in_home(template: str) -> bool:
    """Whether the path is below the user's home directory."""
    return template.startswith(("~/", "${HOME}/"))


def path_of(template: str, user: str, home: str) -> str | None:
    """The path that option `secret=` means for a user; None if it has none."""
    values = {"~": home, "${HOME}": home, "${USER}": user}
    if not all(values[name] for name in _VARIABLE.findall(template)):
        return None
    path = _VARIABLE.sub(lambda found: values[found[0]], template)
    return path if path.startswith("/") else None


def _is_oath(line: Line) -> bool:
    return line.module_name == "pam_oath.so"
