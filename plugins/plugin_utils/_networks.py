# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Addresses and networks in the role's variables, as sshd takes them. Private to the collection."""

from __future__ import annotations

import ipaddress

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError


def check_network(number: int, value: object) -> str:
    """An address or a network without host bits; the message does not contain the value, which may be a secret."""
    try:
        if not isinstance(value, str) or "%" in value:
            raise ValueError
        network = ipaddress.ip_network(value)
    except ValueError:
        raise FleetMfaError(
            f"entry {number} is not an address or a network, such as 192.0.2.10, 198.51.100.0/24 or 2001:db8::/64 (a network "
            "has no bits set beyond its length)"
        ) from None
    return str(network) if "/" in value else str(network.network_address)
