# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""What a fleet experiences, in order: modules, the playbooks with bad and with good input, an enrollment, logins."""

from __future__ import annotations

import os
import re
import time
from pathlib import Path
from typing import Any, Iterator

import pyotp
from cases import Case, all_cases, misplacement, playbook
from evidence import Controller
from markers import Markers
from misplacements import calls

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
        self.misplacements()
        self.site()
        self.logins()
        self.enrollment()
        self.validation()

    def modules(self) -> None:
        cases = all_cases(self.markers, str(self.controller.sheets))
        arguments = self._book("modules", cases, "debian12")
        self.controller.run("modules-check", *arguments, "--check")
        minimal = {"STDOUT_CALLBACK": "ansible.builtin.minimal"}
        self.controller.run("modules", *arguments, DEBUG="true", **minimal)

    def misplacements(self) -> None:
        """Modules on the hosts for it. The role refuses variables on the controller, or on the host when it looks for an account."""
        of_role, of_modules = [], []
        for call in calls(self.markers.misplaced):
            (of_role if call.name == "role" else of_modules).append(call)
        hosts = os.environ["LEAK_MISPLACED_ON"]
        self.controller.run("misplaced", *self._book("misplaced", list(map(misplacement, of_modules)), hosts))
        variables = {str(number): call.options for number, call in enumerate(of_role)}
        self.controller.run("site-misplaced", "fleetmfa.ssh.site", *self._many_hosts("misplaced", variables))

    def _book(self, name: str, cases: list[Case], hosts: str) -> tuple[str | Path, ...]:
        variables = self.controller.write(f"{name}.json", {"cases": [case.options for case in cases]})
        return self.controller.write(f"{name}.yml", playbook(cases, hosts)), "-e", f"@{variables}"

    def site(self) -> None:
        everywhere = self._many_hosts("bad_keys", {name: {"mfa_keys": keys} for name, keys in _bad_keys(self.markers)})
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
        later = ("--start-at-task", "Provision the keys, require the token in PAM and sshd, and let users enroll")
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
        wrong = {name: {"given_token": token} for name, token in _bad_tokens(self.markers)}
        everywhere = self._many_hosts("bad_tokens", wrong)
        prompts = {
            "mfa_validate_user": "leak3",
            "mfa_validate_first": "{{ given_token }}",
            "mfa_validate_second": self.markers.token("second at validation"),
            "mfa_exempt_users": ["ansible"],
        }
        arguments = ("-e", f"@{self.controller.write('prompts.json', prompts)}", *everywhere)
        self.controller.run("validate-bad", "fleetmfa.ssh.validate", *arguments)
        self.controller.run("validate-check", "fleetmfa.ssh.validate", *self._right(), "--check")
        self.controller.run("validate", "fleetmfa.ssh.validate", *self._right(), DEBUG="true")

    def _many_hosts(self, group: str, variables: dict[str, dict[str, Any]]) -> tuple[str, ...]:
        """One host under many names, each with other variables: all of them fail in the run that has these arguments."""
        own = self.controller.host.variables
        hosts = {f"{group}-{name}": {**own, **variables_} for name, variables_ in variables.items()}
        self.controller.add_inventory(self.controller.write(f"{group}-hosts.json", {group: {"hosts": hosts}}))
        return ("-e", f"target={group}", "-e", "mfa_serial=100%", "-e", "mfa_max_fail_percentage=100")

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


def _bad_tokens(markers: Markers) -> Iterator[tuple[str, Any]]:
    yield "wrong", markers.token("first at validation")
    yield "list", [markers.token("as a list at validation")]
    yield "dict", {"token": markers.token("as a dict at validation")}
    yield "key", {markers.token("as a key at validation"): 1}
    yield "number", int(markers.code("as a number at validation"))
    yield "long", markers.text("too long at validation", "0123456789876543210")
