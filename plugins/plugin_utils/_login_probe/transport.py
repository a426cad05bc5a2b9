# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""A connection to an sshd up to the login: in time, and with a known host key. Private to the collection."""

from __future__ import annotations

import contextlib
import socket
import threading
from typing import Any, Iterator

from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._login_probe.deadline import Deadline
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._login_probe.known_hosts import HostKeys, KnownHosts
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._login_probe.library import LOG_CHANNEL
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._login_probe.row import NotJudgedError
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._ssh_totp.failures import DROPS
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._ssh_totp.prompts import shown

with contextlib.suppress(ImportError):  # the action has told so
    import paramiko

_LOOK_SECONDS = 0.05
_END_SECONDS = 5


@contextlib.contextmanager
def open_transport(address: str, port: int, known: KnownHosts, deadline: Deadline) -> Iterator[Any]:
    """A paramiko.Transport. A NotJudgedError says why there is none."""
    keys = known.keys_of(address, port)
    if not keys.good:
        raise NotJudgedError(
            f"known_hosts has no key of {address} port {port}; add it, from a source that you trust (option known_hosts)"
        )
    with _connect(address, port, deadline) as connection:
        transport = paramiko.Transport(connection)
        try:
            transport.set_log_channel(LOG_CHANNEL)
            _prefer(transport, keys)
            _handshake(transport, deadline)
            _check_host_key(transport, keys)
            yield transport
        finally:
            transport.close()
            transport.join(_END_SECONDS)  # a thread of the library, which need not outlive the probe


def _connect(address: str, port: int, deadline: Deadline) -> socket.socket:
    try:
        return socket.create_connection((address, port), timeout=deadline.left)
    except TimeoutError:
        raise NotJudgedError(f"no connection to port {port} within {deadline.seconds:.0f} s") from None
    except socket.gaierror as error:
        raise NotJudgedError(f"the name {address} has no address ({error.strerror})") from None
    except (OSError, UnicodeError) as error:
        why = getattr(error, "strerror", None) or type(error).__name__
        raise NotJudgedError(f"no connection to port {port}: {why}") from None


def _prefer(transport: Any, keys: HostKeys) -> None:
    """The host then shows a key of a type that is known."""
    options = transport.get_security_options()
    known = [kind for kind in options.key_types if _type_of_key(kind) in keys.types]
    options.key_types = [*known, *(kind for kind in options.key_types if kind not in known)]


def _type_of_key(algorithm: str) -> str:
    return "ssh-rsa" if algorithm.startswith("rsa-sha2-") else algorithm


def _handshake(transport: Any, deadline: Deadline) -> None:
    """The waiting is done here: the library allows a host two seconds for each of a hundred lines of a banner."""
    transport.banner_timeout = transport.handshake_timeout = deadline.seconds * 2  # never first
    done = threading.Event()
    transport.start_client(event=done)
    while not done.wait(_LOOK_SECONDS) and transport.is_active():
        if deadline.is_over:
            raise NotJudgedError(f"no {_awaited(transport)} within {deadline.seconds:.0f} s")
    if not transport.is_active():
        raise NotJudgedError(_why_closed(transport))


def _awaited(transport: Any) -> str:
    return "key exchange" if transport.remote_version else "SSH banner"


def _why_closed(transport: Any) -> str:
    error = transport.saved_exception
    if isinstance(error, paramiko.ssh_exception.IncompatiblePeer):
        return f"no common algorithm: {shown(str(error))}"
    if transport.remote_version:
        return f"the connection ended during the key exchange ({type(error).__name__})"
    return f"the connection ended before the SSH banner: this is no SSH server, or it {DROPS}"


def _check_host_key(transport: Any, keys: HostKeys) -> None:
    key = transport.get_remote_server_key()
    seen = (key.get_name(), key.get_base64())
    if seen in keys.revoked:
        raise NotJudgedError("the host has a key that known_hosts calls revoked")
    if seen not in keys.good:
        raise NotJudgedError(
            f"the host has another key than known_hosts says ({key.get_name()} {key.fingerprint}): it was installed again, or "
            "somebody is in between"
        )
