# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""What a prompt of ssh asks for. Private to the collection."""

from __future__ import annotations

import enum
import re
from typing import NamedTuple

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError

# OpenSSH 8.5 and later put (USER@HOST) before what a host asks.
_ASKED_BY = re.compile(r"\([^()\s]+@[^()\s]+\) ")
_HOST_KEY = re.compile(r"yes/no|authenticity of host|differs from the key for the IP address|type 'yes'", re.IGNORECASE)


class PromptKind(enum.Enum):
    HOST_KEY = "host key"
    TOKEN = "token"
    PASSWORD = "password"
    UNKNOWN = "unknown"


class PromptRules(NamedTuple):
    token: re.Pattern[str]
    password: str  # part of the prompt

    def kind_of(self, prompt: str) -> PromptKind:
        """A question about a host key comes from ssh itself, so it counts first, whatever a host may have put in it."""
        text = _ASKED_BY.sub("", prompt, count=1)
        if _HOST_KEY.search(text):
            return PromptKind.HOST_KEY
        if self.token.search(text):
            return PromptKind.TOKEN
        return PromptKind.PASSWORD if self.password in text else PromptKind.UNKNOWN


def token_pattern(text: str) -> re.Pattern[str]:
    try:
        return re.compile(text)
    except re.error as error:
        raise FleetMfaError(f"totp_prompt: is no regular expression ({error})") from None


def shown(prompt: str) -> str:
    """The text of a prompt for a message: one line, no control characters, not endless."""
    return "".join(letter if letter.isprintable() else " " for letter in prompt).strip()[:200]
