# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Adds the token lines to a PAM service besides sshd's, after the lines that ask for the password. Private to the collection.

Where that is differs between distributions and services, so it is found by proof: the block is tried after each line of the `auth`
part, and the first place counts at which a member of the group is asked for the token on every way in, and only after the
password, and at which nothing changes for anybody else. There may be none: if a wrong password does not end the stack at once, or a right
one does, the service is refused.
"""

from __future__ import annotations

import os
from dataclasses import replace
from typing import Iterator

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError
from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.config import VENDOR_CONFDIRS, PamConfig
from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.proof import Demand, prove_token_lines
from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.prover import Verdict
from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.service import (
    auth_ends,
    block_of,
    block_places,
    service_path,
)
from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.texts import bytes_of, text_of
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.block import lines_of, split
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.files import FileChange, read_file


def plan_door(demand: Demand) -> tuple[FileChange, Verdict]:
    """The proven change of the service that `demand` is about; a FleetMfaError says why there is none."""
    path = service_path(demand.confdir, demand.service)
    before = read_file(path)
    if not before:
        raise FleetMfaError(_missing(demand, path))
    bare = split(before, path).without
    included = _included_with_lines(demand, path, bare)
    if included:
        change = FileChange(path, bare)
        return change, prove_token_lines(change, replace(demand, others={**demand.others, **included}))
    refusal = FleetMfaError(f"PAM service {path} has no auth line of its own, so nothing can be added after one")
    for change in _candidates(demand, path, bare):
        try:
            return change, prove_token_lines(change, demand)
        except FleetMfaError as error:
            refusal = error
    raise FleetMfaError(f"{refusal}\nThis is about the last of its auth lines; after none of the others it is better")


def _missing(demand: Demand, path: str) -> str:
    vendor = [name for name in (f"{folder}/{demand.service}" for folder in VENDOR_CONFDIRS) if os.path.exists(name)]
    if vendor:
        return (
            f"PAM service {path} does not exist, and {vendor[0]} belongs to a package, so it is not changed; copy it to "
            f"{demand.confdir}, or leave {demand.service} out (mfa_services)"
        )
    return (
        f"PAM service {path} does not exist or is empty; leave {demand.service} out on this host (mfa_services), or install the "
        "program that it is for"
    )


def _included_with_lines(demand: Demand, path: str, bare: bytes) -> dict[str, str]:
    """The files of other services that this one includes together with our lines (su-l includes su), and their texts."""
    config = PamConfig(demand.confdir, {**demand.others, path: text_of(bare)})
    places = {line.place for line in config.auth_stack(demand.service).lines}
    files = {place.rpartition(":")[0] for place in places} - {path}
    found = filter(None, map(config.find_file, sorted(files)))
    return {file: text for file, text in found if places & block_places(file, bytes_of(text))}


def _candidates(demand: Demand, path: str, bare: bytes) -> Iterator[FileChange]:
    lines, ours = lines_of(bare), block_of(demand.content)
    for end in auth_ends(lines):
        yield FileChange(path, b"".join([*lines[:end], ours, *lines[end:]]))
