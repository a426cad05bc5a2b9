# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""What a module is given has the type that the code below it counts on."""

from __future__ import annotations

import pytest

from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.plan import PAM_TOTP_SPEC, PamWish
from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.plan import SSHD_TOTP_SPEC, SshdWish
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.file_set import HOST_FILE, FileWish

TYPES = {"str": "str", "path": "str", "bool": "bool", "int": "int", "list": "list[str]"}


@pytest.mark.parametrize(
    ("spec", "wish"), [(PAM_TOTP_SPEC, PamWish), (SSHD_TOTP_SPEC, SshdWish), (HOST_FILE, FileWish)]
)
def test_the_type_of_a_wish_is_that_of_the_options(spec, wish):
    said = {name: getattr(value, "__forward_arg__", value) for name, value in wish.__annotations__.items()}
    given = {
        name: TYPES[option["type"]] + ("" if option.get("required") or "default" in option else " | None")
        for name, option in spec.items()
    }
    assert said == given
