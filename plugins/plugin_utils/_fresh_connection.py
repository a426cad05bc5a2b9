# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""A second connection to the host of a task, which must log in anew. Private to the collection."""

from __future__ import annotations

import contextlib
import functools
import os
import shutil
import sys
import tempfile
from typing import Any, Iterator

from ansible.plugins.connection import ConnectionBase
from ansible.plugins.loader import connection_loader

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError

# The connection plugin that answers the token prompt, so an enforced account can continue with it.
TOKEN_CONNECTION = "fleetmfa.ssh.ssh_totp"

_SSH_TRANSPORTS = ("ssh", "paramiko", TOKEN_CONNECTION)
# ssh uses the first value for an option, so these come before everything from the inventory.
_NOT_MULTIPLEXED = "-o ControlMaster=no -o ControlPath=none"


def logs_in(connection: ConnectionBase) -> bool:
    """Whether a new connection of this kind is a login through sshd, and so proves that logins work."""
    return connection.transport in _SSH_TRANSPORTS


def require_login(connection: ConnectionBase, without: str) -> None:
    """Refuse a connection that cannot prove that somebody can log in; `without` is the option that permits it."""
    if not logs_in(connection):
        raise FleetMfaError(
            f"a change is confirmed by a new SSH login, and connection {connection.transport} does not log in. "
            f"Connect with ssh, or set {without}: true to continue without that proof (docs/rollout.md, Without a "
            "login)"
        )


def answers_token_prompt(connection: ConnectionBase) -> bool:
    return TOKEN_CONNECTION in (connection.ansible_name, connection.transport)


@contextlib.contextmanager
def fresh_connection(connection: ConnectionBase, play_context: Any) -> Iterator[ConnectionBase]:
    """A connection with all the options of `connection` that shares no network connection with it."""
    fresh = connection_loader.get(
        connection.ansible_name, play_context, task_uuid=os.urandom(8).hex(), ansible_playbook_pid=str(os.getppid())
    )
    options = connection.get_options()
    with contextlib.ExitStack() as at_end:
        if "ssh_args" in options:
            own = _of_its_own(at_end) if answers_token_prompt(connection) else _NOT_MULTIPLEXED
            options["ssh_args"] = f"{own} {options['ssh_args'] or ''}"
        fresh.set_options(direct=options)
        fresh._shell.set_options(direct=connection._shell.get_options())
        fresh.set_become_plugin(connection.become)
        at_end.enter_context(_paramiko_cache_set_aside(fresh))
        if answers_token_prompt(connection):
            at_end.callback(fresh.reset)
        try:
            yield fresh
        finally:
            if fresh.connected:
                fresh.close()


def _of_its_own(at_end: contextlib.ExitStack) -> str:
    """Arguments for a login of its own. What is done over it shares it: each connection would need another token, and
    a module takes several."""
    folder = tempfile.mkdtemp(prefix="fleetmfa-")
    at_end.callback(functools.partial(shutil.rmtree, folder, ignore_errors=True))
    return f"-o ControlMaster=auto -o ControlPersist=60s -o ControlPath={folder}/login"


@contextlib.contextmanager
def _paramiko_cache_set_aside(fresh: ConnectionBase) -> Iterator[None]:
    """Ansible's paramiko plugin keeps open connections in its module, by host and user."""
    plugin = sys.modules[type(fresh).__module__]
    caches = [
        getattr(plugin, name) for name in ("SSH_CONNECTION_CACHE", "SFTP_CONNECTION_CACHE") if hasattr(plugin, name)
    ]
    kept = [dict(cache) for cache in caches]
    for cache in caches:
        cache.clear()
    try:
        yield
    finally:
        for cache, content in zip(caches, kept):
            cache.update(content)
