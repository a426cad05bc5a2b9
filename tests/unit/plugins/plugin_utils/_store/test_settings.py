# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""The variables that say where the key store is."""

from __future__ import annotations

import pytest
from ansible.parsing.vault import VaultSecret

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._store import hashi_login, hashi_options
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._store.hashi_options import VaultLogin, read_login
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._store.settings import open_store
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._store.vault_file import VaultFile

SECRETS = [("default", VaultSecret(b"a password"))]
PREFIX = "mfa_store_hashi_vault_"
URL = "https://vault.example.com:8200"


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch, tmp_path):
    for names in hashi_options.ENVIRONMENT.values():
        for name in names:
            monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))


@pytest.mark.parametrize(
    ("variables", "told"),
    [
        ({}, "mfa_store: is missing; set it to vault_file"),
        ({"mfa_store": ""}, "mfa_store: is missing"),
        ({"mfa_store": "sqlite"}, "mfa_store: must be one of vault_file, hashi_vault"),
        ({"mfa_store": ["vault_file"]}, "mfa_store: must be a text"),
        ({"mfa_store": "vault_file"}, "mfa_store_path: is missing; set it to the file"),
        ({"mfa_store": "vault_file", "mfa_store_path": "store.yml"}, "mfa_store_path: must be an absolute path"),
        ({"mfa_store": "hashi_vault", "mfa_store_path": "fleet"}, f"{PREFIX}url: is missing"),
        (
            {"mfa_store": "hashi_vault", "mfa_store_path": "fleet", f"{PREFIX}url": URL},
            f"{PREFIX}token: is missing; set it, or VAULT_TOKEN in the environment",
        ),
    ],
)
def test_refused(variables, told):
    with pytest.raises(FleetMfaError) as error:
        open_store(variables, SECRETS)
    assert told in str(error.value)


def test_a_file(tmp_path):
    store = open_store({"mfa_store": "vault_file", "mfa_store_path": str(tmp_path / "store")}, SECRETS)
    assert isinstance(store, VaultFile) and store.read() == {}
    with pytest.raises(FleetMfaError, match="no vault secret was given"):
        open_store({"mfa_store": "vault_file", "mfa_store_path": str(tmp_path / "store")}, [])


def test_a_server_from_the_environment(monkeypatch, tmp_path):
    given = {
        "ANSIBLE_HASHI_VAULT_ADDR": URL,
        "VAULT_ADDR": "https://other",
        "VAULT_TOKEN": "s.token",
        "VAULT_CACERT": "ca",
    }
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    assert read_login({}, PREFIX) == VaultLogin(URL, token="s.token", ca_cert="ca")
    assert read_login({"token": "s.given", "namespace": "team"}, PREFIX)[3:4] == (None,)
    assert read_login({"token": "s.given"}, PREFIX).token == "s.given"
    monkeypatch.delenv("VAULT_TOKEN")
    (tmp_path / ".vault-token").write_text("s.of-the-cli\n")
    assert read_login({}, PREFIX).token == "s.of-the-cli"


def test_approle_from_the_environment(monkeypatch):
    monkeypatch.setenv("ANSIBLE_HASHI_VAULT_AUTH_METHOD", "approle")
    with pytest.raises(FleetMfaError, match=f"{PREFIX}role_id: is missing"):
        read_login({"url": URL}, PREFIX)
    monkeypatch.setenv("ANSIBLE_HASHI_VAULT_ROLE_ID", "role")
    monkeypatch.setenv("ANSIBLE_HASHI_VAULT_SECRET_ID", "secret")
    found = read_login({"url": URL}, PREFIX)
    assert (found.role_id, found.secret_id, found.mount_point) == ("role", "secret", "approle")
    assert "secret" not in repr(found)
    with pytest.raises(FleetMfaError, match="auth_method: must be one of token, approle"):
        read_login({"url": URL, "auth_method": "ldap"}, PREFIX)


def test_without_the_library(monkeypatch):
    monkeypatch.setattr(hashi_login, "HAS_HVAC", False)
    variables = {
        "mfa_store": "hashi_vault",
        "mfa_store_path": "fleet",
        f"{PREFIX}url": URL,
        f"{PREFIX}token": "s.token",
    }
    with pytest.raises(FleetMfaError, match="pip install hvac"):
        open_store(variables, [])
