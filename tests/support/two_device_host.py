# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""A guarded host on which alice has a second device."""

from __future__ import annotations

import base64
import os
from pathlib import Path

from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.totp import token_at
from ansible_collections.fleetmfa.ssh.tests.support.guarded_host import GuardedHost


class TwoDeviceHost(GuardedHost):
    second_device = True

    def __init__(self, folder: Path, shell: str):
        (folder / "second").mkdir(mode=0o700)
        super().__init__(folder, shell)
        self.second_path = folder / "second" / self.user
        self.second_secret = os.urandom(20)
        self.write_second_key()

    def write_second_key(self, secret: bytes | None = None, used=(), meta: str = "", rate_limit="100 30") -> None:
        used_up = " ".join(['" DISALLOW_REUSE', *map(str, used)])
        lines = [base64.b32encode(secret or self.second_secret).decode(), f'" RATE_LIMIT {rate_limit}', used_up]
        lines += ['" WINDOW_SIZE 3', '" TOTP_AUTH', *([f'" FLEETMFA {meta}'] if meta else [])]
        self.second_path.unlink(missing_ok=True)
        self.second_path.write_text("\n".join(lines) + "\n")
        self.second_path.chmod(0o600)

    def second_token(self, offset: int = 0) -> str:
        return token_at(self.second_secret, self.step + offset)
