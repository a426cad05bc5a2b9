# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""The SSH keys that a probe logs in with. Private to the collection."""

from __future__ import annotations

import contextlib
from typing import Any, Iterator

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError

with contextlib.suppress(ImportError):  # the action has told so
    import paramiko


def key_of_file(path: str) -> Any:
    """With its certificate, if PATH-cert.pub is there."""
    try:
        return paramiko.PKey.from_path(path)
    except OSError as error:
        why = error.strerror or type(error).__name__
    except Exception as error:  # the library has many, and their texts may quote the file
        why = f"it is no private key, or has a passphrase ({type(error).__name__}); an agent (ssh-add) can hold such a key"
    raise FleetMfaError(f"key_file: {path}: {why}")


@contextlib.contextmanager
def agent_keys(wanted: bool) -> Iterator[list[Any]]:
    """Each login has a connection to the agent of its own, since they may sign at the same time."""
    if not wanted:
        yield []
        return
    agent = paramiko.Agent()
    try:
        yield list(agent.get_keys())
    finally:
        agent.close()
