# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""One login, step by step, and what it proves. Private to the collection."""

from __future__ import annotations

import contextlib
from typing import Any, Callable, Iterator

from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._login_probe.deadline import Deadline
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._login_probe.prompts import LoginPrompts, StoppedError
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._login_probe.row import (
    NotJudgedError,
    ProbeStep,
    ProbeVerdict,
)
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._ssh_totp.failures import REFUSED_BEFORE_TOKEN
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._ssh_totp.prompts import PromptKind

with contextlib.suppress(ImportError):  # the action has told so
    import paramiko

_KEY, _PROMPTS, _PASSWORD = _ORDER = ("publickey", "keyboard-interactive", "password")


class _ClosedError(Exception):
    """The host closed the connection instead of an answer to what would let a user in."""


class ProbedLogin:
    """`steps` tells what has happened, also after an error."""

    def __init__(self, transport: Any, user: str, keys: list[Any], prompts: LoginPrompts, deadline: Deadline):
        self._transport, self._user, self._prompts, self._deadline = transport, user, prompts, deadline
        self._keys: Iterator[Any] = iter(keys)
        self._finished: set[str] = set()  # methods that lead no further
        self.steps: list[ProbeStep] = []

    def verdict(self) -> ProbeVerdict:
        try:
            methods = self._attempt("none", lambda: self._transport.auth_none(self._user), [])
            while methods is not None:
                method = next((one for one in _ORDER if one in methods and one not in self._finished), None)
                if method is None:
                    return self._denied(methods)
                methods = self._next(method, methods)
            return self._logged_in()
        except StoppedError as stop:
            return self._stopped(stop)
        except _ClosedError:
            return ProbeVerdict(
                "denied",
                f"the host closed the connection after {self.steps[-1].method} (account phase or setcred of PAM)",
            )
        finally:
            self._prompts.stopped.set()

    def _next(self, method: str, methods: list[str]) -> list[str] | None:
        """The methods that the host takes now, None if the login is complete."""
        if method == _KEY:
            key = next(self._keys, None)
            if key is None:
                self._finished.add(_KEY)
                return methods
            return self._attempt(_KEY, lambda: self._transport.auth_publickey(self._user, key), methods)
        self._finished.add(method)
        if method == _PROMPTS:
            return self._attempt(method, lambda: self._transport.auth_interactive(self._user, self._prompts), methods)
        password = self._prompts.password
        if password is None or _PROMPTS in methods:  # the same question once more, and one more failure there
            return methods
        ask = self._transport.auth_password
        return self._attempt(_PASSWORD, lambda: ask(self._user, password, fallback=False), methods)

    def _attempt(self, method: str, call: Callable[[], list[str]], methods: list[str]) -> list[str] | None:
        self._transport.auth_timeout = self._deadline.left
        before = len(self._prompts.seen)
        outcome, left = "refused", methods
        try:
            left = call()
            outcome = "accepted" if self._transport.is_authenticated() else "partial"
        except StoppedError:
            outcome = "stopped"
            raise
        except paramiko.BadAuthenticationType as error:
            outcome, left = "offered" if method == "none" else "refused", error.allowed_types
        except paramiko.AuthenticationException:
            self._ended(method)
        except (paramiko.SSHException, OSError, EOFError) as error:
            raise NotJudgedError(f"the connection ended during {method} ({type(error).__name__})") from None
        finally:
            self.steps.append(ProbeStep(method, outcome, list(left), self._prompts.seen[before:]))
        return None if outcome == "accepted" else list(left)

    def _ended(self, method: str) -> None:
        """The library calls it a failed authentication, too, if there was no answer at all.

        sshd closes the connection without a word if PAM's account phase denies a user whose key or answers were right.
        """
        if self._transport.is_active():
            if self._deadline.is_over:
                raise NotJudgedError(f"no answer during {method} within {self._deadline.seconds:.0f} s")
            return
        if method == "none" or (method == _KEY and self._was(_KEY, "refused")):
            raise NotJudgedError(
                f"the host closed the connection during {method}: too many keys (MaxAuthTries; give a key_file), or PAM's account phase"
            )
        raise _ClosedError

    def _logged_in(self) -> ProbeVerdict:
        """A session is opened, for which setcred of PAM has to succeed. Nothing is run in it: that could be a forced command."""
        try:
            self._transport.open_session(timeout=self._deadline.left).close()
        except paramiko.ChannelException:
            pass  # an account without sessions, but logged in
        except (paramiko.SSHException, OSError, EOFError):
            if self._deadline.is_over and self._transport.is_active():
                raise NotJudgedError(f"no session within {self._deadline.seconds:.0f} s") from None
            return ProbeVerdict("denied", "the host accepted the login and then ended it (setcred of PAM)")
        return ProbeVerdict("asked" if self._prompts.asked else "not_asked", "")

    def _stopped(self, stop: StoppedError) -> ProbeVerdict:
        if stop.missing is PromptKind.TOKEN:
            return ProbeVerdict("asked", str(stop))
        if stop.missing is PromptKind.PASSWORD and self._was(_KEY, "refused") and not self._was(_KEY, "partial"):
            return ProbeVerdict("denied", f"no SSH key was accepted; {stop}")
        raise NotJudgedError(str(stop)) from None

    def _denied(self, methods: list[str]) -> ProbeVerdict:
        tried = [step.method for step in self.steps if step.method != "none"]
        if not tried:
            raise NotJudgedError(
                f"nothing to log in with: the host takes {', '.join(methods) or 'no method'}; give a key_file, agent or password"
            )
        if self._prompts.asked:
            return ProbeVerdict(
                "denied", "a token was asked for and given, and the login was refused (the host's log says why)"
            )
        if self._was(_KEY, "partial") and self._was(_PROMPTS, "refused") and not self._prompts.seen:
            return ProbeVerdict("denied", f"the host took the SSH key but {REFUSED_BEFORE_TOKEN}")
        return ProbeVerdict("denied", f"refused: {', '.join(dict.fromkeys(tried))}; no token was asked for")

    def _was(self, method: str, outcome: str) -> bool:
        return any((step.method, step.outcome) == (method, outcome) for step in self.steps)
