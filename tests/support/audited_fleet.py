# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Evidence as host_audit_info returns it, of a made-up fleet of any size; the same for the same seed."""

from __future__ import annotations

import datetime
import random
from typing import Any

from ansible_collections.fleetmfa.ssh.plugins.module_utils._findings import CATALOGUE
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._audit.document import Run, audit_document, sealed
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._audit.evidence import host_audit
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._audit.fleet import RunTimes
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._audit.logins import read_logins
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._login_probe.row import ProbeRow, ProbeStep

NOW = 1_795_790_000
SYSTEMS = (("Debian", "11", "8.4", "1.08"), ("Debian", "12", "9.2", "1.08"), ("Debian", "13", "10.0", "1.11"))
WAYS = [["publickey", "keyboard-interactive:pam"]]


def at(seconds: float) -> str:
    return datetime.datetime.fromtimestamp(NOW + seconds, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def user(name: str, state: str = "enforced", **fields: Any) -> dict[str, Any]:
    known = state != "none"
    return {
        "user": name,
        "uid": 1000,
        "human": True,
        "admin": [],
        "state": state,
        "since": at(-90 * 86400) if known else None,
        "last_login": at(-3600) if state == "enforced" else None,
        "recovery_codes": 5 if known else None,
        "deadline": at(7 * 86400) if state == "pending" else None,
        "overdue": False,
        "devices": 1 if known else 0,
        "can_log_in": None,
        "used_tokens": [],
        **fields,
    }


def finding(name: str, *evidence: str) -> dict[str, Any]:
    severity, remedy = CATALOGUE[name]
    return {"id": name, "severity": severity, "message": name, "evidence": list(evidence), "remedy": remedy}


def event(kind: str, name: str | None = "alice", address: str = "192.0.2.7", count: int = 1) -> dict[str, Any]:
    return {"event": kind, "user": name, "address": address, "count": count, "first": at(-86400), "last": at(-3600)}


def door(name: str, state: str = "covered", reason: str | None = None, kind: str = "pam_service") -> dict[str, Any]:
    return {
        "name": name,
        "kind": kind,
        "where": [f"/etc/pam.d/{name}"],
        "program": None,
        "state": state,
        "reason": reason,
    }


def sshd_class(examples: list[str], enforced: bool = True, verdict: str = "asked", users: int = 1) -> dict[str, Any]:
    steps = [
        {"method": "publickey", "prompt": "", "answer": "an SSH key", "line": "", "effect": "sshd accepts the key"}
    ]
    return {
        "users": users,
        "examples": examples,
        "groups": ["mfa-enforced"] if enforced else [],
        "enforced": enforced,
        "methods": ["keyboard-interactive", "publickey"],
        "needs": WAYS if enforced else [["publickey"]],
        "verdict": verdict,
        "counterexample": steps if verdict == "can_bypass" else [],
        "reason": "no way in" if verdict == "locked_out" else "",
    }


def exemption(name: str, until: str | None = None, **fields: Any) -> dict[str, Any]:
    given = {"kind": "user", "reason": "automation", "approved_by": "ciso", "ended": False, "kept": []}
    return {**given, "name": name, "until": until, **fields}


def evidence(**fields: Any) -> dict[str, Any]:
    """Of a host with alice, who is enforced, and nothing to find."""
    return {
        "schema": 1,
        "collected": at(0),
        "seconds": 1.25,
        "system": {"distribution": "Debian", "version": "12", "kernel": "6.1.0-28-amd64", "hostname": "web1"},
        "versions": {"openssh": "9.2", "pam": "1.5.2", "pam_google_authenticator": "1.08", "python": "3.11.2"},
        "mfa": {
            "managed": True,
            "group": "mfa-enforced",
            "state_dir": "/var/lib/fleetmfa",
            "enrollment": {"start": "2026-11-01", "days": 14, "overdue": "allow"},
        },
        "exemptions": [exemption("deploy")],
        "sshd": {"classes": [sshd_class(["alice"])], "baseline": {"usepam": "yes"}, "version": [9, 2]},
        "doors": [door("sshd", kind="sshd"), door("login", "not_reachable", "no listener")],
        "users": [user("alice", admin=["sudo"])],
        "clock": {"time": float(NOW), "synchronized": True, "service": "systemd-timesyncd", "tolerance": 30},
        "logs": {"days": 30, "source": "journal", "truncated": False, "events": [event("accepted", count=21)]},
        "drift": [],
        "findings": [],
        **fields,
    }


def document(results: dict[str, Any], waivers=(), logins=(), **run: Any) -> dict[str, Any]:
    """Of what was registered on each host, and of rows of ssh_login_probe."""
    hosts = [host_audit(host, result) for host, result in results.items()]
    return sealed(audit_document(audit_run(**run), hosts, waivers, read_logins([*logins])))


def login_row(user: str, expected: str, result: str, host: str = "web1", reason: str = "") -> dict[str, Any]:
    steps = [
        ProbeStep("none", "offered", ["publickey"], []),
        ProbeStep("publickey", "partial", ["keyboard-interactive"], []),
        ProbeStep("keyboard-interactive", "stopped", [], ["Verification code: "]),
    ]
    return ProbeRow(host, user, expected, result, reason, steps, 0.4).as_dict()


def audit_run(start: float = NOW - 5, end: float = NOW + 5, **parameters: Any) -> Run:
    given = {
        "log_days": 30,
        "fail_on": "high",
        "formats": ["html"],
        "waivers": "",
        "sign_key": "",
        "compare": "",
        **parameters,
    }
    return Run("0.2.0", "2.19.0", "auditor@controller", RunTimes(start, end), given)


# A fleet


def fleet(hosts: int, users: int, seed: int = 1, away: int = 0) -> dict[str, Any]:
    """What is registered on `hosts` hosts, the last `away` of which were not reached; most is well, and some is not."""
    chance = random.Random(seed)
    people = [f"user{number}" for number in range(1, users + 1)]
    states = {name: chance.choices(("enforced", "pending", "none"), (90, 8, 2))[0] for name in people}
    admins = set(chance.sample(people, max(1, users // 50)))
    names = [f"web{number}" for number in range(1, hosts + 1)]
    results: dict[str, Any] = {name: {"evidence": _host(chance, name, states, admins)} for name in names}
    for name in names[hosts - away :] if away else []:
        results[name] = {"unreachable": True, "msg": "Connection timed out during banner exchange"}
    return results


def _host(chance: random.Random, name: str, states: dict[str, str], admins: set[str]) -> dict[str, Any]:
    distribution, version, openssh, module = chance.choice(SYSTEMS)
    accounts = [user("root", "exempt", uid=0, human=False, admin=["uid 0"]), user("deploy", "exempt", uid=999)]
    for number, (one, state) in enumerate(states.items()):
        state = chance.choices((state, "pending"), (999, 1))[0]
        late = state == "pending" and chance.random() < 0.1
        admin = ["sudo"] if one in admins else []
        accounts.append(user(one, state, uid=1000 + number, admin=admin, overdue=late))
    enforced = [one["user"] for one in accounts if one["state"] == "enforced"]
    others = [one["user"] for one in accounts if one["state"] != "enforced"]
    events = [event("accepted", one, count=chance.randint(1, 40)) for one in enforced[:20]]
    return evidence(
        seconds=round(chance.uniform(0.5, 4), 2),
        system={"distribution": distribution, "version": version, "kernel": "6.1.0-28-amd64", "hostname": name},
        versions={"openssh": openssh, "pam": "1.5.2", "pam_google_authenticator": module, "python": "3.11.2"},
        sshd={
            "classes": [
                sshd_class(enforced[:5], users=len(enforced)),
                sshd_class(others[:5], enforced=False, verdict="not_asked", users=len(others)),
            ],
            "baseline": {"usepam": "yes"},
            "version": [int(part) for part in openssh.split(".")],
        },
        doors=[
            door("sshd", kind="sshd"),
            door("login", "not_covered", "a console asks for the password alone"),
            door("su", "not_reachable", "no login from the network"),
            door("cockpit", "not_judged", "an unknown program listens on port 9090", kind="listener"),
        ],
        users=accounts,
        logs={
            "days": 30,
            "source": "journal",
            "truncated": False,
            "events": [*events, event("refused", None, count=3)],
        },
        findings=_faults(chance, enforced),
    )


def _faults(chance: random.Random, enforced: list[str]) -> list[dict[str, Any]]:
    some = chance.choice(enforced or ["root"])
    possible = [
        finding("sshd_policy_shadowed", f"/etc/ssh/sshd_config.d/00-a.conf:2 (below `Match User {some}`, line 1)"),
        finding("key_weak", f"/var/lib/fleetmfa/keys/{some}: no DISALLOW_REUSE"),
        finding("sshd_not_reloaded", "/etc/ssh/sshd_config.d/00-fleetmfa.conf is newer than /run/sshd.pid"),
        finding("validated_not_member", f"{some}: has a validated key and is not enforced"),
    ]
    return [one for one in possible if chance.random() < 0.08]
