# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
name: ssh_totp
short_description: Connect with ssh to a host that asks for a token
version_added: 0.2.0
author: The fleetmfa founders (@fleetmfa)
description:
  - Everything that P(ansible.builtin.ssh#connection) does, and answers the prompt for a TOTP token.
  - The token is computed when the prompt arrives. Neither it nor the secret is ever in an argument, the environment, a file or
    a log. A small program that ssh runs (C(SSH_ASKPASS)) asks this plugin through a socket that is closed to other accounts.
  - No token is used twice on a host, by whatever number of forks and runs on one controller. With C(ControlPersist), the default of
    O(ssh_args), the first connection to a host logs in and all others share it. Without it each connection needs a token of its own,
    which takes up to O(totp_period) seconds each.
  - A prompt is answered only if it is known. A question about a host key is answered C(no). Whatever is neither a token nor a
    password ends the connection, and the error shows the prompt.
  - The account needs an SSH key, and a password only if the host asks for both (C(ansible_password)).
options:
  totp_secret:
    description:
      - The user's TOTP secret in base32, or the whole key as C(otpauth://) URI. Encrypt it with C(ansible-vault), or read it with a lookup.
      - Without it, the key comes from the key store of the variables C(mfa_store*); without that, a person at the terminal is asked for a
        token once for each host, which needs C(ControlPersist).
    type: str
    vars:
      - name: ansible_totp_secret
  totp_jump_secret:
    description: The same for the jump hosts on the way (C(ProxyJump), C(ssh -W)); by default it is the same key.
    type: str
    vars:
      - name: ansible_totp_jump_secret
  totp_prompt:
    description: A regular expression. A prompt in which it is found is one for a token.
    type: str
    default: '(?i)verification code|one-time (password|code)|\btoken\b|\botp\b|passcode|authenticator'
    vars:
      - name: ansible_totp_prompt
  totp_period:
    description: For how many seconds a token is current, 1 to 60, unless O(totp_secret) is a URI or the key is in the key store.
    type: int
    default: 30
    vars:
      - name: mfa_period
      - name: ansible_totp_period
  totp_claims:
    description:
      - The variable C(mfa_claims) of the fleet. With V(etcd) a token counts once in the whole fleet, so hosts are logged in to one after
        another, one for each O(totp_period).
    type: str
    choices: [local, etcd]
    default: local
    vars:
      - name: mfa_claims
  totp_state_dir:
    description: The folder on the controller that records which time step was used last on each host; no secrets, no names in clear.
    type: path
    default: "{{ ANSIBLE_HOME ~ '/fleetmfa_totp' }}"
    env:
      - name: FLEETMFA_TOTP_STATE_DIR
    vars:
      - name: ansible_totp_state_dir
  inventory_name:
    description: Internal; the name of the host in the inventory, for the aliases of the key store.
    type: str
    vars:
      - name: inventory_hostname
  inventory_groups:
    description: Internal; the groups of the host, for the aliases of the key store.
    type: list
    elements: str
    vars:
      - name: group_names
notes:
  - O(password_mechanism=sshpass) is refused together with a password, since this plugin answers all prompts itself.
seealso:
  - plugin: ansible.builtin.ssh
    plugin_type: connection
extends_documentation_fragment:
  - connection_pipelining
  - fleetmfa.ssh.core_ssh
  - fleetmfa.ssh.key_store_variables
"""

import contextlib
import subprocess
import tempfile
import threading
import time
from pathlib import Path
from typing import Any, Iterable

from ansible.errors import AnsibleAuthenticationFailure, AnsibleConnectionFailure, AnsibleError
from ansible.plugins.connection.ssh import PKCS11_DEFAULT_PROMPT, SSH_ASKPASS_DEFAULT_PROMPT
from ansible.plugins.connection.ssh import Connection as SshConnection
from ansible.utils.display import Display

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.settings import check_range
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._ssh_totp.answers import PromptAnswers, TokenSource
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._ssh_totp.failures import explanation
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._ssh_totp.helper import AskpassHelper
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._ssh_totp.prompts import PromptRules, token_pattern
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._ssh_totp.target import LoginTarget, read_target
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._ssh_totp.token_key import TokenKey, key_of_text
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._ssh_totp.used_steps import StepsFolder, Turn, UsedSteps
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._store.variables import STORE_VARIABLES

display = Display()

_OPERATOR_SECONDS = 100  # sshd waits 120 by default
_LOGIN_SECONDS = 300


class Connection(SshConnection):
    """The transport stays `ssh`: others treat it as such (become, synchronize), and it is."""

    _helper: AskpassHelper | None = None

    def count_as_used(self, used_until: dict[str, int]) -> None:
        """`used_until` gives for each user the end of the time steps, in seconds since 1970, that the host has been told to
        refuse since they were used elsewhere. The next login of this connection's user takes a later one."""
        if any(end > time.time() for end in used_until.values()):
            target = self._target()
            self._steps(target, None).count_until(used_until.get(target.user, 0))

    def _add_args(self, b_command: list[bytes], b_args: Iterable[bytes], explanation: str) -> None:
        """Core switches off whatever may prompt; the token is asked for by keyboard-interactive."""
        words = list(b_args)
        if b"KbdInteractiveAuthentication=no" in words and b"PasswordAuthentication=no" in words:
            words = [_with_token(word) for word in words]
        super()._add_args(b_command, words, explanation)

    def _build_command(self, binary: str, subsystem: str, *other_args: bytes | str) -> list[bytes]:
        if self._password and self.get_option("password_mechanism") == "sshpass":
            raise AnsibleError("password_mechanism: sshpass does not work with fleetmfa.ssh.ssh_totp; use ssh_askpass")
        # A second prompt would ask for a second token after a wrong one. And sftp's -b switches prompts off.
        own = [b"-o", b"NumberOfPasswordPrompts=1", b"-o", b"BatchMode=no"]
        command: list[bytes] = super()._build_command(binary, subsystem, *other_args)
        return [command[0], *own, *command[1:]]

    def _init_shm(self) -> dict[str, Any]:
        """What core starts ssh with: the helper of this plugin instead of core's own."""
        if self._helper is None:
            raise AnsibleError(
                "ssh is started without the helper that answers prompts; is this ansible-core supported?"
            )
        return {"env": self._helper.environment, "start_new_session": True}

    def _bare_run(
        self, cmd: list[bytes], in_data: bytes | None, sudoable: bool = True, checkrc: bool = True
    ) -> tuple[int, bytes, bytes]:
        try:
            with contextlib.ExitStack() as turn:
                return self._answering(cmd, in_data, sudoable, checkrc, turn)
        except FleetMfaError as error:
            raise AnsibleAuthenticationFailure(str(error)) from None

    def _answering(
        self, cmd: list[bytes], in_data: bytes | None, sudoable: bool, checkrc: bool, cleanup: contextlib.ExitStack
    ) -> tuple[int, bytes, bytes]:
        target = None if _is_shared(cmd) else self._target()
        turn = self._log_in(target) if target and not target.has_connection else None
        answers = self._answers(target, may_ask=False)
        if turn:
            cleanup.callback(turn.release)
            answers.given = turn.release
            # A host that does not ask does not tell when the login is done.
            timer = threading.Timer(int(self.get_option("timeout")) + 2, turn.release)
            cleanup.callback(timer.cancel)
            timer.daemon = True
            timer.start()
        with AskpassHelper(answers) as self._helper:
            try:
                result: tuple[int, bytes, bytes] = super()._bare_run(cmd, in_data, sudoable=sudoable, checkrc=checkrc)
            except AnsibleConnectionFailure as error:
                self._raise_explained(answers, str(error))
                raise
            if result[0] in (255, -15):
                self._raise_explained(answers, result[2].decode(errors="replace"))
            return result

    def _log_in(self, target: LoginTarget) -> Turn | None:
        """Open the connection that others share. Returns the turn if there is none, so that the caller logs in itself."""
        steps = self._steps(target, None)
        turn = steps.turn()
        with contextlib.ExitStack() as on_error:
            on_error.callback(turn.release)
            if not turn.take(wait=False):
                display.v(f"another connection logs in as {target.login}; waiting for it", host=self.host)
                turn.take(wait=True)
            if target.has_connection:
                return None
            self._wait_for_step(steps)
            if target.persistent:
                self._open_shared(target)
                return None
            on_error.pop_all()
            return turn

    def _wait_for_step(self, steps: UsedSteps) -> None:
        """Before the host is kept waiting: it closes a login after a while, and core's become has a time limit."""
        while (seconds := steps.free_in(self._period)) > 0:
            display.v(steps.waiting(seconds), host=self.host)
            threading.Event().wait(seconds)

    def _open_shared(self, target: LoginTarget) -> None:
        """Apart from the command itself, so that neither its input nor its time limits are in the way of a login."""
        command = self._build_command(self.get_option("ssh_executable"), "ssh", self.host, "exit 0")
        answers = self._answers(target, may_ask=True)
        display.vvv(f"SSH: logging in as {target.login}", host=self.host)
        with AskpassHelper(answers) as helper, tempfile.TemporaryFile() as stderr:
            try:
                # The connection that stays keeps no pipe of this process open.
                done = subprocess.run(
                    command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=stderr, check=False,
                    env=helper.environment, start_new_session=True, timeout=_LOGIN_SECONDS,
                )  # fmt: skip
            except subprocess.TimeoutExpired:
                raise AnsibleConnectionFailure(f"no login as {target.login} within {_LOGIN_SECONDS} s") from None
            stderr.seek(0)
            text = stderr.read().decode(errors="replace").rstrip()
        if done.returncode == 255 or done.returncode < 0:
            self._raise_explained(answers, text)
            raise AnsibleConnectionFailure(f"Failed to connect to the host via ssh: {text}")

    def _raise_explained(self, answers: PromptAnswers, stderr: str) -> None:
        found = answers.refusal or explanation(stderr, answers.asked, str(self.user), str(self.host))
        if found:
            # Not to be retried: neither a wrong token nor an unknown prompt gets better by it.
            raise AnsibleAuthenticationFailure(f"{found}. ssh: {stderr.strip()}" if stderr.strip() else found)

    def _answers(self, target: LoginTarget | None, may_ask: bool) -> PromptAnswers:
        prompt = self.get_option("sshpass_prompt")
        default = PKCS11_DEFAULT_PROMPT if self.get_option("pkcs11_provider") else SSH_ASKPASS_DEFAULT_PROMPT
        rules = PromptRules(token_pattern(self.get_option("totp_prompt")), prompt or default)

        def steps(jump: list[str] | None) -> UsedSteps:
            return self._steps(target or self._target(), jump)

        def source(jump: bool) -> TokenSource:
            return TokenSource(lambda: self._key(jump), lambda: self._operator_token() if may_ask else None)

        return PromptAnswers(rules, self._password, source, steps, lambda text: display.v(text, host=self.host))

    def _key(self, jump: bool) -> TokenKey | None:
        for option in ("totp_jump_secret", "totp_secret") if jump else ("totp_secret",):
            if secret := self.get_option(option):
                return key_of_text(secret, self._period, f"ansible_{option}")
        if not self.get_option("mfa_store"):
            return None
        # Only when it is asked for: each task loads this plugin anew for each host, and the key store's libraries take longer to
        # load than a task takes.
        from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._ssh_totp.stored_key import key_of_store

        variables = {name: self.get_option(name) for name in STORE_VARIABLES}
        places = [self.get_option("inventory_name"), *(self.get_option("inventory_groups") or [])]
        return key_of_store(variables, str(self.user or self._target().user), places)

    def _operator_token(self) -> str | None:
        """None if nobody is there."""
        try:
            typed = display.prompt_until(
                f"Token of {self.user} for {self.host}: ", private=True, seconds=_OPERATOR_SECONDS
            )
        except AnsibleError:
            return None
        return typed.decode().strip() or None

    def _steps(self, target: LoginTarget, jump: list[str] | None) -> UsedSteps:
        folder = StepsFolder(Path(self.get_option("totp_state_dir")))
        return target.used_steps(folder, self.get_option("totp_claims"), jump)

    def _target(self) -> LoginTarget:
        return read_target(self._build_command(self.get_option("ssh_executable"), "ssh", "-G", self.host))

    @property
    def _period(self) -> int:
        period = int(self.get_option("totp_period"))
        check_range("period", period, "ansible_totp_period (mfa_period)")
        return period

    @property
    def _password(self) -> str | None:
        password: str | None = self.get_option("password") or self._play_context.password
        return password


def _with_token(word: bytes) -> bytes:
    if word.startswith(b"PreferredAuthentications="):
        return word + b",keyboard-interactive"
    return b"KbdInteractiveAuthentication=yes" if word == b"KbdInteractiveAuthentication=no" else word


def _is_shared(command: list[bytes]) -> bool:
    """Whether a connection is there to be shared, as far as it can be seen without asking ssh: core's own ControlPath."""
    paths = [word for word in command if b"controlpath" in word.lower()]
    if len(paths) != 1 or not paths[0].startswith(b'ControlPath="') or b"%" in paths[0]:
        return False
    return Path(paths[0][len(b'ControlPath="') : -1].decode(errors="surrogateescape")).is_socket()
