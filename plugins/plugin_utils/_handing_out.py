# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Gives an operator the secret that was asked for: on the terminal, or in a file of the operator's own. Private."""

from __future__ import annotations

import os
import time
from typing import NamedTuple, Protocol

from ansible_collections.fleetmfa.ssh.plugins.module_utils._enroll.user.pages import in_groups, printable
from ansible_collections.fleetmfa.ssh.plugins.module_utils._enroll.user.qr_code import PALETTE_256
from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.totp import otpauth_uri
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.files import write_file
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._enrollment_sheet import SheetKey, enrollment_sheet
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._operator_terminal import operator_terminal, show_on
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._qr_code import qr_text
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._store.person import PersonKey


class HandedOut(Protocol):
    """Something secret, as lines for a terminal and as the content of a file."""

    def lines(self) -> list[str]: ...

    def content(self) -> bytes: ...


class KeyOut(NamedTuple):
    """An authenticator app reads it: a QR code on the terminal, an enrollment sheet in a file."""

    user: str
    key: PersonKey
    contact: str
    device: str | None = None  # the name of a second device

    def lines(self) -> list[str]:
        issuer, account = self.key.issuer, self.key.account or self.user
        uri = otpauth_uri(self.key.secret, issuer, account, period=self.key.period)
        whose = printable(self.user) + (f", second device {self.device}" if self.device else "")
        return [
            f"The key of {whose}. The person scans the code with an authenticator app, or types the key:",
            "",
            *qr_text(uri, PALETTE_256),
            "",
            *(f"  {line}" for line in in_groups(self.key.secret)),
            "",
            f"Issuer:  {printable(issuer)}",
            f"Account: {printable(account)}",
        ]

    def content(self) -> bytes:
        key = self.key
        account, codes = key.account or self.user, sorted(key.codes)
        sheet = SheetKey(self.user, key.secret, key.issuer, account, key.period, codes, self.device)
        return enrollment_sheet(sheet, self.contact).encode()


class CodeOut(NamedTuple):
    """The operator reads it out on the phone."""

    user: str
    code: str
    until: int

    def lines(self) -> list[str]:
        end = time.strftime("%Y-%m-%d %H:%M", time.localtime(self.until))
        return [
            f"Help-desk code of {printable(self.user)}: {self.code[:4]} {self.code[4:]}",
            "",
            f"In place of a token, once, before {end}, on each host that this run reaches.",
        ]

    def content(self) -> bytes:
        return "".join(f"{line}\n" for line in self.lines()).encode()


class Channel:
    """Where to. Made before anything is changed, since a secret that cannot be handed out helps nobody."""

    def __init__(self, dest: str | None):
        self._dest = dest
        self._terminal = None if dest else operator_terminal()
        if dest and not os.path.isabs(dest):
            raise FleetMfaError("dest (mfa_recover_file): must be an absolute path")
        if dest and not os.path.isdir(os.path.dirname(dest)):
            raise FleetMfaError("dest (mfa_recover_file): its folder does not exist on the controller")
        if not dest and not self._terminal:
            raise FleetMfaError(
                "this run has no terminal to show the secret on, and it is never printed or logged; give a file that will be "
                "readable only by you: dest (mfa_recover_file)"
            )

    def hand_out(self, secret: HandedOut) -> str:
        """Returns where to."""
        if self._dest:
            write_file(self._dest, secret.content(), 0o600, os.geteuid(), os.getegid())
            return self._dest
        show_on(str(self._terminal), secret.lines())
        return "terminal"
