# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""The key for a token: from a variable, or the validated one in the key store."""

from __future__ import annotations

import pytest
from ansible.parsing.vault import VaultSecret, VaultSecretsContext

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.totp import decode_secret, token_at
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._ssh_totp.stored_key import key_of_store
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._ssh_totp.token_key import key_of_text
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._store.person import Person, PersonKey, Proven
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._store.vault_file import VaultFile
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._store.vault_text import VaultText

SECRET = "Y2U24FBANJHH6OC42PVFV5FITU7S3GI2"
VAULT = [("default", VaultSecret(b"a vault password"))]


def expected(step):
    return token_at(decode_secret(SECRET), step)


def test_secret_or_uri():
    assert key_of_text(SECRET, 30, "ansible_totp_secret").token(5) == expected(5)
    key = key_of_text(f"otpauth://totp/Example:alice?secret={SECRET}&period=60", 30, "ansible_totp_secret")
    assert (key.token(5), key.period) == (expected(5), 60)
    assert SECRET not in repr(key)


def test_wrong_secret_is_named_and_not_shown():
    with pytest.raises(FleetMfaError, match="^ansible_totp_secret: the secret is not base32") as caught:
        key_of_text("not base 32!", 30, "ansible_totp_secret")
    assert "base 32!" not in str(caught.value)


@pytest.fixture
def variables(tmp_path, monkeypatch):
    path = tmp_path / "store"
    store = VaultFile(str(path), VaultText(VAULT))
    valid = PersonKey(SECRET, period=60, created=1, validated=Proven(2, "web1"))
    store.merge_in({"alice": Person("alice").with_key(valid), "bob": Person("bob").with_key(PersonKey(SECRET))})
    monkeypatch.setattr(VaultSecretsContext, "_current", VaultSecretsContext(VAULT))
    return {"mfa_store": "vault_file", "mfa_store_path": str(path)}


def test_validated_key_in_the_store(variables):
    key = key_of_store(variables, "alice", ["web1"])
    assert (key.token(5), key.period) == (expected(5), 60)


@pytest.mark.parametrize("user", ["bob", "carol"])
def test_no_validated_key_in_the_store(variables, user):
    with pytest.raises(FleetMfaError, match=f"no validated key of {user}"):
        key_of_store(variables, user, ["web1"])


def test_store_without_vault_secrets(variables, monkeypatch):
    monkeypatch.setattr(VaultSecretsContext, "_current", None)
    with pytest.raises(FleetMfaError, match="vault"):
        key_of_store(variables, "alice", ["web1"])
