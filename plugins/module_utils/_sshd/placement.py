# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Where the drop-in is read, whether it is read early enough, and the Include that ensures it. Private.

sshd uses the first value it reads for an option: the first global one, and separately the first one below Match lines
that apply.
"""

from __future__ import annotations

from typing import NamedTuple

from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.config import Directive, SshdConfig, canonical
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.block import block, split

_FOLDER_NOTE = b"# The folder was made for this file and goes with it."


class Include(NamedTuple):
    """Our marked block at the top of sshd_config."""

    path: str
    made_folder: bool

    def block(self) -> bytes:
        note = [_FOLDER_NOTE] if self.made_folder else []
        return block(b"\n".join([*note, b"Include " + self.path.encode()]), "option 'path'")


def made_folder(content: bytes, path: str) -> bool:
    return _FOLDER_NOTE in (split(content, path).inside or b"")


class Placement(NamedTuple):
    """How a drop-in is placed in the whole configuration."""

    read: list[Directive]  # its lines outside the Match blocks of other files, which take effect
    below_match: list[Directive]  # its lines that are read inside one, possibly a second time
    shadowing: list[Directive]  # lines read earlier that set the same option

    @property
    def is_first(self) -> bool:
        return bool(self.read) and not self.shadowing


def placement(config: SshdConfig, path: str, separate_challenge_response: bool) -> Placement:
    ours = [directive for directive in config.directives if directive.file == path]
    read = [directive for directive in ours if all(match.file == path for match in directive.matches)]
    below = [directive for directive in ours if directive not in read]

    def what(directive: Directive) -> tuple[str, bool]:
        return canonical(directive.keyword, separate_challenge_response), bool(directive.matches)

    wanted = {what(directive) for directive in read}
    earlier = config.directives[: config.directives.index(read[0])] if read else []
    return Placement(read, below, [directive for directive in earlier if what(directive) in wanted])
