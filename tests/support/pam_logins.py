# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the fleetmfa.ssh authors
"""Logins through the real libpam and the real pam_google_authenticator, each in a process of its own, without an sshd.

A login stops at its prompt until it is answered, so a test decides what happens at the same time.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import multiprocessing
import os
from pathlib import Path

SUCCESS, CONVERSATION_ERROR = 0, 19
SERVICE = "guarded"
TIMEOUT = 30

_fork = multiprocessing.get_context("fork")
_libpam = ctypes.CDLL(ctypes.util.find_library("pam") or "libpam.so.0")
_libc = ctypes.CDLL(None)
_libc.calloc.restype = _libc.strdup.restype = ctypes.c_void_p


class _Response(ctypes.Structure):
    _fields_ = [("text", ctypes.c_void_p), ("code", ctypes.c_int)]


_Converse = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.c_int, ctypes.c_void_p, ctypes.POINTER(ctypes.c_void_p), ctypes.c_void_p
)


class _Conversation(ctypes.Structure):
    _fields_ = [("converse", _Converse), ("data", ctypes.c_void_p)]


class PamLogin:
    """One login: has_prompt() waits for the prompt, answer() answers it, succeeds() waits for the end."""

    def __init__(self, confdir: Path, user: str, environment: tuple[str, ...] = ()):
        self._pipe, far_end = _fork.Pipe()
        self._process = _fork.Process(
            target=_authenticate, args=(far_end, str(confdir), user, environment), daemon=True
        )
        self._process.start()
        far_end.close()
        self._result = None

    @property
    def pid(self) -> int:
        return self._process.pid

    def has_prompt(self) -> bool:
        return self._next() == "prompt"

    def answer(self, text: str) -> None:
        self._pipe.send(text)

    def hang_up(self) -> None:
        self._process.kill()
        self._process.join()

    def succeeds(self) -> bool:
        if self._result is None:
            self._next()
        self._process.join(TIMEOUT)
        return self._result == SUCCESS

    def _next(self):
        if not self._pipe.poll(TIMEOUT):
            raise TimeoutError("the login neither asks nor ends")
        message = self._pipe.recv()
        if message != "prompt":
            self._result = message
        return message


def _authenticate(pipe, confdir: str, user: str, environment: tuple[str, ...]) -> None:
    def converse(_count, _messages, responses, _data):
        pipe.send("prompt")
        answer = pipe.recv()
        reply = _libc.calloc(1, ctypes.sizeof(_Response))
        ctypes.cast(reply, ctypes.POINTER(_Response))[0].text = _libc.strdup(answer.encode())
        responses[0] = reply
        return SUCCESS

    handle = ctypes.c_void_p()
    conversation = _Conversation(_Converse(converse), None)
    result = _libpam.pam_start_confdir(
        SERVICE.encode(), user.encode(), ctypes.byref(conversation), confdir.encode(), ctypes.byref(handle)
    )
    for setting in environment:
        _libpam.pam_putenv(handle, setting.encode())
    if result == SUCCESS:
        result = _libpam.pam_authenticate(handle, 0)
    pipe.send(result)
    os._exit(0)
