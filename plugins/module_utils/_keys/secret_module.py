# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""What AnsibleModule lacks for a module that is given secrets. Private to the collection."""

from __future__ import annotations

from typing import Any

from ansible.module_utils.basic import AnsibleModule


class SecretModule(AnsibleModule):
    """Tells neither the host's log nor, when it fails, the controller what it was given.

    AnsibleModule hides the value of an option that its spec calls secret, as it was given. It does not hide that of an
    option it does not know (a misspelt one), nor what it makes of a value of another type: the parts of a list that was
    given as one text, the keys of a dictionary that was given as a text.
    """

    def log(self, msg: str, log_args: dict[str, Any] | None = None) -> None:
        # It is called with all options before a module can say what else is secret among them.
        super().log(msg if log_args is None else "Invoked")

    def fail_json(self, msg: str, **result: Any) -> None:
        super().fail_json(msg, invocation={"module_args": {}}, **result)
