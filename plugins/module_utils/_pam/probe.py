# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Queries the PAM modules installed on this host. Private to the collection.

pam_google_authenticator denies everybody without a prompt if it does not know an option, and its known options depend
on the version. So the module itself is tried, in a child process, with a user and a key file that do not exist: it
prompts if it accepts its options, and the prompt is refused. Its function is called directly, not through
pam_authenticate(), so that nothing is written to the audit trail; the log is masked; no file is touched.
"""

from __future__ import annotations

import ctypes
import glob
import os
import signal
import time
from typing import Any, Callable, Sequence

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError
from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.config import RETURN_VALUES
from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.modules import unknown_google_option

GOOGLE_AUTHENTICATOR = "pam_google_authenticator.so"
MODULE_FOLDERS = (
    "/lib/security",
    "/lib64/security",
    "/usr/lib/security",
    "/usr/lib64/security",
    "/lib/*-linux-*/security",
    "/usr/lib/*-linux-*/security",
)
_NOBODY = b"fleetmfa-probe"
_NO_FILE = "secret=/nonexistent/fleetmfa-probe"
_ONLY_DEBUG_MESSAGES = 1 << 7
_CONV_ERR = RETURN_VALUES.index("conv_err")
_IGNORE = RETURN_VALUES.index("ignore")
# It takes milliseconds; a module that waits for something must not block a run forever.
_SECONDS = 30
_LOOKS_EVERY = 0.005
_REFUSES, _ACCEPTS, _UNCLEAR = range(3)


def find_module(module: str) -> str | None:
    """Path of an installed module, None if there is none."""
    if module.startswith("/"):
        return module if os.path.isfile(module) else None
    patterns = (os.path.join(folder, glob.escape(module)) for folder in MODULE_FOLDERS)
    return next((path for pattern in patterns for path in sorted(glob.glob(pattern)) if os.path.isfile(path)), None)


def check_module_line(module: str, arguments: Sequence[str]) -> None:
    """Raises FleetMfaError if libpam could not load the module of a line, or the module would reject one of its
    options."""
    path = find_module(module)
    if path is None:
        raise FleetMfaError(f"PAM module {module} is not installed on this host; install its package first")
    if os.path.basename(module) != GOOGLE_AUTHENTICATOR:
        return
    unknown = unknown_google_option(arguments)
    if unknown is None and os.geteuid() == 0 and _answer(path, arguments) == _REFUSES:
        unknown = next((word for word in arguments if _answer(path, [word]) == _REFUSES), " ".join(arguments))
    if unknown is not None:
        raise FleetMfaError(
            f"{path} does not accept the option {unknown}: it would deny everybody without a prompt; fix the option"
        )


def _answer(path: str, arguments: Sequence[str]) -> int:
    """What the module does with these options, tried in a child process so that it cannot affect this one."""
    child = os.fork()
    if child == 0:
        answer = _UNCLEAR
        try:
            answer = _ask(path, arguments)
        finally:
            os._exit(answer)
    deadline = time.monotonic() + _SECONDS
    while True:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return os.WEXITSTATUS(status) if os.WIFEXITED(status) else _UNCLEAR
        if time.monotonic() > deadline:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            raise FleetMfaError(
                f"{path} did not say within {_SECONDS} seconds whether it takes its options; a login would wait as long. Find out "
                "what it waits for (a directory service, a file server) and run again"
            )
        time.sleep(_LOOKS_EVERY)


class _Message(ctypes.Structure):
    _fields_ = [("style", ctypes.c_int), ("text", ctypes.c_char_p)]


_CONVERSATION = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.c_int, ctypes.POINTER(ctypes.POINTER(_Message)), ctypes.c_void_p, ctypes.c_void_p
)


class _Conversation(ctypes.Structure):
    _fields_ = [("function", _CONVERSATION), ("data", ctypes.c_void_p)]


def _ask(path: str, arguments: Sequence[str]) -> int:
    prompts: list[int] = []

    def refuse(_count: int, messages: Sequence[Any], _responses: object, _data: object) -> int:
        prompts.append(messages[0].contents.style)
        return _CONV_ERR

    ctypes.CDLL(None).setlogmask(_ONLY_DEBUG_MESSAGES)
    libpam = ctypes.CDLL("libpam.so.0", mode=ctypes.RTLD_GLOBAL)
    authenticate: Callable[..., int] = ctypes.CDLL(path).pam_sm_authenticate
    handle = ctypes.c_void_p()
    conversation = _Conversation(_CONVERSATION(refuse), None)
    if libpam.pam_start(b"other", _NOBODY, ctypes.byref(conversation), ctypes.byref(handle)) != 0:
        return _UNCLEAR
    words = [_harmless(word).encode("utf-8", "surrogateescape") for word in (*arguments, _NO_FILE)]
    code = authenticate(handle, 0, len(words), (ctypes.c_char_p * (len(words) + 1))(*words, None))
    return _ACCEPTS if prompts or code == _IGNORE else _REFUSES


def _harmless(word: str) -> str:
    """The module uses the last `secret=`, so it opens no real key; with `use_first_pass` alone it would never
    prompt."""
    return "try_first_pass" if word == "use_first_pass" else word
