# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Several hosts that are one machine, each with key files and an enforced group of its own, and playbooks on them."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import yaml
from ansible.parsing.vault import VaultSecret

from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.ids import code_id
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.key_file import KeyFile, KeySettings
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.second_keys import SecondKeys
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.state_dir import StateDir
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.totp import decode_secret
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._role_settings import OF_PLAYBOOKS
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._store.vault_file import VaultFile
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._store.vault_text import VaultText
from ansible_collections.fleetmfa.ssh.tests.support.people import CODES, START, secret

ROOT = Path(__file__).parents[2]
PASSWORD = "a vault password"
# A callback of the run: what it is told of each task, and each decryption, is a line of a file. Both are the controller's.
_RECORDER = """
import json
from ansible.parsing.vault import VaultAES256
from ansible.plugins.callback import CallbackBase

DOCUMENTATION = "name: recorder\\ntype: aggregate\\nshort_description: records\\ndescription: [records]\\n"
decrypt = VaultAES256.decrypt

def note(**what):
    with open({path!r}, "a") as lines:
        lines.write(json.dumps(what, default=repr) + "\\n")

def noted(*arguments, **options):
    note(decrypted=True)
    return decrypt(*arguments, **options)

VaultAES256.decrypt = staticmethod(noted)

class CallbackModule(CallbackBase):
    CALLBACK_TYPE, CALLBACK_NAME, CALLBACK_NEEDS_ENABLED = "aggregate", "recorder", False

    def v2_runner_on_ok(self, result):
        note(task=result._task.get_name(), host=result._host.get_name(), told=result._result, args=result._task.args)

    def v2_runner_on_failed(self, result, ignore_errors=False):
        self.v2_runner_on_ok(result)
"""


class Preparation:
    """The first state of a fleet, which takes long to make: made for the first test of a module, copied for the others."""

    _ACCOUNTS = (Path("/etc/group"), Path("/etc/gshadow"))

    def __init__(self, folder):
        self._made = folder / "made"

    def of(self, fleet, make):
        if self._made.exists():
            shutil.copytree(self._made / "fleet", fleet.folder, symlinks=True, dirs_exist_ok=True)
            for path in self._ACCOUNTS:
                path.write_bytes((self._made / path.name).read_bytes())
        else:
            make(fleet)
            shutil.copytree(
                fleet.folder, self._made / "fleet", symlinks=True, ignore=lambda folder, names: {"etc"} & {*names}
            )
            for path in self._ACCOUNTS:
                shutil.copy2(path, self._made)
        return fleet


class LocalFleet:
    def __init__(self, folder, names=("web1", "web2")):
        self.folder = folder
        self.names = names
        self.state = {name: StateDir(str(folder / name)) for name in names}
        self.password = folder / "password"
        self.password.write_text(PASSWORD)
        self.variables = {
            "ansible_connection": "local",
            "ansible_python_interpreter": sys.executable,
            "ansible_become": False,
            "mfa_store": "vault_file",
            "mfa_store_path": str(folder / "store.yml"),
            "mfa_unknown_first_factor": "accept",
        }

    @property
    def store(self):
        return VaultFile(str(self.folder / "store.yml"), VaultText([("default", VaultSecret(PASSWORD.encode()))]))

    def validated(self, host, user, name):
        key = KeyFile.create(secret(name), KeySettings(), "SSH", user, CODES, START)
        self.state[host].prepare()
        self.state[host].save_pending(user, key)
        self.state[host].promote(user, key)

    def validated_second(self, host, user, device, name):
        key = KeyFile.create(secret(name), KeySettings(), "SSH", user, [], START).with_meta(device=device)
        second = SecondKeys(self.state[host])
        second.prepare()
        second.save_pending(user, key)
        second.promote(user, key)

    def sync(self, *options, **how):
        return self.play("fleetmfa.ssh.sync", *options, **how)

    def play(self, book, *options, ok=True, vault=True, of_hosts=None, run=subprocess.run, **variables):
        """The output of a playbook; `of_hosts` are variables of single hosts, and `run` runs the command."""
        prompted = {name: variables.pop(name) for name in OF_PLAYBOOKS if name in variables}
        # A variable of the role, which comes before hosts'.
        command = ["ansible-playbook", "-i", self._inventory(of_hosts or {}, variables), *options]
        command += ["-e", json.dumps({"mfa__state_dir": "{{ state }}", **prompted})]
        command += ["--vault-password-file", str(self.password)] if vault else []
        environment = {**os.environ, "ANSIBLE_NOCOLOR": "1", "ANSIBLE_CALLBACK_PLUGINS": self._recorder()}
        done = run(
            [*command, book], cwd=ROOT, capture_output=True, text=True, check=False, env=environment,
            start_new_session=True,
        )  # fmt: skip
        output = done.stdout + done.stderr
        assert (done.returncode == 0) is ok, output
        self._refuse_secrets(output + self._records.read_text())
        return output

    def _inventory(self, of_hosts, variables):
        hosts = {
            name: {"state": state.path, "mfa_group": f"mfa-{name}", **of_hosts.get(name, {})}
            for name, state in self.state.items()
        }
        path = self.folder / "inventory.yml"
        path.write_text(yaml.safe_dump({"all": {"hosts": hosts, "vars": {**self.variables, **variables}}}))
        return str(path)

    @property
    def _records(self):
        return self.folder / "records"

    def _recorder(self):
        folder = self.folder / "callbacks"
        folder.mkdir(exist_ok=True)
        self._records.write_text("")
        (folder / "recorder.py").write_text(_RECORDER.replace("{path!r}", repr(str(self._records))))
        return str(folder)

    @property
    def records(self):
        """What the callback was told in the last run."""
        return [json.loads(line) for line in self._records.read_text().splitlines()]

    @property
    def decryptions(self):
        """How often the last run has decrypted a key store."""
        return sum("decrypted" in one for one in self.records)

    @staticmethod
    def failed(output):
        """The hosts that failed."""
        return set(re.findall(r"^(\S+) +: .*(?:failed|unreachable)=[1-9]", output, re.MULTILINE))

    @staticmethod
    def _refuse_secrets(output):
        for name in ("one", "two"):
            assert secret(name) not in output
            assert code_id(decode_secret(secret(name)), CODES[0]) not in output
        assert not any(code in output for code in CODES) and PASSWORD not in output
