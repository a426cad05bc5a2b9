# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""The lines of sshd that the role's template makes of mfa_security_keys."""

from __future__ import annotations

from pathlib import Path

import jinja2

TEMPLATE = Path(__file__).parents[2] / "roles/mfa/templates/etc/ssh/sshd_config.d/security_keys.j2"


def security_key_lines(version: tuple[int, int] = (9, 2), **settings) -> str:
    environment = jinja2.Environment(trim_blocks=True, keep_trailing_newline=True, autoescape=False)  # noqa: S701
    environment.tests["ansible.builtin.version"] = lambda text, other, _operator: _numbers(text) < _numbers(other)
    environment.filters["ternary"] = lambda value, one, other: one if value else other
    wanted = {"security_keys": [{"user": "carol", "keys": []}], "group": "mfa-enforced", **settings}
    template = environment.from_string(TEMPLATE.read_text())
    return template.render(mfa__set=wanted, mfa__sshd={"openssh_version": list(version)})


def _numbers(text: str) -> list[int]:
    return [int(number) for number in text.split(".")]
