# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""What AnsibleModule lacks for a module that receives secrets. Private to the collection."""

from __future__ import annotations

from typing import Any

from ansible.module_utils.basic import AnsibleModule


class SecretModule(AnsibleModule):
    """Reveals its arguments neither to the host's log nor, when it fails, to the controller.

    AnsibleModule hides the value of an option declared as secret, exactly as given. It does not hide the value of an
    unknown (misspelled) option, nor what it derives from a value of another type: the parts of a list given as one
    string, or the keys of a dictionary given as a string.
    """

    def log(self, msg: str, log_args: dict[str, Any] | None = None) -> None:
        # This is called with all options before the module can declare any more of them secret.
        super().log(msg if log_args is None else "Invoked")

    def fail_json(self, msg: str, **result: Any) -> None:
        super().fail_json(msg, invocation={"module_args": {}}, **result)
