# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""What a run costs on a converged host, with few users and with many, on a lab host that is started for it.

Times mean little on a busy machine, so each is given as a multiple of `ansible -m ping` on the same host right before
it. An SSH command is one round trip, counted in the output at -vvv (`SSH: EXEC`, and `PUT` for a file that is copied);
pipelining is on, so most modules take one. Users are real accounts: lines in the host's /etc/passwd and /etc/group.
"""

from __future__ import annotations

import argparse
import json
import sys
from statistics import median

import yaml
from commands import ROOT, against, compare, compare_processor, run, say

LAB = [sys.executable, "-m", "lab"]
INSTANCE = ["--instance", "cost"]
INVENTORY = ROOT / ".lab" / "cost" / "inventory.yml"
SITE = ["ansible-playbook", "-i", str(INVENTORY), "fleetmfa.ssh.site"]
ADHOC = ["ansible", "-i", str(INVENTORY), "all", "--become", "-m"]
PING = [*ADHOC, "ansible.builtin.ping"]
POLICY = [*ADHOC, "fleetmfa.ssh.sshd_policy_info"]
AUDIT = [*ADHOC, "fleetmfa.ssh.host_audit_info"]
# One host under many names: the controller works for each, while the host has no more to do at a time than there are forks.
NAMES = 16
MANY = INVENTORY.with_name("many.yml")


def main() -> int:
    options = _options()
    run([*LAB, "up", *INSTANCE, "--hosts", "debian12", "--users", "alice"])
    try:
        for users in (1, *options.site_users):
            set_users(users)
            first = run(SITE)
            ping = median(run(PING).seconds for _round in range(options.rounds))
            say(
                f"site, first run with {users} users",
                first.tasks,
                f"{first.seconds:.1f} s, {first.seconds / ping:.1f} pings",
                against(8, first.seconds / ping, "pings") if users == 1000 else "",
            )
            compare(f"site, converged, {users} users", SITE, PING, options.rounds, goal=4 if users == 1 else 5)
            if users == 1:
                measure_controller(options.rounds)
        for users in options.policy_users:
            set_users(users)
            calls = json.loads(run(POLICY).output.partition("=>")[2])["sshd_calls"]
            compare(f"sshd_policy_info, {users} users, {calls} sshd calls", POLICY, PING, options.rounds)
            goal = 5 if users == 10_000 else None
            compare(f"host_audit_info, {users} users", AUDIT, PING, options.rounds, goal=goal)
    finally:
        run([*LAB, "down", *INSTANCE])
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--site-users", type=int, nargs="*", default=[1000, 10000])
    parser.add_argument("--policy-users", type=int, nargs="*", default=[10, 1000, 10000])
    return parser.parse_args()


def measure_controller(rounds: int) -> None:
    values = yaml.safe_load(INVENTORY.read_text())
    (host,) = values["all"]["hosts"].values()
    values["all"]["hosts"] = {f"name{number}": host for number in range(1, NAMES + 1)}
    MANY.write_text(yaml.safe_dump(values))
    site = ["ansible-playbook", "-i", str(MANY), "-e", "mfa_serial=100%", "fleetmfa.ssh.site"]
    ping = ["ansible", "-i", str(MANY), "all", "--become", "-m", "ansible.builtin.ping"]
    compare_processor(f"site, converged, {NAMES} hosts", site, ping, rounds, goal=4)


def set_users(count: int) -> None:
    """alice and as many more accounts, each in a group of its own, as useradd makes them."""
    on_host(f"sed -i '/^more[0-9]*:/d' /etc/passwd /etc/group; awk -v more={count - 1} '{_ADD}'")


_ADD = """BEGIN {
    for (number = 1; number <= more; number++) {
        printf "more%d:x:%d:%d::/home/more%d:/bin/bash\\n", number, 20000 + number, 20000 + number, number >> "/etc/passwd"
        printf "more%d:x:%d:\\n", number, 20000 + number >> "/etc/group"
    }
}"""


def on_host(script: str) -> None:
    run([*LAB, "exec", *INSTANCE, "debian12", "--", "sh", "-c", script])


if __name__ == "__main__":
    sys.exit(main())
