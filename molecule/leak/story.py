# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""What a fleet experiences, in order: modules, the playbooks with bad and with good input, an enrollment, logins."""

from __future__ import annotations

import re
import time
from typing import Any, Iterator

import pyotp
from cases import all_cases, playbook
from evidence import Controller
from markers import Markers

from dev.terminal_window import Window
from lab.logins import client_options, login

_STEP = 30


class Story:
    def __init__(self, controller: Controller, markers: Markers):
        self.controller, self.markers = controller, markers
        self.authenticators: dict[str, pyotp.TOTP] = {}
        self.codes: list[str] = []

    def tell(self) -> None:
        self.modules()
        self.site()
        self.logins()
        self.enrollment()
        self.validation()

    def modules(self) -> None:
        cases = all_cases(self.markers, str(self.controller.sheets))
        variables = f"@{self.controller.write('cases.json', {'cases': [case.options for case in cases]})}"
        book = self.controller.write("modules.yml", playbook(cases))
        self.controller.run("modules-check", book, "-e", variables, "--check")
        minimal = {"STDOUT_CALLBACK": "ansible.builtin.minimal"}
        self.controller.run("modules", book, "-e", variables, DEBUG="true", **minimal)

    def site(self) -> None:
        bad = self.controller.write(
            "bad_keys.json", _many_hosts(self.controller, "bad_keys", "mfa_keys", dict(_bad_keys(self.markers)))
        )
        self.controller.add_inventory(bad)
        everywhere = ("-e", "target=bad_keys", "-e", "mfa_serial=100%", "-e", "mfa_max_fail_percentage=100")
        oneline = {"STDOUT_CALLBACK": "ansible.builtin.oneline"}
        self.controller.run("site-bad", "fleetmfa.ssh.site", *everywhere, **oneline)
        users = {
            user: {"user": user, "secret": self.markers.secret(f"of {user}")}
            for user in ("leak1", "leak2", "validates")
        }
        users["leak1"].update(
            state="validated", recovery_codes=[self.markers.code("of leak1"), self.markers.code("of leak1, too")]
        )
        good = {"mfa_keys": list(users.values()), "mfa_users": [*users, "enrolls"], "mfa_exempt_users": ["ansible"]}
        arguments = ("-e", f"@{self.controller.write('good.json', good)}", "-e", "target=debian12")
        self.controller.run("site-check", "fleetmfa.ssh.site", *arguments, "--check")
        # Without pipelining a module and its arguments pass through files on both sides.
        self.controller.run("site", "fleetmfa.ssh.site", *arguments, "-vv", PIPELINING="false")
        later = ("--start-at-task", "Provision the users' keys and manage the enforced group")
        self.controller.run("site-later", "fleetmfa.ssh.site", *arguments, *later, DEBUG="true")
        self.authenticators = {user: pyotp.TOTP(entry["secret"]) for user, entry in users.items()}
        self.codes = users["leak1"]["recovery_codes"]

    def logins(self) -> None:
        server, totp = self.controller.host.server, self.authenticators["leak1"]
        token = self.markers.known_token("of a login", totp.at(time.time() + _STEP))
        assert login(server, "leak1", [token]).allowed
        assert login(server, "leak1", self.codes[:1]).allowed
        assert not login(server, "leak1", [self.markers.token("of a refused login")]).allowed

    def enrollment(self) -> None:
        """On the terminal, up to the recovery code typed to show that the codes are saved."""
        ssh = [
            "ssh",
            *client_options(self.controller.host.server),
            "-tt",
            f"enrolls@{self.controller.host.server.address}",
        ]
        with self.controller.watched("enrollment"), Window([*ssh, "mfa-enroll", "--plain"], rows=60) as window:
            window.wait_for("Press Enter to begin")
            window.enter()
            window.wait_for("First token:")
            groups = re.findall(r"^ +((?:[A-Z2-7]{4} ?){4})$", window.text, re.MULTILINE)
            totp = pyotp.TOTP(self.markers.known_secret("generated on the host", "".join(groups).replace(" ", "")))
            window.enter(self.markers.token("that is wrong, at enrollment"))
            now = time.time()
            tokens = [self.markers.known_token("of an enrollment", totp.at(now + shift)) for shift in (-_STEP, 0)]
            window.enter(tokens[0])
            window.wait_for("Second token:")
            window.enter(tokens[1])
            window.wait_for("when you have saved them")
            codes = re.findall(r"\b\d{8}\b", window.text)
            assert len(codes) == 5, window.text
            for code in codes:
                self.markers.known_code("shown at an enrollment", code)
            window.enter()
            window.wait_for(r"Recovery code \(")
            window.enter(codes[0])
            window.wait_for("is validated on")

    def validation(self) -> None:
        wrong = dict(_bad_tokens(self.markers))
        self.controller.add_inventory(
            self.controller.write("bad_tokens.json", _many_hosts(self.controller, "bad_tokens", "given_token", wrong))
        )
        prompts = {
            "mfa_validate_user": "leak3",
            "mfa_validate_first": "{{ given_token }}",
            "mfa_validate_second": self.markers.token("second at validation"),
            "mfa_exempt_users": ["ansible"],
        }
        arguments = ("-e", f"@{self.controller.write('prompts.json', prompts)}", "-e", "target=bad_tokens")
        self.controller.run("validate-bad", "fleetmfa.ssh.validate", *arguments)
        self.controller.run("validate-check", "fleetmfa.ssh.validate", *self._right(), "--check")
        self.controller.run("validate", "fleetmfa.ssh.validate", *self._right(), DEBUG="true")

    def _right(self) -> tuple[str, ...]:
        totp, now = self.authenticators["validates"], time.time()
        answers = {
            "mfa_validate_user": "validates",
            "mfa_validate_first": self.markers.known_token("first that is right", totp.at(now)),
            "mfa_validate_second": self.markers.known_token("second that is right", totp.at(now + _STEP)),
            "mfa_exempt_users": ["ansible"],
        }
        return ("-e", f"@{self.controller.write('answers.json', answers)}", "-e", "target=debian12")


