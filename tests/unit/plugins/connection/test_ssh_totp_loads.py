# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Each task loads the connection plugin anew for each host, so it must not load what only a login needs."""

from __future__ import annotations

import subprocess
import sys

LOADED = """
import sys
from ansible.plugins.loader import init_plugin_loader
init_plugin_loader()
before = set(sys.modules)
import ansible_collections.fleetmfa.ssh.plugins.connection.ssh_totp
print(*sorted(set(sys.modules) - before))
"""


def test_the_libraries_of_the_key_store_are_not_loaded():
    done = subprocess.run([sys.executable, "-c", LOADED], capture_output=True, text=True, check=True)
    loaded = done.stdout.split()
    assert "ansible_collections.fleetmfa.ssh.plugins.connection.ssh_totp" in loaded
    slow = ("hvac", "requests", "urllib3")
    assert not [
        name for name in loaded if name.split(".")[0] in slow or name.endswith(("_store.vault_file", "_store.ingest"))
    ]
