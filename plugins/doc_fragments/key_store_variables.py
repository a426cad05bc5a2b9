# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors

from __future__ import annotations

import yaml

from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._store.variables import STORE_VARIABLES


def _option(name: str) -> dict[str, object]:
    return {
        "description": [f"The variable C({name}) of the key store, see docs/key_store.md."],
        "type": "str",
        "vars": [{"name": name}],
    }


class ModuleDocFragment:
    """The variables that open the key store, for a plugin that reads variables through its options."""

    # The annotation keeps ansible-test from taking it for a literal.
    DOCUMENTATION: str = yaml.safe_dump({"options": {name: _option(name) for name in STORE_VARIABLES}})
