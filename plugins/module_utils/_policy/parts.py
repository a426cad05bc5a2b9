# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""The parts of a call of module totp_host, for the host and for the controller. Private to the collection."""

from __future__ import annotations

# In the order in which they are done, with words for a message.
PARTS = {
    "provisioning": "the keys and the enforced group",
    "programs": "the programs that PAM runs",
    "rollout": "PAM and sshd",
    "security_keys": "users of security keys",
    "enrollment": "enrollment",
}
