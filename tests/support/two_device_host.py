# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""A guarded host on which alice has a second device, with the PAM lines that the role's template makes."""

from __future__ import annotations

import base64
import os
from pathlib import Path

import jinja2

from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.totp import token_at
from ansible_collections.fleetmfa.ssh.tests.support.guarded_host import ROLE, GuardedHost


class TwoDeviceHost(GuardedHost):
    def __init__(self, folder: Path, shell: str):
        (folder / "second").mkdir(mode=0o700)
        super().__init__(folder, shell)
        self.second_path = folder / "second" / self.user
        self.second_secret = os.urandom(20)
        self.write_second_key()

    def _program(self, name: str) -> Path:
        """The template tells the guard no state directory."""
        program = super()._program(name)
        program.write_text(program.read_text().replace("/var/lib/fleetmfa", str(self.folder)))
        return program

    def write_service(self, guarded: bool = True, lock_after: int = 10, lock_seconds: int = 1800) -> None:
        assert guarded
        lock = {"lock_after": lock_after, "lock_seconds": lock_seconds}
        text = token_lines(str(self.folder), str(self.folder), **lock)
        lines = [line for line in text.splitlines() if line.startswith("auth") and " include " not in line]
        # Not a real account, so no member of a real group.
        lines[-1] = "auth sufficient pam_permit.so"
        self.write_lines(lines)

    def write_second_key(self, secret: bytes | None = None, used=(), meta: str = "", rate_limit="100 30") -> None:
        used_up = " ".join(['" DISALLOW_REUSE', *map(str, used)])
        lines = [base64.b32encode(secret or self.second_secret).decode(), f'" RATE_LIMIT {rate_limit}', used_up]
        lines += ['" WINDOW_SIZE 3', '" TOTP_AUTH', *([f'" FLEETMFA {meta}'] if meta else [])]
        self.second_path.unlink(missing_ok=True)
        self.second_path.write_text("\n".join(lines) + "\n")
        self.second_path.chmod(0o600)

    def second_token(self, offset: int = 0) -> str:
        return token_at(self.second_secret, self.step + offset)


def token_lines(program_dir: str, state_dir: str, own_service: bool = True, **settings) -> str:
    """The content that the role gives a PAM service, for `publickey+totp` with the guard and a second device."""
    environment = jinja2.Environment(trim_blocks=True, keep_trailing_newline=True, autoescape=False)  # noqa: S701
    environment.filters["comment"] = lambda text: f"# {text}"
    template = environment.from_string((ROLE / "templates/etc/pam.d/token.j2").read_text())
    wanted = {"guard": True, "second_device": True, "factors": "publickey+totp", "group": "mfa-enforced"}
    wanted = {**wanted, "lock_after": 10, "lock_seconds": 1800, **settings}
    return template.render(
        ansible_managed="Ansible managed",
        mfa__pam_mark="# a mark",
        mfa__own_pam_service=own_service,
        mfa__set=wanted,
        mfa__program_dir=program_dir,
        mfa__state_dir=state_dir,
        mfa__base_services=["sshd"],
    )
