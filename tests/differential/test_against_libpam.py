# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""The model of PAM held against the real libpam of this machine, on random stacks of modules with fixed results.

FLEETMFA_STACKS and FLEETMFA_SEED choose how many and which; the seed is printed with each run.
"""

from __future__ import annotations

import os
import random
import shutil
import tempfile
from collections import Counter
from functools import lru_cache
from pathlib import Path

import pytest

from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam import dispatch
from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.config import RETURN_VALUES, PamConfig
from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.modules import TOKEN_MODULES, outcomes
from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.probe import find_module
from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.setcred import results_of
from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.subject import Subject
from ansible_collections.fleetmfa.ssh.tests.support import libpam
from ansible_collections.fleetmfa.ssh.tests.support.random_stacks import RandomFolder

STACKS = int(os.environ.get("FLEETMFA_STACKS", "5000"))
SEED = int(os.environ["FLEETMFA_SEED"])
PAM_ABORT = "abort"
is_installed = lru_cache(maxsize=None)(find_module)

pytestmark = pytest.mark.skipif(
    not libpam.is_usable() or not find_module("pam_debug.so"),
    reason="needs libpam with pam_start_confdir() (1.4) and pam_debug.so",
)


@pytest.fixture
def folder():
    base = tempfile.mkdtemp(dir="/dev/shm" if os.access("/dev/shm", os.W_OK) else None)  # noqa: S108
    yield base
    shutil.rmtree(base)


def authenticate_result(line, service: str) -> str:
    (outcome,) = outcomes(line, Subject(), service, TOKEN_MODULES)
    return outcome.result


def setcred_result(line, _service: str) -> str:
    (result,) = results_of(line)
    return result


MODULE_RESULT = {"pam_authenticate": authenticate_result, "pam_setcred": setcred_result}


def model_result(name: str, folder: str, service: str, jump_is_ok: bool) -> str:
    stack = PamConfig(folder).auth_stack(service)
    if stack.problem:
        return PAM_ABORT

    def result_of(line):
        return MODULE_RESULT[name](line, service) if is_installed(line.module) else "module_unknown"

    return dispatch.run(stack.lines, result_of, jump_is_ok)


def setcred_takes_a_jump_for_ok(folder: str) -> bool:
    """The original libpam does, Debian's does not."""
    Path(folder, "svc").write_text("auth [default=1] pam_debug.so cred=user_unknown\nauth required pam_deny.so\n")
    (code,) = libpam.results("pam_setcred", [(folder, "svc")])
    return RETURN_VALUES[code] == "user_unknown"


def write_folders(base: str, seed: int, count: int) -> list[tuple[str, RandomFolder]]:
    dice = random.Random(seed)
    folders = []
    for number in range(count):
        path = Path(base, str(number))
        path.mkdir()
        folder = RandomFolder(dice, str(path))
        for name, text in folder.files.items():
            (path / name).write_bytes(text.encode())
        folders.append((str(path), folder))
    return folders


def compare(name: str, folders: list[tuple[str, RandomFolder]], jump_is_ok: bool = False) -> tuple[Counter, list[str]]:
    """How often libpam gave each result, and a report of each folder for which the model says something else."""
    real = libpam.results(name, [(path, folder.service) for path, folder in folders])
    differences = []
    for (path, folder), code in zip(folders, real):
        modelled = model_result(name, path, folder.service, jump_is_ok)
        if modelled != RETURN_VALUES[code]:
            texts = "".join(f"--- {name}\n{text}" for name, text in folder.files.items())
            differences.append(f"service {folder.service}: libpam {RETURN_VALUES[code]}, model {modelled}\n{texts}")
    return Counter(RETURN_VALUES[code] for code in real), differences


