# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""The host of token_host.py with logins of all kinds, and probes of it: alice is asked, bob is not, carol has no SSH key there."""

from __future__ import annotations

import json
import os
import subprocess
import threading
from pathlib import Path

import yaml

from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._login_probe.client_keys import key_of_file
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._login_probe.known_hosts import KnownHosts
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._login_probe.probe import Probe, Prober
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._ssh_totp.prompts import PromptRules, token_pattern
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._ssh_totp.token_key import TokenKey
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._ssh_totp.used_steps import StepsFolder
from ansible_collections.fleetmfa.ssh.tests.support.token_host import PERIOD, TokenHost

RULES = PromptRules(token_pattern("Verification code"), "assword")
SECONDS = 200  # sshd gives up before


class ProbedHost(TokenHost):
    def __init__(self, folder: Path):
        super().__init__(folder)
        Path("/etc/ssh_keys/bob").write_text(self.key.with_suffix(".pub").read_text())
        self.match("User bob", "AuthenticationMethods publickey")

    def match(self, who: str, *lines: str) -> None:
        """Comes before what is in the configuration."""
        text = (self.folder / "sshd_config").read_text()
        head, _match, rest = text.partition("Match ")
        block = "".join(f"    {line}\n" for line in lines)
        self.reload(f"{head}Match {who}\n{block}{_match}{rest}")

    def probe(self, user, expected, **given) -> Probe:
        given.setdefault("keys", (key_of_file(str(self.key)),))
        secret = given.pop("secret", None)
        key = TokenKey(secret, PERIOD) if secret else None
        always = {"address": "127.0.0.1", "port": self.port, "rules": RULES, "token_key": key}
        return Probe(host="web1", name=user, user=user, expected=expected, **{**always, **given})

    def prober(self, known: Path | None = None, seconds: float = SECONDS) -> Prober:
        return Prober(KnownHosts([str(known or self.known_hosts)]), StepsFolder(self.folder / "steps"), seconds)

    def row(self, user, expected, **given):
        return self.prober().row(self.probe(user, expected, **given))

    def play(self, probes, *arguments, ok=True, hosts=("web1",), variables=None, environment=None, **options):
        """Through ansible-playbook, as the task of a play; what it returned, and all that was printed."""
        told = self.folder / "told.json"
        told.unlink(missing_ok=True)
        options = {"probes": probes, "known_hosts": [str(self.known_hosts)], "login_timeout": SECONDS, **options}
        tasks = [
            {"fleetmfa.ssh.ssh_login_probe": options, "register": "told", "ignore_errors": True},
            {"ansible.builtin.copy": {"content": "{{ told | to_json }}", "dest": str(told)}, "check_mode": False},
            {"ansible.builtin.fail": {"msg": "as it was told"}, "when": "told is failed"},
        ]
        tasks[1].update({"delegate_to": "localhost", "vars": {"ansible_connection": "local"}})
        play = {"hosts": "all", "gather_facts": False, "tasks": [{**task, "run_once": True} for task in tasks]}
        (self.folder / "probe.yml").write_text(yaml.safe_dump([play]))
        common = {"ansible_host": "127.0.0.1", "ansible_port": self.port, "ansible_totp_period": PERIOD}
        common.update(ansible_totp_state_dir=str(self.folder / "steps"), **(variables or {}))
        inventory = {"all": {"hosts": dict.fromkeys(hosts), "vars": common}}
        (self.folder / "probed.yml").write_text(yaml.safe_dump(inventory))
        command = [
            "ansible-playbook",
            "-i",
            str(self.folder / "probed.yml"),
            *arguments,
            str(self.folder / "probe.yml"),
        ]
        given = {**os.environ, "ANSIBLE_NOCOLOR": "1", "ANSIBLE_HOME": str(self.folder / "home"), **(environment or {})}
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=given, cwd=self.folder)
        output = done.stdout + done.stderr
        assert (done.returncode == 0) is ok, output
        return json.loads(told.read_text()), output


def together(*calls):
    """The results of calls that run at the same time."""
    results = [None] * len(calls)

    def run(number):
        results[number] = calls[number]()

    threads = [threading.Thread(target=run, args=(number,)) for number in range(len(calls))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results
