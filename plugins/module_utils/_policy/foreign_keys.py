# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Finds the keys that another set-up has made for users of this host; changes nothing. Private to the collection."""

from __future__ import annotations

import functools
import os
import pwd
from typing import Callable, Iterable

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.foreign_key import ForeignKey, NotImported
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.home_key import home_key
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.key_file_lines import MAXIMUM_SIZE
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.oath_file import oath_keys
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.options import MfaHost
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.totp import decode_secret
from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.host_tokens import is_in_home, path_of
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.accounts import known_as
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.local_files import LocalFiles
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.user_files import read_users_file

_OATH_LIMIT = 16 * 1024 * 1024  # bytes; some 100,000 users


class ForeignKeys:
    """`keys` are those that could become keys of the store; `refused` is what cannot, with the reason."""

    def __init__(self, accounts: Iterable[str], host: MfaHost, now: float):
        self.keys: list[ForeignKey] = []
        self.refused: list[NotImported] = []
        self._accounts = list(accounts)
        self._host = host
        self._now = now

    def read_secret_files(self, template: str) -> None:
        """One file for each user, named as in option `secret=` of pam_google_authenticator."""
        files = LocalFiles()
        for user in self._accounts:
            account = pwd.getpwnam(user)
            path = path_of(template, user, account.pw_dir)
            if path is not None and files.exists(path) is not False:
                self._judged(user, path, functools.partial(self._home_key, template, path, account))

    def _home_key(self, template: str, path: str, account: pwd.struct_passwd) -> ForeignKey | None:
        """A file outside of the home directory is root's, as option `user=root` wants it."""
        owner = account if is_in_home(template) else pwd.getpwuid(0)
        content = read_users_file(owner, path, MAXIMUM_SIZE)
        return None if content is None else home_key(account.pw_name, path, content, self._now)

    def read_oath_file(self, path: str) -> None:
        """One file for all users."""
        try:
            content = read_users_file(pwd.getpwuid(0), path, _OATH_LIMIT) if os.path.lexists(path) else None
        except FleetMfaError as error:
            self.refused.append(NotImported("", path, str(error)))
            return
        keys, refused = oath_keys(path, content or b"", self._now)
        for one in refused:
            self.refused.append(one._replace(user=known_as(one.user)))
        for key in keys:
            key["user"] = known_as(key["user"])
            self._judged(key["user"], key["source"], functools.partial(_itself, key))

    def _judged(self, user: str, source: str, read: Callable[[], ForeignKey | None]) -> None:
        try:
            key = read()
            if key is not None:
                self._refuse(key)
                self.keys.append(key)
        except FleetMfaError as error:
            self.refused.append(NotImported(user, source, str(error)))

    def _refuse(self, key: ForeignKey) -> None:
        if key["user"] not in self._accounts:
            raise FleetMfaError("the user has no account here, is exempt, or is not among the users of this run")
        here = self._host.state_dir.validated(key["user"])
        if here is not None and not here.is_key(decode_secret(key["secret"]), key["period"]):
            raise FleetMfaError("the user has validated another key on this host, which counts")


def _itself(key: ForeignKey) -> ForeignKey:
    return key
