# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the fleetmfa.ssh authors
"""What AnsibleModule lacks for a module that is given secrets. Private to the collection."""

from __future__ import annotations

from typing import Any

from ansible.module_utils.basic import AnsibleModule


class SecretModule(AnsibleModule):
    """Does not return what it was given when it fails.

    AnsibleModule hides the value of an option that its spec calls secret, but neither that of an option it does not know
    (a misspelt one), nor the keys of a dictionary that stands where a text should.
    """

    def fail_json(self, msg: str, **result: Any) -> None:
        super().fail_json(msg, invocation={"module_args": {}}, **result)
