# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""The library that logs in, if it is there. Private to the collection."""

from __future__ import annotations

import logging
import sys

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError

try:
    import paramiko
except ImportError:
    HAS_PARAMIKO = False
else:
    HAS_PARAMIKO = hasattr(paramiko.PKey, "from_path")

# What it logs goes nowhere: Python prints errors of a library that nobody listens to.
LOG_CHANNEL = "fleetmfa.ssh.login_probe"
logging.getLogger(LOG_CHANNEL).disabled = True


def require_paramiko() -> None:
    if not HAS_PARAMIKO:
        raise FleetMfaError(
            f"the Python package paramiko, 3.4 or later, is missing on the controller ({sys.executable}); run pip install "
            "'paramiko>=3.4'"
        )
