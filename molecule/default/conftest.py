# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""The security key of user seckey."""

from __future__ import annotations

import pytest

from lab.logins import client_options, run_client
from lab.security_key import SoftwareSecurityKey


@pytest.fixture
def with_security_key(server):
    """with_security_key(verifies_user): a login of seckey with it, and with nothing else."""

    def log_in(verifies_user):
        with SoftwareSecurityKey(verifies_user, seed="seckey") as key:
            own = [f"IdentityAgent={key.socket}", "IdentitiesOnly=no", "PubkeyAuthentication=yes", "BatchMode=yes"]
            # Of several values ssh takes the first.
            options = [part for option in own for part in ("-o", option)] + client_options(server, key=False)
            return run_client(["ssh", *options, f"seckey@{server.address}", "id -un"])

    return log_in
