# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""What the model makes of answers, held against the real modules: random stacks, and every answer to their prompts."""

from __future__ import annotations

import base64
import itertools
import multiprocessing
import os
import random
import time
from pathlib import Path

import pytest

from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.totp import token_at
from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.config import PamConfig
from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.modules import TOKEN_MODULES
from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.probe import find_module
from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.prompts import (
    ANSWERS,
    BOTH,
    OTHER,
    PADDED,
    PASSWORD,
    TOKEN,
)
from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.prover import auth_ways, has_so_suffix
from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.subject import Subject
from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.walk import Walker, that_succeed
from ansible_collections.fleetmfa.ssh.tests.support import libpam

STACKS = 60
SERVICE, SECRET, WRONG = "svc", os.urandom(20), "000000"
WITH_KEY = Subject(has_key=True)
# pam_oath cuts off the end of a password that is longer than a token.
PASSWORDS = {
    "alice": ("correct horse", "$5$fleetmfa$Fo3UmxfP/YIzEzB7Tg26mLeHqaicrc8bPmir4yeJYb2"),
    "bob": ("horse", "$5$fleetmfa$HVe5UugoKle5ZZb6qMT02Wu0SjPom6kAOeewGOw45Y2"),
}
MODULES = (
    "pam_unix.so nodelay",
    "pam_unix.so nodelay try_first_pass",
    "pam_unix.so nodelay use_first_pass",
    "pam_google_authenticator.so secret=/etc/totp user=root",
    "pam_google_authenticator.so secret=/etc/totp user=root try_first_pass",
    "pam_google_authenticator.so secret=/etc/totp user=root use_first_pass",
    "pam_google_authenticator.so secret=/etc/totp user=root forward_pass",
    "pam_google_authenticator.so secret=/etc/totp user=root forward_pass use_first_pass",
    "pam_permit.so",
)
# At most one in a stack, since it takes no token twice.
OATH = tuple(
    f"pam_oath.so usersfile=/etc/users.oath {options}"
    for options in ("", "digits=6", "digits=6 try_first_pass", "digits=6 use_first_pass")
)
# The model lets a right password fail, too; with these controls that helps nobody.
JUMP = "[success=1 default=ignore]"
CONTROLS = ("required", "required", "requisite", "sufficient", "optional", JUMP)
MOST_PROMPTS = 4

pytestmark = pytest.mark.skipif(
    not libpam.is_usable() or not all(map(find_module, ("pam_google_authenticator.so", "pam_oath.so"))),
    reason="needs libpam with pam_start_confdir() (1.4), libpam-google-authenticator and libpam-oath",
)


@pytest.fixture
def folder(accounts, tmp_path):
    with Path("/etc/shadow").open("a") as shadow:
        shadow.writelines(f"{user}:{hashed}:19000:0:99999:7:::\n" for user, (_password, hashed) in PASSWORDS.items())
    return tmp_path


def write_token_keys():
    """As new: pam_oath takes no token twice."""
    Path("/etc/totp").write_text(f'{base64.b32encode(SECRET).decode()}\n" TOTP_AUTH\n" WINDOW_SIZE 17\n')
    Path("/etc/users.oath").write_text("".join(f"HOTP/T30/6 {user} - {SECRET.hex()}\n" for user in PASSWORDS))
    for path in ("/etc/totp", "/etc/users.oath"):
        os.chmod(path, 0o600)


def real_success(folder, user, answers):
    """Whether libpam says yes to these answers, the last of which is repeated; and how many it asked for."""
    write_token_keys()
    token = token_at(SECRET, int(time.time()) // 30)
    password = PASSWORDS[user][0]
    typed = {PASSWORD: password, TOKEN: token, BOTH: password + token, PADDED: password + WRONG, OTHER: WRONG}
    asked = []

    def answer():
        asked.append(typed[answers[min(len(asked), len(answers) - 1)]])
        return asked[-1]

    return libpam.call("pam_authenticate", folder, SERVICE, user, answer) == libpam.SUCCESS, len(asked)


def real_successes(folder, user, possible):
    """Whether any of these answers to each prompt makes libpam say yes."""
    prefixes = [()]
    while prefixes:
        prefix = prefixes.pop()
        for answer in possible:
            success, asked = real_success(folder, user, (*prefix, answer))
            if success and asked <= len(prefix) + 1:
                return True
            if asked > len(prefix) + 1:
                assert asked <= MOST_PROMPTS
                prefixes.append((*prefix, answer))
    return False


def modelled_success(folder, possible):
    lines = PamConfig(str(folder)).auth_stack(SERVICE).lines
    ways = [auth_ways(line, WITH_KEY, SERVICE, TOKEN_MODULES, has_so_suffix) for line in lines]
    return bool(that_succeed(Walker(lines, (), TOKEN_MODULES, possible).ends(ways)))


# Anybody can type something wrong.
POSSIBLE = ((OTHER,), (OTHER, PASSWORD, PADDED), (OTHER, TOKEN), (OTHER, PASSWORD, TOKEN), ANSWERS)
ONE_ANSWER = (False, True)


def successes(folder, possible, one_answer):
    """Of libpam and of the model, for an answer to each prompt, or for one to all of them."""
    alternatives = [(answer,) for answer in possible] if one_answer else [possible]
    real = any(real_successes(folder, user, each) for each in alternatives for user in PASSWORDS)
    return real, any(modelled_success(folder, each) for each in alternatives)


# What one line leaves and another reads, which random stacks have too seldom.
FIRST_PASS = MODULES[5]
CHOSEN = (
    f"auth optional pam_unix.so nodelay\nauth required {FIRST_PASS}\n",
    f"auth optional pam_unix.so nodelay\nauth required {FIRST_PASS}\nauth required pam_unix.so nodelay\n",
)


def random_stack(dice):
    modules = dice.choices(MODULES, k=dice.randint(1, MOST_PROMPTS - 1)) + [dice.choice((*OATH, MODULES[-1]))]
    dice.shuffle(modules)
    text = ""
    for module in modules:
        control = dice.choice(CONTROLS)
        text += f"auth {control} {module}\n" + ("auth requisite pam_deny.so\n" if control == JUMP else "")
    return text + dice.choice(("", "auth optional pam_permit.so\n"))


def differences(folder, seed, count):
    """In a process of its own, which the modules may do to what they want."""
    dice = random.Random(seed)
    found, said = [], set()
    for stack in (*CHOSEN, *(random_stack(dice) for _round in range(count))):
        (folder / SERVICE).write_text(stack)
        (folder / "other").write_text("auth required pam_deny.so\n")
        for question in itertools.product(POSSIBLE, ONE_ANSWER):
            real, modelled = successes(folder, *question)
            said.add((question, real))
            if real != modelled:
                found.append(f"{question}: libpam {real}, model {modelled}\n{stack}")
    return found, len(said)


@pytest.mark.release
def test_answers_do_to_the_model_what_they_do_to_the_modules(folder):
    with multiprocessing.get_context("fork").Pool(1) as processes:
        found, kinds = processes.apply(differences, (folder, int(os.environ["FLEETMFA_SEED"]), STACKS))
    assert kinds == 2 * len(POSSIBLE) * len(ONE_ANSWER), "no question was answered in both ways"
    assert not found, f"{len(found)} differences, the first:\n" + "\n\n".join(found[:5])
