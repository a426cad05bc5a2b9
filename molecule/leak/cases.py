# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Calls of every module, valid and invalid, with a marker wherever a secret can be; and the playbook with them."""

from __future__ import annotations

from typing import Any, Callable, Iterator, NamedTuple

from markers import Markers
from misplacements import Call

BAD_LINES = "auth required pam_google_authenticator.so nullok\n"


# What has to hold of the result of a call.
FAILS, GOES_WELL = "{told} is failed", "{told} is not failed"
# Ansible makes lists of some of what is no list; whether a call then fails is not the matter here.
EITHER = "{told} is defined"
# Tokens are not judged in check mode.
JUDGED = "{told} is failed or ansible_check_mode"


class Case(NamedTuple):
    name: str
    module: str
    options: dict[str, Any]
    outcome: str = FAILS


def all_cases(markers: Markers, sheets: str) -> list[Case]:
    cases = [
        *good_cases(markers, sheets),
        *bad_key_cases(markers),
        *bad_token_cases(markers),
        *bad_sheet_cases(markers, sheets),
        *probe_cases(markers),
        *other_cases(),
    ]
    return [case._replace(name=f"{case.module}: {case.name}") for case in cases]


def good_cases(markers: Markers, sheets: str) -> Iterator[Case]:
    yield Case(
        "new keys",
        "totp_key",
        {
            "keys": [
                {
                    "user": user,
                    "secret": markers.secret(f"of a new key, {user}"),
                    "recovery_codes": [markers.code(f"of a new key, {user}")],
                    "state": state,
                }
                for user, state in (("leak1", "pending"), ("leak2", "validated"))
            ]
        },
        GOES_WELL,
    )
    secret = markers.secret("in groups of four, in lower case")
    grouped = " ".join(secret[start : start + 4] for start in range(0, len(secret), 4)).lower()
    yield Case("in groups", "totp_key", {"keys": [{"user": "leak1", "secret": grouped}]}, GOES_WELL)
    yield Case("another key", "totp_key", {"keys": [{"user": "leak2", "secret": markers.secret("rotated")}]}, GOES_WELL)
    yield Case("generated", "totp_key", {"users": ["leak3"]}, GOES_WELL)
    yield Case("reading keys", "totp_key_info", {}, GOES_WELL)
    yield Case(
        "sheets",
        "enrollment_sheets",
        {
            "keys": [
                {
                    "user": "leak1",
                    "secret": markers.secret("on a sheet"),
                    "recovery_codes": [markers.code("on a sheet")],
                }
            ],
            "dest": sheets,
        },
        GOES_WELL,
    )


def bad_key_cases(markers: Markers) -> Iterator[Case]:
    def beside_a_good_one(name: str, outcome: str = FAILS, **entry: Any) -> Case:
        good = {"user": "leak1", "secret": markers.secret(f"beside: {name}"), "recovery_codes": [markers.code(name)]}
        return Case(name, "totp_key", {"keys": [good, {"user": "leak2", **entry}]}, outcome)

    for name, secret in _misshapen(markers, "secret"):
        yield beside_a_good_one(f"secret {name}", secret=secret)
    yield beside_a_good_one("secret with a padding", secret=f"{markers.secret('with a padding')}=")
    yield beside_a_good_one("secret with a wrong letter", secret=f"{markers.secret('with a wrong letter')}1")
    yield beside_a_good_one("secret that is too short", secret=markers.text("too short", "QMARKERQMARKERQX"))
    yield beside_a_good_one("unknown user", user="nobody-of-that-name", secret=markers.secret("of an unknown user"))
    yield beside_a_good_one("bad user", user="../leak2", secret=markers.secret("of a bad user"))
    yield beside_a_good_one("named twice", user="leak1", secret=markers.secret("named twice"))
    yield beside_a_good_one("bad state", state="on", secret=markers.secret("with a bad state"))
    yield beside_a_good_one("bad account", account="a:b", secret=markers.secret("with a bad account"))
    yield beside_a_good_one(
        "misspelt suboption", sekret=markers.secret("misspelt"), recovery_code=markers.code("misspelt")
    )
    for name, codes in _misshapen_lists(markers, markers.code, "recovery codes"):
        yield beside_a_good_one(f"recovery codes {name}", EITHER, recovery_codes=codes)
    yield beside_a_good_one("recovery codes too long", recovery_codes=[markers.text("long code", "8123456789012")])
    good = {"user": "leak1", "secret": markers.secret("under a misspelt option")}
    yield Case("misspelt option", "totp_key", {"key": [good]})
    yield Case(
        "bad option beside", "totp_key", {"keys": [{**good, "secret": markers.secret("bad window")}], "window": "wide"}
    )
    yield Case("keys as text", "totp_key", {"keys": markers.secret("keys as text")})
    yield Case("keys as a list of texts", "totp_key", {"keys": [markers.secret("keys as a list of texts")]})
    yield Case("keys by user", "totp_key", {"keys": {"leak1": markers.secret("keys by user")}})
    yield Case("keys by user in a list", "totp_key", {"keys": [{"leak1": markers.secret("keys by user in a list")}]})


