# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Options of connection ssh_totp as they are for a host, so that a login and a probe of it agree. Private."""

from __future__ import annotations

from typing import Any, Mapping

from ansible import constants
from ansible.errors import AnsibleError
from ansible.plugins.loader import connection_loader

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError

NAME = "fleetmfa.ssh.ssh_totp"
# The variables that these options of the connection have.
VARIABLES = ("ansible_totp_prompt", "ansible_totp_period", "mfa_period", "mfa_claims", "ansible_totp_state_dir")


def connection_option(option: str, variables: Mapping[str, Any]) -> Any:
    """`variables` are those of VARIABLES that are set."""
    connection = connection_loader.get(NAME, class_only=True)  # which reads the definitions of its options
    if connection is None:
        raise FleetMfaError(f"connection {NAME} cannot be loaded; is the collection complete?")
    try:
        return constants.config.get_config_value(
            option, plugin_type="connection", plugin_name=connection._load_name, variables=dict(variables)
        )
    except AnsibleError as error:  # its text quotes the value
        raise FleetMfaError(
            f"{option} of connection {NAME} has a value that it cannot have ({type(error).__name__})"
        ) from None