def _bad_keys(markers: Markers) -> Iterator[tuple[str, Any]]:
    def secret(name: str) -> str:
        return markers.secret(f"in mfa_keys {name}")

    good = {"user": "leak1", "secret": secret("beside a bad one"), "recovery_codes": [markers.code("in mfa_keys")]}
    yield "text", secret("as text")
    yield "number", int(markers.text("mfa_keys as a number", "6183940275617283940516"))
    yield "by-user", {"leak1": secret("by user")}
    yield "texts", [secret("as texts")]
    yield "by-user-in-list", [{"leak1": secret("by user in a list")}]
    yield "misspelt", [good, {"user": "leak2", "sekret": secret("misspelt")}]
    yield "key-of-dict", [good, {"user": "leak2", "secret": {secret("as a key of a dict"): 1}}]
    yield "wrong-letter", [good, {"user": "leak2", "secret": f"{secret('with a wrong letter')}1"}]
    yield "unknown-user", [good, {"user": "nobody-of-that-name", "secret": secret("of an unknown user")}]
    yield "bad-code", [good, {"user": "leak2", "recovery_codes": [f"{markers.code('that is bad')} x"]}]
    yield "no-template", [{"user": "leak1", "secret": secret("beside a bad template"), "account": "{{ nowhere }}"}]


def _many_hosts(controller: Controller, group: str, variable: str, values: dict[str, Any]) -> dict:
    """One host under many names, each with another value: all of them fail in one run."""
    own = controller.host.variables
    return {group: {"hosts": {f"{group}-{name}": {**own, variable: value} for name, value in values.items()}}}


def _bad_tokens(markers: Markers) -> Iterator[tuple[str, Any]]:
    yield "wrong", markers.token("first at validation")
    yield "list", [markers.token("as a list at validation")]
    yield "dict", {"token": markers.token("as a dict at validation")}
    yield "key", {markers.token("as a key at validation"): 1}
    yield "number", int(markers.code("as a number at validation"))
    yield "long", markers.text("too long at validation", "0123456789876543210")
