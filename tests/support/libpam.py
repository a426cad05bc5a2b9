# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the fleetmfa.ssh authors
"""The real libpam, run in a process of its own: `python libpam.py` reads `CALL FOLDER SERVICE` lines, prints results.

Needs no root: `pam_start_confdir()` reads services from any folder. Nothing is logged, nothing is asked.
"""

from __future__ import annotations

import ctypes
import subprocess
import sys

ECHO_OFF, ECHO_ON = 1, 2
CONV_ERR = 19
ESTABLISH_CRED = 2
FLAGS = {"pam_authenticate": 0, "pam_setcred": ESTABLISH_CRED}
ONLY_DEBUG_MESSAGES = 1 << 7


class Message(ctypes.Structure):
    _fields_ = [("style", ctypes.c_int), ("text", ctypes.c_char_p)]


CONVERSATION = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.c_int, ctypes.POINTER(ctypes.POINTER(Message)), ctypes.c_void_p, ctypes.c_void_p
)


class Conversation(ctypes.Structure):
    _fields_ = [("function", CONVERSATION), ("data", ctypes.c_void_p)]


@CONVERSATION
def _answer_nothing(_count, messages, _responses, _data):
    return CONV_ERR if messages[0].contents.style in (ECHO_OFF, ECHO_ON) else 0


def call(library, name: str, folder: str, service: str, user: str = "nobody") -> int:
    """The code that this function of libpam returned, or pam_start_confdir() where it failed."""
    handle = ctypes.c_void_p()
    conversation = Conversation(_answer_nothing, None)
    code = library.pam_start_confdir(
        service.encode(), user.encode(), ctypes.byref(conversation), folder.encode(), ctypes.byref(handle)
    )
    if code == 0:
        code = getattr(library, name)(handle, FLAGS[name])
        library.pam_end(handle, code)
    return code


def results(name: str, requests: list[tuple[str, str]]) -> list[int]:
    """Codes of one of FLAGS for (folder, service) pairs."""
    text = "".join(f"{name} {folder} {service}\n" for folder, service in requests)
    answer = subprocess.run(
        [sys.executable, __file__], input=text, capture_output=True, text=True, timeout=600, check=True
    )
    return [int(code) for code in answer.stdout.split()]


def _library() -> ctypes.CDLL:
    return ctypes.CDLL("libpam.so.0")


def is_usable() -> bool:
    try:
        return hasattr(_library(), "pam_start_confdir")
    except OSError:
        return False


def main() -> None:
    ctypes.CDLL(None).setlogmask(ONLY_DEBUG_MESSAGES)
    library = _library()
    for request in sys.stdin:
        name, folder, service = request.split()
        print(call(library, name, folder, service))


if __name__ == "__main__":
    main()
