# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""`make demo`: SSH hosts, the collection's own playbooks, and a table of real logins."""

from __future__ import annotations

import sys
import time
from pathlib import Path

from demo.fleet import FOLDER, Fleet
from demo.table import print_table
from demo.tour import tour
from lab.console import say


def main(arguments: list[str]) -> int:
    if arguments[:1] == ["token"]:
        print(Fleet.load().fresh_token(arguments[1]))
        return 0
    started = time.monotonic()
    fleet = Fleet.start(" ".join(arguments))
    say("fleetmfa.ssh.site: put the second factor into PAM and sshd")
    fleet.playbook("fleetmfa.ssh.site", "-e", "mfa_serial=100%")
    say("fleetmfa.ssh.validate: two tokens prove the key of alice; bob's stays pending")
    fleet.validate("alice")
    rows = tour(fleet)
    print_table(rows)
    wrong = [row for row in rows if not row.as_expected]
    say(f"{len(rows)} logins in {time.monotonic() - started:.0f} s, {len(wrong)} not as they should be")
    print(_LOOK_ROUND.format(folder=Path(FOLDER).relative_to(Path.cwd()), host=fleet.servers[0].name))
    return 1 if wrong or not rows else 0


_LOOK_ROUND = """
Look round:
  ssh -F {folder}/ssh_config alice@{host}              asked for a token ...
  .venv/bin/python -m demo token alice                     ... which this prints
  ssh -F {folder}/ssh_config bob@{host}                not asked; offered enrollment
  python3 -m lab exec --instance demo {host} -- bash   a root shell, to see what lies on the host
  make demo-down                                           remove the hosts
  ANSIBLE_COLLECTIONS_PATH=.ansible/collections .venv/bin/ansible-playbook -i {folder}/inventory.yml \\
    -e @{folder}/keys.yml fleetmfa.ssh.site --check --diff   what a second run would change: nothing
"""

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
