# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""The PAM lines that the role's template makes."""

from __future__ import annotations

from pathlib import Path

import jinja2

ROLE = Path(__file__).parents[2] / "roles/mfa"


def token_lines(program_dir: str, state_dir: str, own_service: bool = True, **settings) -> str:
    """The content that the role gives a PAM service, for `publickey+totp` with the guard and a second device."""
    environment = jinja2.Environment(trim_blocks=True, keep_trailing_newline=True, autoescape=False)  # noqa: S701
    environment.filters["comment"] = lambda text: f"# {text}"
    template = environment.from_string((ROLE / "templates/etc/pam.d/token.j2").read_text())
    wanted = {"guard": True, "second_device": True, "factors": "publickey+totp", "group": "mfa-enforced"}
    wanted = {
        **wanted,
        "lock_after": 10,
        "lock_seconds": 1800,
        "remember_seconds": 0,
        "remember_groups": [],
        **settings,
    }
    return template.render(
        ansible_managed="Ansible managed",
        mfa__pam_mark="# a mark",
        mfa__own_pam_service=own_service,
        mfa__set=wanted,
        mfa__program_dir=program_dir,
        mfa__state_dir=state_dir,
        mfa__base_services=["sshd"],
    )


def auth_lines(text: str) -> list[str]:
    """The auth lines among these, without those that include the host's own."""
    return [line for line in text.splitlines() if line.startswith("auth ") and " include " not in line]
