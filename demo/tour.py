# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""The logins that the demonstration shows on every host."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from demo.fleet import Fleet
from lab.logins import LoginResult, Server, client_options, login, run_client


@dataclass(frozen=True)
class Row:
    host: str
    account: str
    how: str
    expected: tuple[bool, bool]  # asked, let in
    login: LoginResult

    @property
    def as_expected(self) -> bool:
        return (self.login.asked, self.login.allowed) == self.expected


def tour(fleet: Fleet) -> list[Row]:
    """All hosts in parallel, the logins of one host one after another."""
    with ThreadPoolExecutor() as pool:
        return [row for rows in pool.map(lambda server: _tour(fleet, server), fleet.servers) for row in rows]


def _tour(fleet: Fleet, server: Server) -> list[Row]:
    token = fleet.fresh_token("alice")
    wrong = f"{(int(token) + 1) % 1_000_000:06d}"
    batch = ["ssh", *client_options(server), "-o", "BatchMode=yes"]
    asked_in, asked_out, unasked_in, unasked_out = (True, True), (True, False), (False, True), (False, False)
    return [
        Row(server.name, "alice (validated)", "key + token", asked_in, login(server, "alice", [token])),
        Row(server.name, "alice (validated)", "key + the same token again", asked_out, login(server, "alice", [token])),
        Row(server.name, "alice (validated)", "key + wrong token", asked_out, login(server, "alice", [wrong])),
        Row(
            server.name,
            "alice (validated)",
            "key alone (BatchMode)",
            unasked_out,
            run_client([*batch, f"alice@{server.address}", "true"]),
        ),
        Row(server.name, "bob (pending)", "key", unasked_in, login(server, "bob")),
        Row(
            server.name,
            "bob (pending)",
            "key alone (BatchMode)",
            unasked_in,
            run_client([*batch, f"bob@{server.address}", "true"]),
        ),
    ]