def bad_token_cases(markers: Markers) -> Iterator[Case]:
    def validation(name: str, outcome: str = FAILS, user: str = "leak1", **entry: Any) -> Case:
        return Case(name, "totp_validate", {"validations": [{"user": user, **entry}]}, outcome)

    for name, tokens in _misshapen_lists(markers, markers.token, "tokens"):
        yield validation(f"tokens {name}", EITHER, tokens=tokens)
    wrong = [markers.token("first wrong"), markers.token("second wrong")]
    yield validation("wrong tokens", JUDGED, tokens=wrong)
    spaced = [f"{token[:3]} {token[3:]}" for token in wrong]
    yield validation("wrong tokens with blanks", JUDGED, tokens=spaced)
    yield validation("tokens of an unknown user", user="nobody-of-that-name", tokens=wrong)
    yield validation("misspelt suboption", token=[markers.token("misspelt"), markers.token("misspelt too")])
    yield Case("misspelt option", "totp_validate", {"validation": [{"user": "leak1", "tokens": wrong}]})
    yield Case("tokens at the top", "totp_validate", {"user": "leak1", "tokens": wrong})
    yield Case("validations by user", "totp_validate", {"validations": {"leak1": wrong}})


def bad_sheet_cases(markers: Markers, sheets: str) -> Iterator[Case]:
    for name, secret in _misshapen(markers, "secret on a sheet"):
        yield Case(name, "enrollment_sheets", {"keys": [{"user": "leak1", "secret": secret}], "dest": sheets})
    bad = {"user": "leak1", "secret": f"{markers.secret('bad on a sheet')}1"}
    yield Case("bad secret", "enrollment_sheets", {"keys": [bad], "dest": sheets})
    yield Case("misspelt option", "enrollment_sheets", {"key": [bad], "keys": [bad], "dest": sheets})
    yield Case("no folder", "enrollment_sheets", {"keys": [bad], "dest": "/proc/sheets"})


def probe_cases(markers: Markers) -> Iterator[Case]:
    """Of a port where nothing answers: what is given is read, and then told as the input of a task that fails."""

    def probe(name: str, **entry: Any) -> Case:
        whole = {"user": "leak1", "expect": "asked", "hosts": ["127.0.0.1"], "port": 9, **entry}
        return Case(name, "ssh_login_probe", {"probes": [whole]})

    yield probe("secret", secret=markers.secret("of a probe"), password=markers.secret("password of a probe"))
    for name, secret in _misshapen(markers, "secret of a probe"):
        yield probe(f"secret {name}", secret=secret)
    yield probe("bad secret", secret=f"{markers.secret('bad, of a probe')}1")
    yield probe("misspelt suboption", sekret=markers.secret("misspelt, of a probe"))


