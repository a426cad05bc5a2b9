# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""The real libpam, through ctypes. It needs no root: pam_start_confdir() reads services from any folder."""

from __future__ import annotations

import ctypes
import functools
import subprocess
import sys
from pathlib import Path
from typing import Callable, Sequence

SUCCESS, CONV_ERR = 0, 19
ECHO_OFF, ECHO_ON = 1, 2
ESTABLISH_CRED = 2
RHOST = 4
FLAGS = {"pam_authenticate": 0, "pam_setcred": ESTABLISH_CRED, "pam_acct_mgmt": 0}
ONLY_DEBUG_MESSAGES = 1 << 7


class Message(ctypes.Structure):
    _fields_ = [("style", ctypes.c_int), ("text", ctypes.c_char_p)]


class Response(ctypes.Structure):
    _fields_ = [("text", ctypes.c_void_p), ("code", ctypes.c_int)]


CONVERSATION = ctypes.CFUNCTYPE(
    ctypes.c_int,
    ctypes.c_int,
    ctypes.POINTER(ctypes.POINTER(Message)),
    ctypes.POINTER(ctypes.POINTER(Response)),
    ctypes.c_void_p,
)


class Conversation(ctypes.Structure):
    _fields_ = [("function", CONVERSATION), ("data", ctypes.c_void_p)]


_libc = ctypes.CDLL(None)
_libc.calloc.restype = ctypes.c_void_p
_libc.strdup.restype = ctypes.c_void_p


@functools.lru_cache(maxsize=None)
def _library() -> ctypes.CDLL:
    return ctypes.CDLL("libpam.so.0")


def is_usable() -> bool:
    try:
        return hasattr(_library(), "pam_start_confdir")
    except OSError:
        return False


def call(
    name: str,
    folder: str | Path,
    service: str,
    user: str = "nobody",
    answer: Callable[[], str] | None = None,
    environment: Sequence[str] = (),
    after: Sequence[str] = (),
    address: str = "",
) -> int:
    """The code that this function of libpam returned, or pam_start_confdir() if that failed, or one of the functions called before it
    on the same handle."""
    library = _library()
    handle = ctypes.c_void_p()
    conversation = Conversation(CONVERSATION(_converse(answer)), None)
    code = library.pam_start_confdir(
        service.encode(), user.encode(), ctypes.byref(conversation), str(folder).encode(), ctypes.byref(handle)
    )
    if code == SUCCESS:
        if address:
            library.pam_set_item(handle, RHOST, address.encode())
        for setting in environment:
            library.pam_putenv(handle, setting.encode())
        for function in (*after, name):
            code = getattr(library, function)(handle, FLAGS[function]) if code == SUCCESS else code
        library.pam_end(handle, code)
    return code


def _converse(answer: Callable[[], str] | None) -> Callable[..., int]:
    def converse(count, messages, responses, _data):
        replies = ctypes.cast(_libc.calloc(count, ctypes.sizeof(Response)), ctypes.POINTER(Response))
        for index in range(count):
            if messages[index].contents.style in (ECHO_OFF, ECHO_ON):
                if answer is None:
                    return CONV_ERR
                replies[index].text = _libc.strdup(answer().encode())
        responses[0] = replies
        return SUCCESS

    return converse


def results(name: str, requests: list[tuple[str, str]]) -> list[int]:
    """Codes of one of FLAGS for (folder, service) pairs."""
    text = "".join(f"{name} {folder} {service}\n" for folder, service in requests)
    answer = subprocess.run(
        [sys.executable, __file__], input=text, capture_output=True, text=True, timeout=600, check=True
    )
    return [int(code) for code in answer.stdout.split()]


def main() -> None:
    ctypes.CDLL(None).setlogmask(ONLY_DEBUG_MESSAGES)
    for request in sys.stdin:
        name, folder, service = request.split()
        print(call(name, folder, service))


if __name__ == "__main__":
    main()
