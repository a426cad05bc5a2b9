# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""The options of back end hashi_vault: how to log in to the server. Private to the collection.

Options, their environment variables and their defaults are those of community.hashi_vault, so that a controller that is
set up for that collection needs nothing else.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Mapping, NamedTuple

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError

METHODS = ("token", "approle")
# Option -> environment variables, the first one that is set counts.
ENVIRONMENT = {
    "url": ("ANSIBLE_HASHI_VAULT_ADDR", "VAULT_ADDR"),
    "auth_method": ("ANSIBLE_HASHI_VAULT_AUTH_METHOD",),
    "token": ("ANSIBLE_HASHI_VAULT_TOKEN", "VAULT_TOKEN"),
    "role_id": ("ANSIBLE_HASHI_VAULT_ROLE_ID",),
    "secret_id": ("ANSIBLE_HASHI_VAULT_SECRET_ID",),
    "namespace": ("ANSIBLE_HASHI_VAULT_NAMESPACE", "VAULT_NAMESPACE"),
    "ca_cert": ("ANSIBLE_HASHI_VAULT_CA_CERT", "VAULT_CACERT"),
    "mount_point": (),
    "engine_mount_point": (),
}


class VaultLogin(NamedTuple):
    """How to log in; `mount_point` is that of the method, `engine_mount_point` that of the KV engine."""

    url: str
    auth_method: str = "token"
    token: str | None = None
    role_id: str | None = None
    secret_id: str | None = None
    namespace: str | None = None
    ca_cert: str | None = None
    mount_point: str = "approle"
    engine_mount_point: str = "secret"

    def __repr__(self) -> str:
        return f"VaultLogin({self.url})"  # not the token, even in a traceback


def read_login(given: Mapping[str, str], prefix: str) -> VaultLogin:
    """From options and environment; `prefix` is what the options' names begin with in messages."""
    found = {}
    for option, variables in ENVIRONMENT.items():
        value = given.get(option) or next((os.environ[name] for name in variables if os.environ.get(name)), None)
        if value:
            found[option] = value
    if "url" not in found:
        raise FleetMfaError(f"{prefix}url: is missing; set it, or VAULT_ADDR in the environment")
    login = VaultLogin(**found)
    if login.auth_method not in METHODS:
        raise FleetMfaError(f"{prefix}auth_method: must be one of {', '.join(METHODS)}")
    if login.auth_method == "token" and not login.token:
        login = login._replace(token=_token_of_cli())
    needed = ("token",) if login.auth_method == "token" else ("role_id",)
    for option in needed:
        if not getattr(login, option):
            environment = ENVIRONMENT[option][-1]
            raise FleetMfaError(f"{prefix}{option}: is missing; set it, or {environment} in the environment")
    return login


def _token_of_cli() -> str | None:
    """What `vault login` or `bao login` has left."""
    with contextlib.suppress(OSError, RuntimeError):
        return (Path.home() / ".vault-token").read_text(encoding="utf-8").strip() or None
    return None
