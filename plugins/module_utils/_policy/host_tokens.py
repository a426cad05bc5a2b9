# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Finds users whose authenticator app has an entry that the host's own lines already ask for. Private.

Only checks whether a file exists; its content is never read.
"""

from __future__ import annotations

from typing import Iterable, Iterator

from ansible_collections.fleetmfa.ssh.plugins.module_utils._findings import Finding
from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.config import Line, PamConfig
from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.host_tokens import (
    file_of,
    host_token_lines,
    named_file,
)
from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.policy import PolicyReader
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.account_lookup import account_of
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.local_files import LocalFiles

_EXAMPLES = 10


def host_token_findings(
    config: PamConfig, bare: PolicyReader, services: Iterable[str], users: Iterable[str]
) -> Iterator[Finding]:
    """Findings about these users, who are not enforced.

    `bare` is sshd's configuration without our policy, `services` are the PAM services it uses.
    """
    if bare.global_settings().get("usepam") != ["yes"]:
        return
    users, files = sorted(users), LocalFiles()
    told = [text for line in host_token_lines(config, services) for text in _of_line(line, users, files)]
    if told:
        yield Finding("host_tokens", (*told, *_methods(bare)))


def _of_line(line: Line, users: list[str], files: LocalFiles) -> Iterator[str]:
    name, which = named_file(line), f"{line.place} {line.module_name}"
    if line.module_name == "pam_oath.so" and name:
        yield f"{which}: the users in {name}, which was not read"
    paths = {user: file_of(line, user, _home(user)) for user in users}
    there = {user: files.exists(path) for user, path in paths.items() if path}
    having = [user for user in users if there.get(user)]
    if having:
        more = f" and {len(having) - _EXAMPLES} more" if len(having) > _EXAMPLES else ""
        yield f"{which}: {_counted(having)} with {name}: {', '.join(having[:_EXAMPLES])}{more}"
    unseen = [user for user, found in there.items() if found is None]
    if unseen:
        yield f"{which}: {_counted(unseen)} whose {name} was not checked, since it is not on a local file system"


def _counted(users: list[str]) -> str:
    return f"{len(users)} user{'' if len(users) == 1 else 's'}"


def _home(user: str) -> str:
    account = account_of(user)
    return account.pw_dir if account else ""


def _methods(bare: PolicyReader) -> Iterator[str]:
    for line in bare.config.directives:
        if line.keyword == "authenticationmethods" and not line.matches:
            yield f"{line.where} is for everybody"
            return