@pytest.mark.parametrize("name", MODULE_RESULT)
def test_the_model_does_what_libpam_does(folder, name):
    jump_is_ok = name == "pam_setcred" and setcred_takes_a_jump_for_ok(folder)
    seen, differences = compare(name, write_folders(folder, SEED, STACKS), jump_is_ok)
    print(dict(seen.most_common()))
    assert sum(seen.values()) == STACKS > 0
    # A run in which every stack ends the same way compares nothing.
    assert min(seen["success"], seen["auth_err"], seen["perm_denied"], seen["abort"]) > STACKS // 200
    assert not differences, f"{len(differences)} differences with seed {SEED}, the first:\n{differences[0]}"


# What the modules of this machine really return must be among what is known of them, for a user and a member of nothing.
KNOWN_LINES = (
    "pam_permit.so", "pam_deny.so", "pam_env.so", "pam_warn.so", "pam_group.so", "pam_keyinit.so", "pam_mail.so",
    "pam_faildelay.so", "pam_echo.so hello", "pam_issue.so", "pam_rootok.so", "pam_shells.so", "pam_localuser.so",
    "pam_usertype.so issystem", "pam_wheel.so", "pam_lastlog.so", "pam_cap.so", "pam_limits.so", "pam_motd.so",
    "pam_nologin.so", "pam_nologin.so successok", "pam_exec.so quiet /bin/true", "pam_exec.so quiet /bin/false",
    "pam_exec.so type=account /bin/true", "pam_exec.so quiet", "pam_access.so", "pam_listfile.so item=user",
    "pam_listfile.so item=user sense=allow file=/etc/passwd", "pam_listfile.so item=user sense=deny file=/etc/passwd",
    "pam_listfile.so item=user sense=allow file=/nonexistent onerr=succeed",
    "pam_succeed_if.so user = nobody", "pam_succeed_if.so user ingroup root", "pam_succeed_if.so uid < 1000",
    "pam_succeed_if.so uid >= 1000 user = nobody", "pam_succeed_if.so user in root:nobody", "pam_succeed_if.so quiet",
    "pam_succeed_if.so user notin root:nobody", "pam_succeed_if.so user =~ nob*", "pam_succeed_if.so user !~ nob*",
    "pam_succeed_if.so service = svc", "pam_succeed_if.so colour = red", "pam_succeed_if.so user = root x",
    "pam_succeed_if.so user = nobody x", "pam_succeed_if.so uid >= x", "pam_succeed_if.so uid lt 010",
    "pam_google_authenticator.so secret=/nonexistent/x nullok", "pam_google_authenticator.so no_such_option",
    "pam_oath.so usersfile=/nonexistent alwaysok",
)  # fmt: skip


@pytest.mark.parametrize("name", MODULE_RESULT)
@pytest.mark.parametrize("text", KNOWN_LINES)
def test_what_is_known_of_a_module_is_true(folder, name, text):
    if not is_installed(text.split()[0]):
        pytest.skip("the module is not installed here")
    nobody = Subject.from_host("nobody", None, False)
    Path(folder, "svc").write_text(f"auth [default=ok] {text}\n")
    (line,) = PamConfig(folder).auth_stack("svc").lines
    known = (
        set(results_of(line))
        if name == "pam_setcred"
        else {outcome.result for outcome in outcomes(line, nobody, "svc", TOKEN_MODULES)}
    )
    (code,) = libpam.results(name, [(folder, "svc")])
    assert RETURN_VALUES[code] in known


def approve_always(judgement, result):
    return dispatch.Judgement(dispatch.POSITIVE, result)


def object_last(_judgement, result):
    return dispatch.Judgement(dispatch.NEGATIVE, result)


def skip_into_substacks(_lines, position, count):
    return position + count, 0


@pytest.mark.parametrize(
    ("rule", "wrong"),
    [("_approve", approve_always), ("_object", object_last), ("_skip", skip_into_substacks)],
)
def test_a_wrong_rule_is_found(folder, monkeypatch, rule, wrong):
    monkeypatch.setattr(dispatch, rule, wrong)
    _seen, differences = compare("pam_authenticate", write_folders(folder, seed=1, count=1000))
    assert differences
