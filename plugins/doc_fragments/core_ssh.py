# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors

from __future__ import annotations

from typing import Any

import yaml
from ansible.plugins.connection import ssh


def _options() -> dict[str, Any]:
    """Without the versions: they are of ansible-core, and would be shown as versions of this collection."""
    options = yaml.safe_load(ssh.DOCUMENTATION)["options"]
    return {name: _without_versions(option) for name, option in options.items()}


def _without_versions(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            key: _without_versions(part) for key, part in value.items() if key not in ("version_added", "deprecated")
        }
    return [_without_versions(part) for part in value] if isinstance(value, list) else value


class ModuleDocFragment:
    """The options of connection ansible.builtin.ssh, as the ansible-core that is installed has them."""

    # The annotation keeps ansible-test from taking it for a literal.
    DOCUMENTATION: str = yaml.safe_dump({"options": _options()})
