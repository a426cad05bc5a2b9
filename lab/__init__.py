# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Container hosts for real SSH logins: ``python3 -m lab up``.

Standard library only: the lab has to run before any virtual environment exists.
"""
