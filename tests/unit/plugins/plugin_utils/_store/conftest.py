# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Key stores of a test's own."""

from __future__ import annotations

import pytest
from ansible.parsing.vault import VaultSecret

from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._store.vault_file import VaultFile
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._store.vault_text import VaultText

VAULT_PASSWORD = "a vault password of the tests"


@pytest.fixture
def open_file(tmp_path):
    """open_file(("fleet", "another password"), vault_id="fleet", lock_seconds=0) -> the store in tmp_path, opened anew."""

    def opened(*given, vault_id=None, **options):
        named = given or [("default", VAULT_PASSWORD)]
        secrets = [(name, VaultSecret(password.encode())) for name, password in named]
        return VaultFile(str(tmp_path / "folder/store.yml"), VaultText(secrets, vault_id), **options)

    return opened
