# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Users from whom sshd takes security keys (FIDO2) only, and what is missing for such a key to be two factors. Private.

What sshd requires is proof, what the user's side says is not: a key's options in authorized_keys, and the kind of key that
was used, are up to whoever writes that file (docs/security_keys.md).
"""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Iterator

from ansible_collections.fleetmfa.ssh.plugins.module_utils._findings import Finding
from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.config import SshdConfig
from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.login import Login, deciding_line
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.accounts import SECURITY_KEY_GROUP

_KINDS = ("sk-ssh-ed25519", "sk-ecdsa-sha2-nistp256", "webauthn-sk-ecdsa-sha2-nistp256")
_ALGORITHMS = {f"{kind}{cert}@openssh.com" for kind in _KINDS for cert in ("", "-cert-v01")}
# The name before OpenSSH 8.5 comes last.
_ACCEPTED = ("pubkeyacceptedalgorithms", "pubkeyacceptedkeytypes")
_ALONE = ("publickey",)


def match_of_group(enforced: str) -> str:
    """The criterion of the Match line for members of the group: whoever is enforced as well is asked for a token."""
    return f"{SECURITY_KEY_GROUP},!{enforced}"


def member_findings(config: SshdConfig, one: Login) -> Iterator[Finding]:
    """Of a member of the group for security keys, who is not asked for a token: each way in has to be such a key, verified."""
    if not one.is_admitted:
        return
    for problem in [*_other_keys(config, one), *_missing(config, one)]:
        yield Finding("sshd_security_key_not_demanded", (problem,))
    if one.disabled_by("publickey") == "pubkeyauthentication":
        yield Finding("sshd_method_disabled", (deciding_line(config, one, "pubkeyauthentication"),))


def security_key_findings(config: SshdConfig, one: Login) -> Iterator[Finding]:
    """Of a login that a security key alone can pass; nothing where sshd takes other keys too, or asks for more."""
    if _ALONE in one.ways_in and takes_security_keys_only(one):
        for problem in _missing(config, one):
            yield Finding("sshd_security_key_weak", (problem,))


def _other_keys(config: SshdConfig, one: Login) -> Iterator[str]:
    if not takes_security_keys_only(one):
        keyword = next((name for name in _ACCEPTED if name in one.settings), _ACCEPTED[0])
        yield f"other keys than security keys are taken: {deciding_line(config, one, keyword)}"
    for keyword in ("authorizedkeyscommand", "trustedusercakeys"):
        if one.value(keyword, "none") != "none":
            yield f"not only the files of root say which keys are taken: {deciding_line(config, one, keyword)}"


def _missing(config: SshdConfig, one: Login) -> Iterator[str]:
    """What such a key lacks to be two factors."""
    if "verify-required" not in one.value("pubkeyauthoptions", "none").split():
        yield f"the key's PIN or fingerprint is not required: {deciding_line(config, one, 'pubkeyauthoptions')}"
    files = one.value("authorizedkeysfile", "").split()
    open_files = [path for path in files if path != "none" and not _only_root_writes(path, one.account.name)]
    if open_files:
        line = deciding_line(config, one, "authorizedkeysfile")
        yield f"not only root may add keys, of software too, in {' and '.join(open_files)}: {line}"
    others = [",".join(way) for way in one.ways_in if "publickey" not in way]
    if others:
        line = deciding_line(config, one, "authenticationmethods")
        yield f"{' and '.join(others)} let the user in without the key: {line}"


def takes_security_keys_only(one: Login) -> bool:
    accepted = next((one.settings[keyword][0].split(",") for keyword in _ACCEPTED if keyword in one.settings), [""])
    return set(accepted) <= _ALGORITHMS


def _only_root_writes(path: str, user: str) -> bool:
    """Into the file and every folder above it. sshd looks for a relative path in the home directory; %h is that too."""
    if not path.startswith("/") or "%h" in path:
        return False
    place = Path(path.replace("%u", user))
    return all(map(_is_roots, [place, *place.parents]))


def _is_roots(place: Path) -> bool:
    try:
        found = place.stat()
    except FileNotFoundError:
        return True  # made by whoever may write into the folder above
    except OSError:
        return False
    return found.st_uid == 0 and not found.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
