# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""The names of the variables about the key store; `settings.py` reads them. Private to the collection."""

from __future__ import annotations

from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._store.hashi_options import ENVIRONMENT

HASHI_PREFIX = "mfa_store_hashi_vault_"
STORE_VARIABLES = (
    "mfa_store",
    "mfa_store_path",
    "mfa_store_vault_id",
    *(f"{HASHI_PREFIX}{option}" for option in ENVIRONMENT),
)
