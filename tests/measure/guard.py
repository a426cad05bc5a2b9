# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""What the exactly-once guard costs a login over SSH: logins with and without its PAM lines in turns, on lab hosts.

A pair meets the same load, so the figure is the median of the differences of pairs. Run it on a quiet machine.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from statistics import quantiles

import pyotp

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from lab.logins import Server, login, servers  # noqa: E402 (needs the path)

LAB = [sys.executable, "-m", "lab"]
INSTANCE = ["--instance", "guard"]
INVENTORY = ROOT / ".lab" / "guard" / "inventory.yml"
SECRET = "V2CWBV6WRH7X3SVQGO5ZEHFGGJ7KXQ5T"  # noqa: S105 (of a lab host)
KEY = "/var/lib/fleetmfa/keys/alice"
VARIABLES = {
    "mfa_keys": [{"user": "alice", "secret": SECRET, "state": "validated"}],
    "mfa_rate_limit_attempts": 100,
    "mfa_enrollment": False,
}
# Both shapes of the PAM service and the key as it is before a login lie in /root.
PREPARE = f"""
service=$(grep -l totp-guard /etc/pam.d/*)
echo "$service" > /root/service
cp -p {KEY} /root/key
cp -p "$service" /root/with
sed /totp-guard/d "$service" > /root/without
"""
BEFORE_A_LOGIN = f"""
cp -p /root/key {KEY}
rm -f /var/lib/fleetmfa/guard/alice
cp /root/%s "$(cat /root/service)"
"""


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--hosts", default="debian11 debian12 debian13")
    options.add_argument("--pairs", type=int, default=40)
    chosen = options.parse_args()
    run([*LAB, "up", *INSTANCE, "--hosts", chosen.hosts, "--users", "alice"])
    try:
        site = ["ansible-playbook", "-i", str(INVENTORY), "fleetmfa.ssh.site", "-e", json.dumps(VARIABLES)]
        run(site)
        for server in servers(INVENTORY):
            on_host(server, PREPARE)
            differences = [pair(server, number) for number in range(chosen.pairs)]
            tenths = quantiles(differences, n=10)
            sys.stdout.write(
                f"{server.name} | {chosen.pairs} pairs | median {tenths[4] * 1000:.1f} ms | "
                f"p10 {tenths[0] * 1000:.1f} | p90 {tenths[8] * 1000:.1f} | load {os.getloadavg()[0]:.1f}\n"
            )
            sys.stdout.flush()
    finally:
        run([*LAB, "down", *INSTANCE])
    return 0


def pair(server: Server, number: int) -> float:
    """Seconds that the login with the guard took longer; which of the two comes first changes from pair to pair."""
    took = {}
    for shape in ("with", "without") if number % 2 else ("without", "with"):
        on_host(server, BEFORE_A_LOGIN % shape)
        token = pyotp.TOTP(SECRET).now()
        started = time.monotonic()
        attempt = login(server, "alice", [token])
        took[shape] = time.monotonic() - started
        if not (attempt.allowed and attempt.asked):
            raise SystemExit(f"{server.name}: the login {shape} the guard failed: {attempt}")
    return took["with"] - took["without"]


def on_host(server: Server, script: str) -> None:
    run([*LAB, "exec", *INSTANCE, server.name, "--", "sh", "-c", script])


def run(command: list[str]) -> None:
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, cwd=ROOT, check=False)
    if done.returncode:
        raise SystemExit(f"failed: {' '.join(command)}\n{done.stdout}{done.stderr}")


if __name__ == "__main__":
    sys.exit(main())
