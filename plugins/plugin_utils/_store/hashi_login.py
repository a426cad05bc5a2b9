# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Logs in to a HashiCorp Vault or OpenBao server, and says what its errors mean. Private to the collection."""

from __future__ import annotations

import contextlib
from typing import Any, Iterator

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._store.hashi_options import VaultLogin

try:
    import hvac
    import requests
    from hvac import exceptions
except ImportError:
    HAS_HVAC = False
else:
    HAS_HVAC = True

_TIMEOUT = 30  # seconds


def log_in(login: VaultLogin) -> Any:
    """An hvac client."""
    if not HAS_HVAC:
        raise FleetMfaError(
            "mfa_store: hashi_vault needs the Python library hvac on the controller; install it (pip install hvac)"
        )
    client = hvac.Client(
        url=login.url, token=login.token, namespace=login.namespace, verify=login.ca_cert or True, timeout=_TIMEOUT
    )
    if login.auth_method == "approle":
        with explained(login.url, f"the role_id of auth method {login.mount_point}"):
            client.auth.approle.login(role_id=login.role_id, secret_id=login.secret_id, mount_point=login.mount_point)
    return client


@contextlib.contextmanager
def explained(url: str, what: str) -> Iterator[None]:
    """Turns what the server, or the way to it, has against a request for `what` into an error with a remedy.

    The server's own texts are not passed on: they may quote the request.
    """
    try:
        yield
    except exceptions.VaultDown:
        told = "is sealed or not active; unseal it (bao operator unseal, vault operator unseal)"
    except (exceptions.Forbidden, exceptions.Unauthorized):
        told = (
            f"denies access to {what}; check that the token is valid and that its policy allows it (docs/key_store.md)"
        )
    except exceptions.InvalidPath:
        told = f"has no {what}; check the mount points and the namespace, or enable the KV version 2 engine there"
    except exceptions.InvalidRequest:
        told = f"refuses the request for {what}; check the role_id, the secret_id, and that the engine is KV version 2"
    except exceptions.VaultError as error:
        told = f"failed at {what} ({type(error).__name__}); see its log"
    except requests.exceptions.SSLError:
        told = "has a certificate that is not trusted; give its CA with ca_cert (VAULT_CACERT)"
    except requests.exceptions.RequestException as error:
        told = f"cannot be reached ({type(error).__name__}); check the url and the network"
    else:
        return
    raise FleetMfaError(f"the Vault server at {url} {told}; nothing was changed by this request") from None
