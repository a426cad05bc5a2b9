# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""A module's arguments that nobody prints. Private to the collection."""

from __future__ import annotations

from typing import Any, Dict


class SecretArguments(Dict[str, Any]):
    """With ANSIBLE_DEBUG=1 ansible-core prints the arguments of each module that was run, whatever `no_log` says."""

    def __repr__(self) -> str:
        return "(arguments that are not shown)"  # nor their names: a secret may stand in the wrong place
