# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""What `sync`, `status`, `audit` and a play through `ssh_totp` cost on ten hosts with many users, on lab hosts that are started for it.

Times mean little on a busy machine, so each is given as a multiple of `ansible -m ping` on the same hosts right before
it; those of `ssh_totp` as a multiple of the same play with core's ssh as a user who is not asked.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median

from commands import ROOT, against, compare, run, say

sys.path.insert(0, str(ROOT / ".ansible/collections"))

from ansible.parsing.vault import VaultSecret  # noqa: E402

from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._store.person import Proven  # noqa: E402
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._store.vault_file import VaultFile  # noqa: E402
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._store.vault_text import VaultText  # noqa: E402
from ansible_collections.fleetmfa.ssh.tests.support.people import START, key, person, secret  # noqa: E402

LAB = [sys.executable, "-m", "lab"]
INSTANCE = ["--instance", "fleetcost"]
INVENTORY = ROOT / ".lab" / "fleetcost" / "inventory.yml"
OPERATOR = "olivia"
PASSWORD = "a vault password"
# One home, with an SSH key, for all of them: nobody is enforced who could not pass the first factor.
ACCOUNTS = """
mkdir -p /srv/shared/.ssh
cp /home/olivia/.ssh/authorized_keys /srv/shared/.ssh/
chown -R root:root /srv/shared
chmod -R go=rX /srv/shared
grep -q ^more1: /etc/passwd || awk -v more=%d 'BEGIN { for (number = 1; number <= more; number++) {
    printf "more%%d:x:%%d:%%d::/srv/shared:/bin/bash\\n", number, 20000 + number, 20000 + number >> "/etc/passwd"
    printf "more%%d:x:%%d:\\n", number, 20000 + number >> "/etc/group"
} }'
echo 'olivia ALL=(ALL) NOPASSWD: ALL' > /etc/sudoers.d/olivia
"""
TEN_TASKS = (
    """
- hosts: all
  gather_facts: false
  tasks:
"""
    + 10 * "    - ansible.builtin.ping:\n"
)
NOT_SHARED = "-o ControlMaster=no"


def main() -> int:
    options = _options()
    hosts = [f"debian12-{number}" for number in range(1, options.hosts + 1)]
    run([*LAB, "up", *INSTANCE, "--hosts", f"debian12:{options.hosts}", "--users", OPERATOR])
    folder = Path(tempfile.mkdtemp())
    os.environ["ANSIBLE_FORKS"] = str(options.hosts)
    try:
        measure_sync(folder, hosts, options)
        if options.status_users:
            measure_status(folder, options)
        measure_audit(folder, options)
        measure_play(folder, options)
    finally:
        run([*LAB, "down", *INSTANCE])
        shutil.rmtree(folder)
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--hosts", type=int, default=10)
    parser.add_argument("--users", type=int, default=1000)
    parser.add_argument("--status-users", type=int, default=100)
    return parser.parse_args()


def measure_sync(folder: Path, hosts: list[str], options: argparse.Namespace) -> None:
    with ThreadPoolExecutor() as pool:
        list(pool.map(lambda host: on_host(host, ACCOUNTS % options.users), hosts))
    password = folder / "password"
    password.write_text(PASSWORD)
    file = folder / "store"
    names = [OPERATOR, *(f"more{number}" for number in range(1, options.users + 1))]
    people = [person(key(name, account=name, validated=Proven(START, hosts[0])), user=name) for name in names]
    VaultFile(str(file), VaultText([("default", VaultSecret(PASSWORD.encode()))])).merge_in({p.user: p for p in people})
    store = {
        "mfa_store": "vault_file",
        "mfa_store_path": str(file),
        "mfa_serial": "100%",
        "mfa_unknown_first_factor": "accept",
    }
    given = [*variables(folder / "store.json", store), "--vault-password-file", str(password)]
    first = run([*PLAY, *given, "fleetmfa.ssh.site"])
    what = f"{len(hosts)} hosts, {options.users} users"
    say(f"site, first run, {what}", first.tasks, f"{first.seconds:.1f} s")
    compare(f"sync, no news, {what}", [*PLAY, *given, "fleetmfa.ssh.sync"], PING, options.rounds, goal=8)


def measure_status(folder: Path, options: argparse.Namespace) -> None:
    """The users are counted by the hosts; the table has all of them."""
    users = ",".join(f"more{number}" for number in range(1, options.status_users + 1))
    given = variables(folder / "status.json", {"mfa_status_users": users})
    what = f"status of {options.status_users} users"
    more = compare(what, [*PLAY, *given, "fleetmfa.ssh.status"], PING, options.rounds)
    say(what, f"{median(more):.1f} s more than a ping", against(1, median(more), "s more"))


def measure_audit(folder: Path, options: argparse.Namespace) -> None:
    given = variables(folder / "audit.json", {"mfa_audit_dest": str(folder / "audit"), "mfa_audit_fail_on": "none"})
    what = f"audit of {options.hosts} hosts, {options.users} users"
    compare(what, [*PLAY, *given, "fleetmfa.ssh.audit"], PING, options.rounds)


def measure_play(folder: Path, options: argparse.Namespace) -> None:
    book = folder / "ten.yml"
    book.write_text(TEN_TASKS)
    own = {
        "ansible_connection": "fleetmfa.ssh.ssh_totp",
        "ansible_user": OPERATOR,
        "ansible_totp_secret": secret(OPERATOR),
    }
    for what, arguments, rounds in (("shared", None, options.rounds), ("not shared", NOT_SHARED, 1)):
        ssh = {} if arguments is None else {"ansible_ssh_args": arguments}
        core = [*PLAY, *variables(folder / "core.json", ssh), str(book)]
        totp = [*PLAY, *variables(folder / "totp.json", {**own, **ssh}), str(book)]
        wait_for_next_step()
        compare(
            f"ten tasks through ssh_totp, connections {what}", totp, core, rounds, goal=1.1, name="times core's ssh"
        )


def wait_for_next_step() -> None:
    time.sleep(30 - time.time() % 30)


def variables(path: Path, values: dict[str, object]) -> list[str]:
    path.write_text(json.dumps(values))
    path.chmod(0o600)
    return ["-e", f"@{path}"]


def on_host(host: str, script: str) -> None:
    command = [*LAB, "exec", *INSTANCE, host, "--", "sh", "-c", script]
    subprocess.run(command, check=True, capture_output=True, cwd=ROOT)


PLAY = ["ansible-playbook", "-i", str(INVENTORY)]
PING = ["ansible", "-i", str(INVENTORY), "all", "-m", "ansible.builtin.ping"]

if __name__ == "__main__":
    sys.exit(main())
