# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""The account check: a login of an enforced account without a token is denied, no matter what let it in. Private.

sshd and the `auth` lines ask for the token, but a package, another role or an unaware `gpasswd` may remove any of them.
sshd runs the `account` phase for every login, even after a key alone, so two lines there ask the guard whether a
token was given in this very login (docs/fail_closed.md). The second line lets everybody pass who is not enforced,
without running the guard. It was two lines once, of which the first one failed for each enforced user, and pam_exec
logs whatever fails as an error; both functions below know these lines, too.

The lines are put where they survive the loss of the service file: in Debian's common-account, above the part that
pam-auth-update(8) manages, if the service includes it; otherwise in the service itself.
"""

from __future__ import annotations

import os
import re
from typing import Iterable, Sequence

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError
from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.config import Line, PamConfig
from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.service import first_line, service_path
from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.texts import texts_after
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.block import ACCOUNT_BLOCK, block, lines_of, split
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.files import FileChange, read_file

SHARED_FILE = "common-account"

# Lines that can add account lines, and the comment above the part that pam-auth-update manages.
_ACCOUNT_PART = re.compile(rb"# here are the per-package modules|\s*(-?account\s|@include\s)", re.IGNORECASE)
# These are used unquoted in a PAM line, in its shell command and in a list of services.
_PLAIN = re.compile(r"[\w/.+-]+")
_RECORD = re.compile(r'test ! -e "(?P<records>[\w/.+-]+)/\$u"')


def account_lines(services: Sequence[str], records: str, guard: str) -> str:
    """PAM lines for a file that any service may include; `records` has a file for the uid of each enforced account."""
    for text in (*services, records, guard):
        if not _PLAIN.fullmatch(text):
            raise FleetMfaError(f"option 'account_check': {text!r} has characters with a special meaning in a PAM line")
    state_dir, programs = os.path.dirname(records), os.path.dirname(guard)
    # In the background, so that no trouble with the log, or with the program, keeps anybody out.
    log = f"{{ {programs}/log-decision not_asked {state_dir} </dev/null >/dev/null 2>&1 & }}"
    check = f'u=$(/usr/bin/id -u -- "$PAM_USER") && test ! -e "{records}/$u" && {log} || exec {guard} account'
    return (
        "# An SSH login of an enforced account without a token is denied: docs/fail_closed.md.\n"
        f"account  [success=ignore default=1]  pam_succeed_if.so quiet service in {':'.join(sorted(set(services)))}\n"
        f"account  requisite  pam_exec.so quiet /bin/sh -pc [{check}]\n"
    )


def records_tested(line: Line) -> str | None:
    """The folder of records, if this is the line that lets pass who has none."""
    found = _RECORD.search(" ".join(line.arguments)) if line.module_name == "pam_exec.so" else None
    return found and found["records"]


def asks_guard(line: Line) -> bool:
    """Whether this is the line that lets pass only who has given a token."""
    return line.module_name == "pam_exec.so" and " ".join(line.arguments).endswith("/totp-guard account")


def plan_account_check(
    confdir: str, services: Sequence[str], lines: str | None, planned: Iterable[FileChange] = ()
) -> list[FileChange]:
    """The changes that add `lines` where the services run them, and remove them everywhere else (None: everywhere).

    `planned` are changes made at the same time; if one is of the same file, it is replaced by the one returned here. A
    service without account lines of its own is left alone: libpam then uses those of `other`.
    """
    becoming = {change.path: change.after for change in planned}
    places = _places(PamConfig(confdir, texts_after(becoming)), confdir, services) if lines else set()
    changes = []
    for path in sorted({*places, *_with_block(confdir)}):
        before = becoming[path] if path in becoming else read_file(path)
        if before is not None:
            text = split(before, path, ACCOUNT_BLOCK).without
            changes.append(FileChange(path, _with_lines(text, lines) if lines and path in places else text))
    return changes


def with_kept_account_check(change: FileChange) -> FileChange:
    """The change of a service, with the account check lines that its file has now, which a full rewrite would lose."""
    if change.before is None or change.after is None:
        return change
    kept = split(change.before, change.path, ACCOUNT_BLOCK).inside
    if kept is None or split(change.after, change.path, ACCOUNT_BLOCK).inside is not None:
        return change
    return FileChange(change.path, _with_lines(change.after, kept.decode()))


def _places(config: PamConfig, confdir: str, services: Iterable[str]) -> set[str]:
    """The files to which the lines must be added so that each of these services runs them."""
    shared, found = service_path(confdir, SHARED_FILE), set()
    for service in services:
        reached = {line.file for line in config.lines(service) if line.type == "account"}
        if shared in reached and not os.path.islink(shared):
            found.add(shared)
        elif reached:
            found.add(service_path(confdir, service))
    return found


def _with_block(confdir: str) -> list[str]:
    """The files that currently have our lines."""
    paths = [os.path.join(confdir, name) for name in os.listdir(confdir)] if os.path.isdir(confdir) else []
    plain = [path for path in paths if os.path.isfile(path) and not os.path.islink(path)]
    return [path for path in plain if ACCOUNT_BLOCK.encode() in (read_file(path) or b"")]


def _with_lines(text: bytes, content: str) -> bytes:
    lines = lines_of(text)
    head = first_line(lines, _ACCOUNT_PART)
    return b"".join([*lines[:head], block(content.encode(), "option 'account_check'", ACCOUNT_BLOCK), *lines[head:]])
