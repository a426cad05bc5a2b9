# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors

from __future__ import annotations

import json

from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._secret_arguments import SecretArguments


def test_neither_text_nor_repr_shows_a_value():
    """The values are there for the module; scenario `leak` looks at what ansible-core makes of it."""
    arguments = SecretArguments(keys=[{"user": "alice", "secret": "JBSWY3DP"}])
    arguments["later"] = "JBSWY3DP"
    for shown in (f"{arguments}", repr(arguments), str([arguments])):
        assert "JBSWY3DP" not in shown and "not shown" in shown
    assert json.loads(json.dumps(arguments))["keys"][0]["secret"] == "JBSWY3DP"
