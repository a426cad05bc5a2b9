# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""The seed of everything random in the tests, the same in every worker process and printed with each run."""

from __future__ import annotations

import os
import random


def pytest_configure(config):
    os.environ.setdefault("FLEETMFA_SEED", str(random.SystemRandom().randrange(2**32)))


def pytest_report_header(config):
    return f"FLEETMFA_SEED={os.environ['FLEETMFA_SEED']}"
