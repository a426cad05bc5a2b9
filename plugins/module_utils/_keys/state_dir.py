# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""The state directory of a host: who has which key. Private to the collection.

`keys/USER` is a validated key, `pending/USER` one that is not proven yet; both may exist (a rotation). Programs that
change keys hold the lock, but the PAM module rewrites files in `keys/` at logins without it; see `converge_validated`.
"""

from __future__ import annotations

import contextlib
import functools
import os
import stat
import time
from typing import Callable, Iterator

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys import guard_claims
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.enforced_records import EnforcedRecords
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.guard_lock import WrongTokens, wrong_tokens
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.key_file import KeyFile
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.notices import Notices
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.previous_login import PreviousLogin, previous_login
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.private_folder import (
    check_ancestors,
    check_folder,
    is_private_folder,
    locked,
    make_private_folder,
    unlink,
)
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.temporaries import clear_left_behind, is_of_pam_module
from ansible_collections.fleetmfa.ssh.plugins.module_utils._misplaced import shown
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.accounts import account_uid
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.files import (
    ChangedMeanwhileError,
    Version,
    identity,
    read_file,
    sync_folder,
    write_file,
)

DEFAULT_PATH = "/var/lib/fleetmfa"
KEY_FOLDERS = ("keys", "pending")
# `guard` belongs to the exactly-once guard, which denies logins if it cannot store its records.
FOLDERS = (*KEY_FOLDERS, "guard", "enforced")
# Keys that no longer belong to any account.
PUT_AWAY = "put-away"
# An empty file whose time stamp is that of the last sync.
SYNCED = "synced"

_LOGIN_WRITES_WITHIN = 2  # seconds to wait until such a file is gone
_CHANGES_WITHIN = 10  # seconds; a user may log in as often as sshd permits


def check_user_name(name: str) -> None:
    """Refuse a name that could leave the folder, be hidden in it, look like an option, or split a list of members.

    Names of a directory service are accepted: `user@domain`, `DOMAIN\\user`, non-ASCII letters, blanks inside.
    """
    sound = (
        0 < len(name.encode("utf-8", "surrogateescape")) <= 200
        and name == name.strip()
        and name.isprintable()
        and not name.startswith(("-", "."))
        and not set(name) & set("/:,~")
    )
    if not sound:
        raise FleetMfaError(
            f"{shown(name)} cannot be the name of a user with a key: 1 to 200 printable characters, no '/', ':', ',' "
            "or '~', no '.' or '-' at the beginning, no blank at the beginning or end"
        )


class StateDir:
    """The state directory; must not be shared between threads."""

    def __init__(self, path: str = DEFAULT_PATH):
        if not os.path.isabs(path):
            raise FleetMfaError(f"state_dir: {path} is not an absolute path")
        self.path = os.path.normpath(path)
        self.notices = Notices(self.path)
        self._lock_depth = 0

    # Folders

    def prepare(self) -> bool:
        """Create the folders, 0700, and remove leftovers of a killed run. Returns whether any was created. The caller
        holds the lock."""
        was_prepared = self.is_prepared
        for folder in FOLDERS:
            path = self._folder(folder)
            make_private_folder(path)
            clear_left_behind(path)
        return not was_prepared

    def check(self) -> None:
        """Refuse folders that others could have written to, and symbolic links in their place."""
        check_ancestors(os.path.dirname(self.path))
        for path in (self.path, *map(self._folder, FOLDERS)):
            check_folder(path)

    @property
    def is_prepared(self) -> bool:
        return all(is_private_folder(path) for path in (self.path, *map(self._folder, FOLDERS)))

    def _folder(self, name: str) -> str:
        return os.path.join(self.path, name)

    @contextlib.contextmanager
    def lock(self, wait: float = 60) -> Iterator[None]:
        """Prevent every other program of this collection from changing keys; re-entrant within one object."""
        if self._lock_depth:
            self._lock_depth += 1
            try:
                yield
            finally:
                self._lock_depth -= 1
            return
        self.check()
        make_private_folder(self.path)
        descriptor = locked(os.path.join(self.path, "lock"), wait)
        self._lock_depth = 1
        try:
            yield
        finally:
            self._lock_depth = 0
            os.close(descriptor)

    # Reading

    def users(self, *folders: str) -> list[str]:
        """Everybody with a key in these folders, by default pending or validated; without names that a key is only
        linked under."""
        return sorted({name for folder in folders or KEY_FOLDERS for name in self._names(folder)})

    def _names(self, folder: str) -> list[str]:
        try:
            found = os.scandir(self._folder(folder))
        except FileNotFoundError:
            return []
        with found:
            return [entry.name for entry in found if _is_key_file(entry.name) and not _is_lent(entry)]

    def pending(self, user: str) -> KeyFile | None:
        return self._read("pending", user)

    def validated(self, user: str) -> KeyFile | None:
        return self._read("keys", user)

    def _read(self, folder: str, user: str) -> KeyFile | None:
        key = self._parse(folder, user)
        return None if key is None or _is_strangers(key, user) else key

    def _parse(self, folder: str, user: str) -> KeyFile | None:
        content = read_file(self._file(folder, user))
        return None if content is None else KeyFile.parse(content)

    def strangers(self, user: str) -> list[str]:
        """The folders in which a key of another account has this name: an account that had the name before."""
        return [folder for folder in KEY_FOLDERS if _is_others(self.recorded_uid(folder, user), user)]

    def recorded_uid(self, folder: str, user: str) -> int | None:
        with contextlib.suppress(FleetMfaError):  # an unreadable file is reported elsewhere
            key = self._parse(folder, user)
            return key.uid if key else None
        return None

    def _file(self, folder: str, user: str) -> str:
        check_user_name(user)
        return os.path.join(self._folder(folder), user)

    @property
    def records(self) -> EnforcedRecords:
        return EnforcedRecords(self._folder("enforced"))

    def claim_step(self, user: str, step: int) -> bool:
        """Claim a token's step so that no login can. Returns false if one has. The caller holds the lock."""
        check_user_name(user)
        return guard_claims.claim_step(self._folder("guard"), user, step)

    def access_problem(self, folder: str, user: str) -> str | None:
        """Why the PAM module would refuse the file regardless of its content: owner, or mode other than 0600 (0400 also
        works)."""
        try:
            status = os.lstat(self._file(folder, user))
        except FileNotFoundError:
            return None
        if status.st_uid != os.geteuid() or stat.S_IMODE(status.st_mode) & 0o7177:
            return "the file is not owned by root with mode 0600 or 0400: every login is denied"
        return None

    def why_denied(self, user: str) -> str | None:
        """Why no token of this user is accepted; None if the user has a usable validated key."""
        try:
            key = self.validated(user)
        except FleetMfaError as error:
            return str(error)
        if key is None:
            what = "belongs to an account with another user id" if "keys" in self.strangers(user) else "does not exist"
            return f"{self._file('keys', user)} {what}"
        return self.access_problem("keys", user) or "; ".join(key.denials) or None

    def has(self, folder: str, user: str) -> bool:
        """Whether anything exists under the name of this user's key file."""
        return os.path.lexists(self._file(folder, user))

    def was_asked(self, user: str) -> bool:
        """Whether the guard has a record of logins with a key that was never removed on purpose."""
        return os.path.lexists(self._file("guard", user))

    def attempts(self, user: str) -> int:
        """How many attempts to log in, or to validate a key, are on record."""
        return self.key_attempts(user) + guard_claims.attempts(self._folder("guard"), user)

    def key_attempts(self, user: str) -> int:
        """Those in the key files."""
        keys = [key for key in (self.pending(user), self.validated(user)) if key]
        return sum(len(key.attempts) + len(key.meta_numbers("tries")) for key in keys)

    def last_fallback(self, user: str) -> int | None:
        """When the user was last let in although the claim store had not answered, in seconds since the epoch."""
        return guard_claims.last_fallback(self._folder("guard"), user)

    def wrong_tokens(self, user: str) -> WrongTokens:
        """How many wrong tokens the guard has counted, and whether it has locked the user."""
        return wrong_tokens(guard_claims.words_of_lines(self._folder("guard"), user))

    def remembered(self, user: str) -> int:
        """With how many SSH keys and addresses the user may not be asked again (docs/remember.md)."""
        return guard_claims.remembered(self._folder("guard"), user)

    def last_login(self, user: str) -> int | None:
        """When the guard last let the user in, in seconds since the epoch; None if that was never, or without the guard."""
        return guard_claims.last_login(self._folder("guard"), user)

    def previous_login(self, user: str) -> PreviousLogin | None:
        """The login with a token before the last one, and wrong tokens in between."""
        return previous_login(guard_claims.words_of_lines(self._folder("guard"), user))

    @property
    def last_sync(self) -> int | None:
        """When this host last got the keys of the key store, in seconds since the epoch."""
        try:
            return int(os.lstat(self._folder(SYNCED)).st_mtime)
        except FileNotFoundError:
            return None

    # Writing

    def forget_logins(self, user: str) -> None:
        """Also removes what a login under another spelling may have left behind."""
        self._forget_lent(user)
        unlink(self._file("guard", user))

    def _forget_lent(self, user: str) -> None:
        lent = self.lent_name(user)
        if lent:
            unlink(self._file("keys", lent))

    def forget_remembered(self, user: str) -> None:
        """Each login of the user is asked for a token again. The caller holds the lock."""
        check_user_name(user)
        guard_claims.forget_remembered(self._folder("guard"), user)

    def forget_attempts(self, user: str) -> None:
        """None counts for a limit any more. The caller holds the lock."""
        wrong = self.wrong_tokens(user)
        guard_claims.forget_attempts(self._folder("guard"), user)
        if wrong.locked or wrong.suspended:
            self.notices.tell(user, "unlocked")
        pending = self.pending(user)
        if pending is not None and pending != pending.with_attempts_forgotten():
            self.save_pending(user, pending.with_attempts_forgotten())
        self.converge_validated(user, lambda key: key and key.with_attempts_forgotten())

    def rename(self, folder: str, name: str, user: str) -> None:
        """Move a key with a wrong name to its user, who has none in this folder."""
        os.rename(self._file(folder, name), self._file(folder, user))

    def lent_name(self, user: str) -> str | None:
        """The spelling under which a login got the user's key, which may have left a copy behind."""
        return guard_claims.lent_name(self._folder("guard"), user)

    def put_away(self, folder: str, name: str) -> None:
        """Take a key out of use without deleting it."""
        make_private_folder(self._folder(PUT_AWAY))
        path = os.path.join(self._folder(PUT_AWAY), f"{name}.{folder}.{time.time_ns()}")
        os.rename(self._file(folder, name), path)
        if folder == "keys":
            self.forget_logins(name)

    def put_strangers_away(self, user: str) -> None:
        for folder in self.strangers(user):
            self.put_away(folder, user)

    def save_pending(self, user: str, key: KeyFile) -> None:
        before = self.pending(user) if self.notices.are_on else key
        self._write("pending", user, key)
        self.notices.pending_changed(user, before, key, self.validated)

    def remove_pending(self, user: str) -> None:
        unlink(self._file("pending", user))

    def promote(self, user: str, key: KeyFile) -> None:
        """Make `key` the user's validated key and remove the pending one in the same step (one rename)."""
        replaced = self.validated(user)
        self._write("pending", user, key)
        os.rename(self._file("pending", user), self._file("keys", user))
        self.notices.validated_changed(user, replaced, key)
        self._forget_logins_with(user, replaced, key)
        # A login with the replaced key may have been writing.
        self.converge_validated(user, lambda current: current if current and key.same_key(current) else key)

    def converge_validated(self, user: str, change: Callable[[KeyFile | None], KeyFile | None]) -> None:
        """Apply `change` to the validated key until the result is stable; None removes the key.

        A login may replace the file at any moment, based on what it read before our change. So `change` is applied to
        the current content, nothing is written over a version that was not seen, and after writing we wait for any
        login in progress and check again. `change` applied to its own result must return the same.
        """
        path = self._file("keys", user)
        deadline = time.monotonic() + _CHANGES_WITHIN
        while time.monotonic() < deadline:
            self._await_login(user)
            version, current = identity(path), self.validated(user)
            wanted = change(current)
            if wanted == current and not self.access_problem("keys", user):
                return
            self._claim_burnt(user, current, wanted)
            with contextlib.suppress(ChangedMeanwhileError):
                if wanted is None:
                    unlink(path)
                else:
                    self._write("keys", user, wanted, functools.partial(self._is_untouched, user, version))
                self.notices.validated_changed(user, current, wanted)
                self._forget_logins_with(user, current, wanted)
        raise FleetMfaError(f"user {user}: logins change the key file faster than it can be written; run again")

    def _claim_burnt(self, user: str, current: KeyFile | None, wanted: KeyFile | None) -> None:
        """A login whose prompt is open has read the key without the steps that become burnt; the guard still refuses
        them."""
        if current is not None and wanted is not None and wanted.same_key(current):
            burnt = set(wanted.used_steps) - set(current.used_steps)
            if burnt:
                guard_claims.claim_steps(self._folder("guard"), user, burnt)

    def _forget_logins_with(self, user: str, replaced: KeyFile | None, key: KeyFile | None) -> None:
        """The guard's record of attempts and claims belongs to one key; open prompts for the old key are then
        refused."""
        if replaced is None or replaced.same_key(key):
            return
        if key is not None and guard_claims.has_second(self._folder("guard"), user):
            self._forget_lent(user)
            guard_claims.forget_first(self._folder("guard"), user)
        else:
            self.forget_logins(user)

    def _await_login(self, user: str) -> None:
        """Wait until no login is about to replace the file: the PAM module creates NAME~XXXXXX before it checks NAME,
        and so does the guard when it moves a file written under another spelling."""
        deadline = time.monotonic() + _LOGIN_WRITES_WITHIN
        while self._login_is_writing(user) and time.monotonic() < deadline:
            time.sleep(0.002)

    def _login_is_writing(self, user: str) -> bool:
        writers = tuple(f"{name}~" for name in (user, self.lent_name(user)) if name)
        names = os.listdir(self._folder("keys"))
        return any(name.startswith(writers) and is_of_pam_module(name) for name in names)

    def _is_untouched(self, user: str, version: Version | None) -> bool:
        """Whether the key is still the version that was seen, and no login is about to replace it."""
        return not self._login_is_writing(user) and identity(self._file("keys", user)) == version

    def _write(self, folder: str, user: str, key: KeyFile, only_if: Callable[[], bool] | None = None) -> None:
        write_file(self._file(folder, user), key.render(), 0o600, os.geteuid(), os.getegid(), only_if)

    def record_sync(self) -> None:
        """Only a time stamp, so that a sync without news leaves the folder as it was."""
        if not self.is_prepared:
            return
        path = self._folder(SYNCED)
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
            try:
                os.utime(descriptor)
            finally:
                os.close(descriptor)
        except OSError as error:
            raise FleetMfaError(f"cannot write {path}: {error.strerror}") from error

    def flush(self) -> bool:
        """Flush the names of the key files to disk before a group membership relies on them; changes nothing."""
        for folder in FOLDERS:
            sync_folder(self._folder(folder))
        return False


def _is_strangers(key: KeyFile, user: str) -> bool:
    return _is_others(key.uid, user)


def _is_others(uid: int | None, user: str) -> bool:
    """Whether this user id belongs to another account. If the account lookup gives no answer, that proves nothing."""
    return uid is not None and account_uid(user) not in (None, uid)


def _is_lent(entry: os.DirEntry[str]) -> bool:
    """Whether this is the guard's link to a user's key, for a login under another spelling of the name."""
    try:
        return entry.is_symlink() and os.sep not in os.readlink(entry.path)
    except FileNotFoundError:
        return True


def _is_key_file(name: str) -> bool:
    try:
        check_user_name(name)
    except FleetMfaError:
        return False
    return True
