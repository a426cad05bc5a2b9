# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Several hosts with key files of their own and one key store; the modules about keys run on each host."""

from __future__ import annotations

import grp
import json
import time

from ansible.parsing.vault import VaultSecret

from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.sealed import new_seal, unsealed
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.second_keys import SecondKeys
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.state_dir import StateDir
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.totp import token_at
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._store import lifecycle
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._store.handout import handout
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._store.ingest import ingest, taken_in
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._store.person import PersonKey
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._store.vault_file import VaultFile
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._store.vault_text import VaultText
from ansible_collections.fleetmfa.ssh.tests.support.people import CODES, secret

HOSTS = ("web1", "web2")
NOW = int(time.time())
DAY = 86400
BY = lifecycle.By(NOW, "operator@controller", "lost phone")


class FleetHost:
    """A host of the fleet: key files and enforced group of its own; the accounts are the same everywhere."""

    def __init__(self, name, host, folder):
        self.name, self._host = name, host
        self.state_dir = StateDir(str(folder / name))
        self.group = f"mfa-{name}"

    def run(self, module, ok=True, **options):
        found = self._host._run_module(
            module,
            **{
                "state_dir": self.state_dir.path,
                "group": self.group,
                "exempt_users": [],
                "exempt_groups": [],
                **options,
            },
        )
        assert bool(found.get("failed")) != ok, found
        return found

    def totp_key(self, *keys, **options):
        return self.run("totp_key", keys=list(keys), other_members="report", unknown_first_factor="accept", **options)

    def make_validated(self, user, name, codes=CODES):
        self.totp_key({"user": user, "secret": secret(name), "state": "validated", "recovery_codes": list(codes)})

    @property
    def members(self):
        try:
            return set(grp.getgrnam(self.group).gr_mem)
        except KeyError:
            return set()

    def has(self, user, name):
        """Whether the user's validated key is the one of this name."""
        found = self.state_dir.validated(user)
        return found is not None and found.secret_text == secret(name)

    def change(self, user, change):
        """As the PAM module does at a login."""
        self.state_dir.converge_validated(user, change)


class Fleet:
    def __init__(self, host, folder):
        self.hosts = {name: FleetHost(name, host, folder) for name in HOSTS}
        vault = VaultText([("default", VaultSecret(b"a vault password"))])
        self.store = VaultFile(str(folder / "store.yml"), vault)

    def collect(self, name, **options):
        seal = new_seal()
        found = self.hosts[name].run("totp_key_collect", **{"human_accounts": True, "seal": seal, **options})
        assert not found["changed"] and secret("one") not in json.dumps(found)
        keys = json.loads(unsealed(seal, found["sealed"]))
        known = self.store.read([one["user"] for one in keys])
        taken = ingest(keys, {one["user"]: one["user"] for one in keys}, name, known)
        self.store.change(taken.people, lambda person: taken_in(person, taken.people[person.user]))
        return taken.findings

    def distribute(self, name, ok=True, **options):
        people = [handout(one, one.user) for one in self.store.read().values()]
        options = {"unknown_first_factor": "accept", "diff_mode": True, **options}
        return self.hosts[name].run(
            "totp_key_distribute", ok, handout="", _stored={"store": self.store.head.id, "people": people}, **options
        )

    def sync(self):
        findings = [one.id for name in self.hosts for one in self.collect(name)]
        results = [self.distribute(name) for name in self.hosts]
        return findings, results


class Decisions(Fleet):
    """A fleet of two hosts, whose operator decides."""

    def revoke(self, user="alice"):
        return self.store.change([user], lambda person: lifecycle.revoked(person, BY))

    def new_key(self, name="new", until=0, again=False, user="alice"):
        key = PersonKey(secret(name), issuer="SSH", account=user, codes=frozenset(["44444444"]))
        return self.store.change([user], lambda person: lifecycle.with_new_key(person, key, until, again, BY))

    def code(self, code="77777777", until=NOW + 3600):
        return self.store.change(["alice"], lambda person: lifecycle.with_help_desk_code(person, code, until, BY))

    def rotate(self, days=1, now=NOW + 10 * DAY):
        rotation = lifecycle.Rotation(days, now, "operator@controller")
        return self.store.change(["alice"], rotation.applied)

    @property
    def alice(self):
        return self.store.read()["alice"]

    def validate(self, name, user="alice", **device):
        """Two tokens of the user's pending key on this host; `device` names a second one."""
        state_dir = self.hosts[name].state_dir
        key = (SecondKeys(state_dir) if device else state_dir).pending(user)
        step = int(time.time()) // 30
        tokens = [token_at(key.secret, step - 1), token_at(key.secret, step)]
        validations = [{"user": user, "tokens": tokens, **device}]
        return self.hosts[name].run("totp_validate", validations=validations, unknown_first_factor="accept")
