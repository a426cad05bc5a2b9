# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""A module's arguments in a form that does not print. Private to the collection."""

from __future__ import annotations

from typing import Any, Dict


class SecretArguments(Dict[str, Any]):
    """With ANSIBLE_DEBUG=1 ansible-core prints the arguments of each module that it runs, regardless of `no_log`."""

    def __repr__(self) -> str:
        return "(arguments that are not shown)"  # nor their names: a secret may be in the wrong place