def other_cases() -> Iterator[Case]:
    """Modules that receive no secret but read files containing some, or run together with them."""
    yield Case("reading sshd", "sshd_policy_info", {"assume_enforced": ["leak1"]}, GOES_WELL)
    yield Case("no sshd there", "sshd_policy_info", {"binary": "/nowhere/sshd"})
    yield Case("reading PAM", "pam_stack_info", {"service": "sshd"}, GOES_WELL)
    yield Case("bad lines", "pam_totp", {"service": "sshd", "content": BAD_LINES})
    yield Case("bad policy", "sshd_totp", {"content": "Match Group mfa-enforced\n  Nonsense yes\n"})
    yield Case("bad roll-out", "totp_rollout", {"pam": [{"service": "sshd", "content": BAD_LINES}]})
    yield Case("relative path", "host_files", {"files": [{"path": "a", "content": "text"}]})


def misplacement(call: Call) -> Case:
    names = sorted({name for row in call.rows for name in row.names})
    named = " and ".join([FAILS, "'none belongs' in {told}.msg", *(f"'{name}' in {{told}}.msg" for name in names)])
    outcome = {"named": named, "refused": FAILS, "taken": GOES_WELL, "either": EITHER}[call.expected]
    name = f"{call.name}: misplaced, {call.rows[0].what} in {call.rows[0].where}"
    return Case(name.replace("{}", " name"), call.name, call.options, outcome)


def _misshapen(markers: Markers, what: str) -> Iterator[tuple[str, Any]]:
    """Values of people who expect the option to be something else than a string."""
    yield "as a list", [markers.secret(f"{what} as a list")]
    yield "as a dict", {"value": markers.secret(f"{what} as a dict")}
    yield "as a key of a dict", {markers.secret(f"{what} as a key of a dict"): True}
    yield "as a number", int(markers.text(f"{what} as a number", "7261534930187263549018"))


def _misshapen_lists(markers: Markers, make: Callable[[str], str], what: str) -> Iterator[tuple[str, Any]]:
    yield "as one text", make(f"{what} as one text")
    yield "as a text with commas", f"{make(f'{what} with commas')},{make(f'{what} with commas, 2')},"
    yield "as a text with blanks", f"{make(f'{what} with blanks')} {make(f'{what} with blanks, 2')}"
    yield "as one number", int(markers.code(f"{what} as one number"))
    yield "in lists", [[make(f"{what} in lists")]]
    yield "in dicts", [{"code": make(f"{what} in dicts")}]
    yield "as keys", {make(f"{what} as keys"): make(f"{what} as values of keys")}
    yield "as keys in a list", [{make(f"{what} as keys in a list"): True}]


def playbook(cases: list[Case], hosts: str) -> list[dict]:
    """Each case as a task; then all results shown in full, and whether each was as expected."""
    tasks: list[dict] = []
    for number, case in enumerate(cases):
        # All options as one variable, because the name of one may be a secret.
        task = {
            "name": f"{number} {case.name}",
            f"fleetmfa.ssh.{case.module}": None,
            "args": f"{{{{ cases[{number}] }}}}",
        }
        if case.module == "totp_key_merge":
            task["run_once"] = True  # as it runs anyway; otherwise only the first host would have the result
        tasks.append({**task, "register": f"told_{number}", "ignore_errors": True})
    results = ", ".join(f"told_{number}" for number in range(len(cases)))
    expected = [case.outcome.format(told=f"told_{number}") for number, case in enumerate(cases)]
    tasks += [
        {"name": "Show what they told", "ansible.builtin.debug": {"var": f"[{results}]"}},
        {"name": "Each did what it should", "ansible.builtin.assert": {"that": expected, "quiet": True}},
    ]
    return [
        {"name": "Every module, right and wrong", "hosts": hosts, "become": True, "gather_facts": False, "tasks": tasks}
    ]
