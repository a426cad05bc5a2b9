# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Random PAM folders: good and malformed lines, includes, substacks, jumps, every result a module can return.

Included files are named with their folder: Debian's libpam looks for a bare name in the machine's own /etc/pam.d.
"""

from __future__ import annotations

import random

from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.config import ACTIONS, RETURN_VALUES

SERVICE = "svc"
_COMMON_RESULTS = ("success", "success", "success", "auth_err", "ignore", "user_unknown", "new_authtok_reqd")


class RandomFolder:
    """Texts of one folder by file name. A file only includes files with a higher number; `loop` only includes
    itself."""

    def __init__(self, dice: random.Random, folder: str):
        self._dice = dice
        self._folder = folder
        self.service = SERVICE if dice.random() < 0.98 else "other"
        # libpam's answer to an @include that fails in a file that is itself included is undefined: have only one of both.
        self._at_include_inside = self._chance(0.5)
        self._included = [f"inc{number}" for number in range(dice.choice((0, 0, 1, 2, 3)))]
        self.files = {"loop": f"auth substack {folder}/loop\n{self._module_line()}\n"}
        for number, name in enumerate(self._included):
            self.files[name] = self._file(number + 1, dice.randint(0, 4), top=False)
        if dice.random() < 0.97:
            self.files[SERVICE] = self._file(0, dice.randint(0, 7), top=True)
        if dice.random() < 0.8:
            self.files["other"] = self._file(0, dice.randint(0, 3), top=True)

    def _file(self, first: int, count: int, top: bool) -> str:
        text = "".join(self._line(first, top) + self._end_of_line() for _round in range(count))
        if (top or not self._at_include_inside) and self._chance(0.005):
            text += "auth required pam_permit.so \\\n"
        return text.rstrip("\n") if self._chance(0.1) else text

    def _end_of_line(self) -> str:
        return self._dice.choice(("\n",) * 12 + ("\n\n", "  # why\n", "\t\n", "\n# pam_deny.so \\\n"))

    def _line(self, first: int, top: bool) -> str:
        kind = self._dice.random()
        if kind < 0.2:
            return self._include_line(first, top)
        if kind < 0.27:
            return self._odd_line()
        return self._module_line()

    def _include_line(self, first: int, top: bool) -> str:
        reachable = self._included[first:]
        if self._chance(0.03):
            return f"auth substack {self._folder}/loop"
        missing = f"{self._folder}/missing"
        name = f"{self._folder}/{self._dice.choice(reachable)}" if reachable else missing
        if self._chance(0.05):
            name = missing
        if self._chance(0.2) and self._may_at_include(name != missing, top):
            return f"@include {name}"
        return f"{self._type()} {self._dice.choice(('include', 'substack', 'SubStack', '[include]'))} {name}"

    def _may_at_include(self, exists: bool, top: bool) -> bool:
        if top:
            return exists or self._chance(0.1)
        return exists and self._at_include_inside

    def _module_line(self) -> str:
        space = self._dice.choice((" ", " ", "\t", "   ", " \\\n "))
        return space.join((self._type(), self._control(), self._module()))

    def _type(self) -> str:
        dash = "-" if self._chance(0.1) else ""
        return dash + self._dice.choice(("auth",) * 14 + ("AUTH", "account", "session", "foo", "[auth]"))

    def _odd_line(self) -> str:
        return self._dice.choice(
            (
                "auth",
                "auth required",
                "auth required\r",
                "auth required [pam_permit.so",
                "auth required [pam_permit.so]",
                "auth required pam_debug.so [auth=auth_err] x",
                "auth required pam_debug.so [x\\]y] auth=user_unknown auth=success",
                "auth sufficient pam_debug.so auth=nonsense",
                "session required pam_permit.so",
                "foo sufficient pam_permit.so",
                "auth [success=ok pam_permit.so",
                "auth required pam_permit",
                "auth required pam_limits.so",
                "\r",
                "  ",
            )
        )

    def _control(self) -> str:
        kind = self._dice.random()
        if kind < 0.4:
            return self._dice.choice(("required", "requisite", "sufficient", "optional", "Required", "[sufficient]"))
        if kind < 0.5:
            return self._dice.choice(
                (
                    "needed", "[success=0]", "[success=999999999 default=ok]", "[success]", "[wrong=ok]",
                    "[success=okay]", "[=ok]", "[]", "success=ok", "[default=ok]", "[success=okdefault=die]",
                    "[default=1 default=ok]", "[success=\v1]", "[authtok_recovery_err=ok default=ok]",
                )
            )  # fmt: skip
        return self._action_list()

    def _action_list(self) -> str:
        pairs = [(result, self._action()) for result in self._dice.sample(RETURN_VALUES, self._dice.randint(0, 3))]
        pairs.append(("success", self._action()))
        if self._chance(0.8):
            pairs.append(("default", self._action()))
        self._dice.shuffle(pairs)
        equals = self._dice.choice(("=", "=", " = "))
        return "[" + " ".join(f"{result}{equals}{action}" for result, action in pairs) + "]"

    def _action(self) -> str:
        return self._dice.choice((*ACTIONS, "ok", "done", "reset", "1", "1", "2", "3", "7"))

    def _module(self) -> str:
        return self._dice.choice(
            (
                "pam_permit.so",
                "pam_deny.so",
                "pam_missing.so",
                *(self._debug_module(_COMMON_RESULTS) for _round in range(8)),
                *(self._debug_module(RETURN_VALUES) for _round in range(3)),
            )
        )

    def _debug_module(self, results: tuple[str, ...]) -> str:
        return f"pam_debug.so auth={self._dice.choice(results)} cred={self._dice.choice(results)}"

    def _chance(self, probability: float) -> bool:
        return self._dice.random() < probability
