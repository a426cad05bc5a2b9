# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""A text in the format of ansible-vault, encrypted with the secrets that Ansible was started with. Private.

The cipher is ansible-core's. Only the lines are ours: the ciphertext is one long line, which ansible-vault reads like
any other. For 100,000 people it is 200 MB, and VaultLib would spend most of the time on breaking it into lines of 80
characters, on joining them, and on looking for characters outside ASCII.
"""

from __future__ import annotations

import contextlib
from typing import Any, List, Tuple

from ansible.errors import AnsibleError
from ansible.parsing.vault import VaultAES256, match_encrypt_secret

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError

_HEADER = b"$ANSIBLE_VAULT;"
# As the loader of a run has them: (vault id, VaultSecret).
Secrets = List[Tuple[str, Any]]


class VaultText:
    """`secrets` are those of the run (--vault-id, --vault-password-file, --ask-vault-pass); a new text is encrypted with
    that of `vault_id`, by default the one that the old text was encrypted with, or the first."""

    def __init__(self, secrets: Secrets, vault_id: str | None = None):
        if not secrets:
            raise FleetMfaError(
                "no vault secret was given, so the key store can be neither read nor made; start Ansible with "
                "--vault-id or --vault-password-file"
            )
        self._secrets = secrets
        self._vault_id = vault_id

    def decrypt(self, text: bytes, path: str) -> bytes:
        if not text.startswith(_HEADER):
            raise FleetMfaError(
                f"{path} is not in the format of ansible-vault: it is damaged, or another file; restore it from "
                "its backup beside it"
            )
        end_of_header = text.find(b"\n")
        for secret in self._in_order(vault_id_of(text)):
            with contextlib.suppress(AnsibleError, ValueError):  # a text about options of ansible-vault
                return bytes(VaultAES256.decrypt(_body(text, end_of_header + 1), secret))
        ids = ", ".join(sorted({name for name, _secret in self._secrets}))
        raise FleetMfaError(
            f"{path} cannot be decrypted with the vault secrets of this run (vault ids: {ids}): the secret is another "
            "one, or the file is damaged; give the right --vault-id, or restore the file from its backup beside it"
        )

    def _in_order(self, vault_id: str | None) -> list[Any]:
        """The secrets, that of the vault id first; as with ansible-vault, the id is only a hint."""
        return [secret for _name, secret in sorted(self._secrets, key=lambda one: one[0] != vault_id)]

    def encrypt(self, text: bytes, replaced_id: str | None) -> bytes:
        """`replaced_id` is the vault id of the text that the new one takes the place of."""
        vault_id, secret = self._secret_for(self._vault_id or replaced_id)
        header = b"$ANSIBLE_VAULT;1.1;AES256"
        if vault_id != "default":
            header = b"$ANSIBLE_VAULT;1.2;AES256;" + vault_id.encode()
        return b"\n".join([header, VaultAES256.encrypt(text, secret), b""])

    def _secret_for(self, vault_id: str | None) -> tuple[str, Any]:
        named = dict(reversed(self._secrets))
        if self._vault_id and self._vault_id not in named:
            raise FleetMfaError(
                f"mfa_store_vault_id: no vault secret with the id {self._vault_id} was given; add --vault-id "
                f"{self._vault_id}@..., or correct the variable"
            )
        found: tuple[str, Any] = match_encrypt_secret(self._secrets, vault_id if vault_id in named else None)
        return found


def _body(text: bytes, start: int) -> bytes | memoryview:
    """The ciphertext; of one line without a copy."""
    if text.find(b"\n", start) in (-1, len(text) - 1):
        return memoryview(text)[start:][: len(text) - start - text.endswith(b"\n")]
    return b"".join(text[start:].split())


def vault_id_of(text: bytes) -> str | None:
    """The vault id in the first line; None if it has none."""
    words = text[:200].split(b"\n", 1)[0].split(b";")
    return words[3].strip().decode("utf-8", "replace") if len(words) > 3 else None
