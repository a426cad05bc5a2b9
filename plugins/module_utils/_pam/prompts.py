# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""What is typed at the prompts of an `auth` stack, and what the modules make of it. Private to the collection.

A module asks, or takes what was typed at an earlier prompt (PAM_AUTHTOK, here `held`). So two lines do not always read
two answers, and one answer is not always for one line: with `forward_pass`, pam_google_authenticator takes password and
token in one and leaves the password for the next line. Random stacks of the
real modules are asked the same (test_prompts.py).
"""

from __future__ import annotations

from typing import Iterator, NamedTuple, Sequence

from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.config import Line
from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.modules import PASSWORD_MODULES, ModuleOutcome

PASSWORD, TOKEN, BOTH, OTHER = "password", "token", "password and token in one", "anything else"
PADDED = "password and any six digits in one"
# Whatever succeeds with something else, which anybody can type, is shown first.
ANSWERS = (OTHER, PASSWORD, PADDED, TOKEN, BOTH)

_GOOGLE, _OATH = "pam_google_authenticator.so", "pam_oath.so"
# What this module does not hold yet it asks for, and it asks once: pam_get_authtok(3).
_ASKS_ONCE = ("pam_unix.so",)


class Reading(NamedTuple):
    """What a line reads, and what is held afterwards. `prompt` is empty if the line does not ask."""

    answer: str | None
    prompt: str
    held: str | None


def readings(
    line: Line, outcome: ModuleOutcome, held: str | None, answers: Sequence[str], token_modules: Sequence[str]
) -> Iterator[Reading]:
    """Every way in which the line may come to this outcome; none if what it would have to read cannot be typed."""
    if line.type == "auth" and line.module_name in token_modules and outcome.asks_token:
        yield from _of_token_line(line, outcome, held, answers)
    elif line.type == "auth" and line.module_name in PASSWORD_MODULES:
        yield from _of_password_line(line, outcome, held, answers)
    elif _stores_answer(line) and held is None:
        yield from (Reading(answer, prompt_of(line), answer) for answer in answers)
    else:
        yield Reading(None, "", held)


def reads_held(line: Line, token_modules: Sequence[str]) -> bool:
    """Whether it makes a difference to this line what was typed before."""
    return _stores_answer(line) or (line.type == "auth" and line.module_name in (*token_modules, *PASSWORD_MODULES))


def _stores_answer(line: Line) -> bool:
    """pam_exec(8) asks if nothing is held, whatever the program makes of it."""
    return line.type == "auth" and line.module_name == "pam_exec.so" and "expose_authtok" in line.arguments


def _of_token_line(line: Line, outcome: ModuleOutcome, held: str | None, answers: Sequence[str]) -> Iterator[Reading]:
    accepted = outcome.result == "success"
    for answer, prompt in _read(line, held, answers):
        # What pam_google_authenticator did not ask for itself may have a password in front of the token. pam_oath takes
        # that only if its usersfile has a `+` in place of the password.
        takes_both = line.module_name == _GOOGLE and ("forward_pass" in line.arguments or not prompt)
        right = answer == TOKEN or (answer == BOTH and takes_both)
        # A token that is right but refused (too many attempts, used before) is as good as any other answer.
        if right == accepted or not outcome.genuine:
            for left in _left_by_token_line(line, outcome, answer, held):
                yield Reading(answer, prompt, left)


def _left_by_token_line(
    line: Line, outcome: ModuleOutcome, answer: str | None, held: str | None
) -> Sequence[str | None]:
    if line.module_name == _OATH and any(word.startswith("digits=") for word in line.arguments):
        # It takes the last digits for the token, right or wrong, and leaves what is in front: of a long password, a part.
        return {BOTH: (PASSWORD,), PADDED: (PASSWORD,), PASSWORD: (held, OTHER)}.get(answer or "", (held,))
    if line.module_name == _GOOGLE and "forward_pass" in line.arguments and outcome.result == "success":
        return (PASSWORD,) if answer == BOTH else (OTHER,)  # a token alone leaves an empty password
    return (held,)


def _of_password_line(
    line: Line, outcome: ModuleOutcome, held: str | None, answers: Sequence[str]
) -> Iterator[Reading]:
    for answer, prompt in _read(line, held, answers):
        if answer == PASSWORD or outcome.result != "success":
            yield Reading(answer, prompt, answer if prompt else held)


def _read(line: Line, held: str | None, answers: Sequence[str]) -> Iterator[tuple[str | None, str]]:
    """What the line may read: an answer to its own prompt or, without a prompt, what is held."""
    first_only, first_tried = "use_first_pass" in line.arguments, "try_first_pass" in line.arguments
    asks_once = line.module_name in _ASKS_ONCE or (line.module_name == _OATH and first_tried)
    may_take_held = first_only or first_tried or line.module_name in PASSWORD_MODULES
    if held is not None and may_take_held:
        yield held, ""
    elif first_only:
        yield None, ""
    if not first_only and not (asks_once and held is not None):
        for answer in answers:
            yield answer, prompt_of(line)


def prompt_of(line: Line) -> str:
    if line.module_name == _GOOGLE:
        own = next(
            (word[len("authtok_prompt=") :] for word in line.arguments if word.startswith("authtok_prompt=")), ""
        )
        return own or ("Password & verification code: " if "forward_pass" in line.arguments else "Verification code: ")
    return "One-time password (OATH): " if line.module_name == _OATH else "Password: "
