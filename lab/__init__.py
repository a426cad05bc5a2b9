# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Container hosts for real SSH logins: ``python3 -m lab up``.

Only the standard library is used: the lab must run before any virtual environment exists.
"""
