# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""The key store in the KV version 2 engine of HashiCorp Vault or OpenBao. Private to the collection.

PATH/head is the record about the store, PATH/people-00 to PATH/people-ff are the people, by a hash of the name: a change
writes one entry, and with 100,000 people an entry has about 200 kB (the server's limit is 1 MB with integrated storage,
512 kB with Consul). The people are one text: OpenBao accepts at most 1,000 texts in a request.

Every write names the version that it replaces (check-and-set), so the server refuses it if another controller was faster,
and we begin again with what that one has written. The engine keeps older versions: the backup.
"""

from __future__ import annotations

import contextlib
import hashlib
import random
import time
from typing import Any, Callable, Iterable, NamedTuple

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._store.hashi_login import explained, log_in
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._store.hashi_options import VaultLogin
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._store.head import head_from_record, head_record, new_head
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._store.people_lines import PeopleLines
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._store.person import Person
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._store.store import Store, StoreHead

with contextlib.suppress(ImportError):  # log_in says what to do
    from hvac import exceptions

_PEOPLE = "people"  # the name of the text in an entry
_ATTEMPTS = 50  # somebody succeeds in each round, so this many controllers may write one entry at the same moment
_PAUSE = 0.2  # seconds at most between them


class _Entry(NamedTuple):
    """An entry as it was read; version 0 is one that was never written."""

    data: dict[str, Any] | None
    version: int


class HashiVault(Store):
    def __init__(self, path: str, login: VaultLogin):
        self._path = path.strip("/")
        self._url = login.url
        self._mount = login.engine_mount_point
        self._kv = log_in(login).secrets.kv.v2
        self._new_head = new_head()

    @property
    def head(self) -> StoreHead:
        found = self._read("head").data
        return self._new_head if found is None else head_from_record(found, self._named("head"))

    def read(self, users: Iterable[str] | None = None) -> dict[str, Person]:
        if users is None:
            entries: dict[str, list[str] | None] = dict.fromkeys(self._entries())
        else:
            entries = {**_by_entry(users)}
        found: dict[str, Person] = {}
        for entry, names in entries.items():
            found.update(self._people(entry, self._read(entry)).read(names))
        return found

    def change(self, users: Iterable[str], change: Callable[[Person], Person]) -> list[str]:
        changed: list[str] = []
        for entry, names in _by_entry(users).items():
            changed += self._change_entry(entry, names, change)
        return changed

    def _change_entry(self, entry: str, names: list[str], change: Callable[[Person], Person]) -> list[str]:
        for _attempt in range(_ATTEMPTS):
            found = self._read(entry)
            people = self._people(entry, found)
            before = people.read(names)
            after = {name: change(before.get(name) or Person(name)) for name in names}
            changed = [one for name, one in after.items() if one != before.get(name, Person(name))]
            if not changed:
                return []
            self._make_head()
            people.write(changed)
            if self._write(entry, {_PEOPLE: people.render().decode()}, found.version):
                return [one.user for one in changed]
            time.sleep(random.uniform(0, _PAUSE))  # noqa: S311
        raise FleetMfaError(
            f"{self._named(entry)} was changed by other controllers {_ATTEMPTS} times while this one tried; run again"
        )

    def _make_head(self) -> None:
        if self._read("head").data is None:
            self._write("head", head_record(self._new_head), 0)  # if another controller is faster, its head counts

    def _people(self, entry: str, found: _Entry) -> PeopleLines:
        text = (found.data or {}).get(_PEOPLE, "\n")
        if not isinstance(text, str) or not text.startswith("\n"):
            raise FleetMfaError(
                f"{self._named(entry)} is not a part of a key store; go back to an earlier version of it"
            )
        return PeopleLines(text.encode(), self._named(entry))

    # Requests

    def _named(self, entry: str) -> str:
        return f"{self._mount}/{self._path}/{entry} of the Vault server at {self._url}"

    def _read(self, entry: str) -> _Entry:
        with explained(self._url, f"{self._mount}/{self._path}/{entry}"):
            try:
                answer = self._kv.read_secret_version(
                    path=f"{self._path}/{entry}", mount_point=self._mount, raise_on_deleted_version=False
                )["data"]
            except exceptions.InvalidPath as error:
                if error.errors:  # an empty list: there is no such entry; a text: there is no such engine
                    raise
                return _Entry(None, 0)
        if answer["data"] is None:
            raise FleetMfaError(
                f"{self._named(entry)} was deleted; undelete it (bao kv undelete, vault kv undelete), or remove its "
                "metadata if the people in it are to be forgotten"
            )
        return _Entry(answer["data"], answer["metadata"]["version"])

    def _write(self, entry: str, data: dict[str, Any], replaced: int) -> bool:
        """Returns false if somebody else has written the entry since version `replaced`."""
        with explained(self._url, f"{self._mount}/{self._path}/{entry}"):
            try:
                self._kv.create_or_update_secret(
                    path=f"{self._path}/{entry}", secret=data, cas=replaced, mount_point=self._mount
                )
            except exceptions.InvalidRequest as error:
                if "check-and-set" not in str(error):
                    raise
                return False
            except exceptions.VaultError as error:
                if "too large" not in str(error):
                    raise
                size = sum(len(str(value)) for value in data.values())
                raise FleetMfaError(
                    f"{self._named(entry)} would have {size} bytes, more than the server stores in one entry; raise its "
                    "limit (max_entry_size of raft); nothing was changed by this request"
                ) from None
        return True

    def _entries(self) -> list[str]:
        with explained(self._url, f"the list of {self._mount}/{self._path}"):
            try:
                found = self._kv.list_secrets(path=self._path, mount_point=self._mount)["data"]["keys"]
            except exceptions.InvalidPath as error:
                if error.errors:
                    raise
                return []
        return [name for name in found if name.startswith("people-")]


def _by_entry(users: Iterable[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for user in dict.fromkeys(users):
        found.setdefault(f"people-{hashlib.sha256(user.encode()).hexdigest()[:2]}", []).append(user)
    return found
