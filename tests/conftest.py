# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""The seed of everything random in the tests, and where programs that tests start find the collection."""

from __future__ import annotations

import os
import random
import sys
from pathlib import Path


def pytest_configure(config):
    # ansible-test does not read pyproject.toml, and runs these too.
    config.addinivalue_line("markers", "release: see pyproject.toml")
    # The same in every worker process, and printed with each run.
    os.environ.setdefault("FLEETMFA_SEED", str(random.SystemRandom().randrange(2**32)))
    # The lab is imported from the root of the repository. ansible-test finds the collection by a loader, of which the
    # processes that tests start know nothing.
    sys.path.append(str(Path(__file__).resolve().parents[1]))
    places = [*sys.path, os.environ.get("ANSIBLE_COLLECTIONS_PATH")]
    os.environ["PYTHONPATH"] = os.pathsep.join(dict.fromkeys(filter(None, places)))


def pytest_report_header(config):
    return f"FLEETMFA_SEED={os.environ['FLEETMFA_SEED']}"
