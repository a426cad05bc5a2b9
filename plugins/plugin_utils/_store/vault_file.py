# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""The key store in one file, encrypted with ansible-vault. Private to the collection.

A file is written beside the old one and renamed over it, so a reader needs no lock and a killed run leaves the old file.
Who changes it holds PATH.lock from reading to writing. Before each change the file is kept as PATH.backup, and as
PATH.backup-DATE before the first change of a day; both are links, which cost no time and no space of their own.
"""

from __future__ import annotations

import contextlib
import datetime
import os
import re
import secrets
from pathlib import Path
from typing import Callable, Iterable, Iterator, NamedTuple

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.files import (
    Version,
    identity,
    read_file,
    sync_folder,
    write_file,
)
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.lock import lock_within
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._controller import controller_name
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._store.head import head_from_record, head_record, new_head
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._store.people_lines import PeopleLines, dumped, loaded
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._store.person import Person
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._store.store import Store, StoreHead
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._store.vault_text import VaultText, vault_id_of

LOCK_SECONDS = 120  # a change of 100,000 people takes about two seconds, and a controller has as many of them as forks
DAYS_KEPT = 7  # backups of days on which something changed


class _Read(NamedTuple):
    """The file as it was read last."""

    version: Version | None
    vault_id: str | None
    head: StoreHead
    people: PeopleLines

    def render(self) -> bytes:
        """The head is the first line."""
        return dumped(head_record(self.head)) + self.people.render()


class VaultFile(Store):
    def __init__(self, path: str, vault: VaultText, lock_seconds: float = LOCK_SECONDS):
        if not os.path.isabs(path):
            raise FleetMfaError("mfa_store_path: must be an absolute path")
        self._path = path
        self._vault = vault
        self._lock_seconds = lock_seconds
        self._last: _Read | None = None

    @property
    def head(self) -> StoreHead:
        return self._now().head

    def read(self, users: Iterable[str] | None = None) -> dict[str, Person]:
        return self._now().people.read(None if users is None else list(users))

    def change(self, users: Iterable[str], change: Callable[[Person], Person]) -> list[str]:
        with self._lock():
            found = self._now()
            before = found.people.read(users := list(dict.fromkeys(users)))
            after = [change(before.get(user) or Person(user)) for user in users]
            changed = [person for person in after if person != before.get(person.user, Person(person.user))]
            if changed:
                self._last = None  # if writing fails, what was read has to be read again
                found.people.write(changed)
                self._write(found)
        return [person.user for person in changed]

    def _now(self) -> _Read:
        """The file, decrypted anew only if somebody has replaced it."""
        version = identity(self._path)
        if self._last is None or self._last.version != version:
            encrypted = read_file(self._path)
            if encrypted is None:
                self._refuse_lost()
                self._last = _Read(version, None, new_head(), PeopleLines(b"\n", self._path))
            else:
                text, vault_id = self._vault.decrypt(encrypted, self._path), vault_id_of(encrypted)
                del encrypted  # 200 MB with 100,000 people
                end = text.find(b"\n") if b"\n" in text else len(text)
                head = head_from_record(loaded(text[:end], f"{self._path}, line 1"), self._path)
                self._last = _Read(version, vault_id, head, PeopleLines(text[end:], self._path))
        return self._last

    def _refuse_lost(self) -> None:
        """A new store in place of a lost one would let hosts keep keys that nobody knows of any more."""
        backups = self._backups()
        if backups:
            raise FleetMfaError(
                f"{self._path} is gone, but {backups[-1].name} is there, so a key store was lost; put the backup "
                "back under its name, or move the backups away if a new store is what you want"
            )

    def _write(self, found: _Read) -> None:
        encrypted = self._vault.encrypt(found.render(), found.vault_id)
        if Path(self._path).exists():
            self._back_up()
        write_file(self._path, encrypted, 0o600, os.geteuid(), os.getegid())
        sync_folder(os.path.dirname(self._path))
        self._last = found._replace(version=identity(self._path), vault_id=vault_id_of(encrypted))

    # Backups

    def _back_up(self) -> None:
        today = datetime.date.today().isoformat()
        of_today = Path(f"{self._path}.backup-{today}")
        try:
            if not of_today.exists():
                self._link(of_today)
            self._link(Path(f"{self._path}.backup"))
            for outdated in self._backups_of_days()[:-DAYS_KEPT]:
                outdated.unlink()
        except OSError as error:
            raise FleetMfaError(
                f"{self._path}: nothing was changed, no backup can be made: {error.strerror}"
            ) from error

    def _link(self, backup: Path) -> None:
        temporary = f"{backup}.{secrets.token_hex(6)}.tmp"
        os.link(self._path, temporary)
        os.rename(temporary, backup)

    def _backups(self) -> list[Path]:
        """The latest last."""
        latest = Path(f"{self._path}.backup")
        return [*self._backups_of_days(), *([latest] if latest.exists() else [])]

    def _backups_of_days(self) -> list[Path]:
        path = Path(self._path)
        name = re.compile(re.escape(path.name) + r"\.backup-\d{4}-\d\d-\d\d")
        found = path.parent.iterdir() if path.parent.is_dir() else ()
        return sorted(one for one in found if name.fullmatch(one.name))

    # Lock

    @contextlib.contextmanager
    def _lock(self) -> Iterator[None]:
        descriptor = self._open_lock()
        try:
            if not lock_within(descriptor, self._lock_seconds):
                raise FleetMfaError(
                    f"{self._path} has been locked for more than {self._lock_seconds:.0f} s by another run "
                    f"({_holder(descriptor)}); wait for that run, or end it, and run again"
                )
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"process {os.getpid()} of {controller_name()}".encode(), 0)
            yield
        finally:
            os.close(descriptor)

    def _open_lock(self) -> int:
        try:
            Path(self._path).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            return os.open(f"{self._path}.lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise FleetMfaError(f"mfa_store_path: cannot lock {self._path}.lock: {error.strerror}") from error


def _holder(descriptor: int) -> str:
    return os.pread(descriptor, 200, 0).decode("utf-8", "replace") or "unknown"
