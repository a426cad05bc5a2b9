# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""What AnsibleModule lacks for a module that may receive a secret, in the right option or in a wrong one. Private."""

from __future__ import annotations

from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.fleetmfa.ssh.plugins.module_utils._misplaced import hidden, misplaced, refusal
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.accounts import account_exists, group_exists


class Module(AnsibleModule):
    """Reveals its arguments neither to the host's log nor, when it fails, to the controller, and a misplaced secret to nobody.

    AnsibleModule hides the value of an option declared as secret, exactly as given. It does not hide the value of an
    unknown (misspelled) option, nor that of any other option (which its own messages quote), nor what it derives from a
    value of another type: the parts of a list given as one string, or the keys of a dictionary given as a string.
    """

    def __init__(self, argument_spec: dict[str, Any], **options: Any):
        super().__init__(argument_spec, **options)
        self._hide()
        places = list(misplaced(self.params))
        if places:
            self.fail_json(msg=f"nothing was changed: {refusal(places)}", changed=False)

    def _hide(self) -> None:
        self.no_log_values.update(hidden(self.params, lambda name: account_exists(name) or group_exists(name)))

    def log(self, msg: str, log_args: dict[str, Any] | None = None) -> None:
        # This is called with all options before the module can declare any more of them secret.
        super().log(msg if log_args is None else "Invoked")

    def fail_json(self, msg: str, **result: Any) -> None:
        self._hide()  # AnsibleModule itself may be refusing the options
        super().fail_json(msg, invocation={"module_args": {}}, **result)
