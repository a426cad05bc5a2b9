# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""The signature of the document, made by ssh-keygen. Private to the collection."""

from __future__ import annotations

import os
import shutil
import subprocess

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError

NAMESPACE = "fleetmfa-audit"
_SECONDS = 60


def check_key(path: str) -> None:
    """Before hosts' evidence is worked on."""
    if not os.path.isfile(path):
        raise FleetMfaError(f"sign_key (mfa_audit_sign_key): there is no file {path} on the controller")
    if shutil.which("ssh-keygen") is None:
        raise FleetMfaError(
            "sign_key (mfa_audit_sign_key): there is no ssh-keygen on the controller; install OpenSSH 8.1 or later"
        )


def signature(content: bytes, key: str) -> bytes:
    """An SSH signature of this content. `key` is a private key without a passphrase, or the public key of one in an agent."""
    command = ["ssh-keygen", "-Y", "sign", "-q", "-f", key, "-n", NAMESPACE]
    environment = {**os.environ, "SSH_ASKPASS_REQUIRE": "never", "LC_ALL": "C"}
    try:
        # A session of its own: without a terminal ssh-keygen cannot wait for a passphrase.
        done = subprocess.run(
            command,
            input=content,
            capture_output=True,
            check=False,
            env=environment,
            timeout=_SECONDS,
            start_new_session=True,
        )
    except subprocess.TimeoutExpired:
        raise FleetMfaError(
            f"sign_key (mfa_audit_sign_key): ssh-keygen did not end within {_SECONDS} seconds"
        ) from None
    if done.returncode or not done.stdout:
        lines = done.stderr.decode(errors="replace").strip().splitlines() or ["no reason given"]
        raise FleetMfaError(
            f"sign_key (mfa_audit_sign_key): ssh-keygen cannot sign with {key}: {lines[-1]}; give a key without a passphrase, "
            "or the public key of one that ssh-agent has"
        )
    return done.stdout
