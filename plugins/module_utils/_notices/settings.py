# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Where a host's notices are kept, and with what users are told: /etc/fleetmfa/notices.conf, which the role writes. Private."""

from __future__ import annotations

import json
from typing import NamedTuple

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.files import read_file


class NoticeSettings(NamedTuple):
    state_dir: str
    group: str
    command: list[str]  # a program and its arguments


def read_notice_settings(path: str) -> NoticeSettings:
    """Lines are `name = value`; the command is a list in JSON, since an argument may contain anything."""
    values = {}
    try:
        for line in (read_file(path) or b"").decode("utf-8").splitlines():
            name, equals, value = line.partition("=")
            if equals and not line.startswith("#"):
                values[name.strip()] = value.strip()
        command = json.loads(values["command"])
        if not command or not all(isinstance(part, str) for part in command):
            raise ValueError("not a command")
        return NoticeSettings(values["state_dir"], values["group"], command)
    except (KeyError, ValueError, TypeError) as error:
        raise FleetMfaError(f"{path} cannot be read ({type(error).__name__}); run the role again") from None
