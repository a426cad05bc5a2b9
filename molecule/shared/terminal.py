# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Runs a command as a user on a terminal of its own, on a host, and answers its prompts. Python 3 without libraries.

Argument: JSON with user, command and answers. Prints JSON with prompts, ran_as and everything the terminal showed.
"""

import contextlib
import json
import os
import pty
import pwd
import re
import select
import signal
import sys
import termios
import time

SECONDS = 120  # a busy machine is slow; login(1) itself gives up after 60
SECONDS_UNTIL_HIDDEN = 10
# C: polkit asks which of several administrators one is; the answer is given as a name.
PROMPT = re.compile(
    rb"(?:(?P<P>[Pp]assword(?: for \w+)?)|(?P<T>Verification code)|(?P<C>Choose identity to authenticate as \([\d-]+\))): ?$"
)
AGAIN = re.compile(rb"login: $")  # login(1) has refused, and starts from the beginning
RAN_AS = re.compile(rb"^ran-as=(\w+)", re.MULTILINE)
PAINT = re.compile(rb"\r|\x1b\[[\d;]*m")
# login(1) starts a shell; what is typed there is echoed, but not at the start of a line.
SHELL = re.compile(rb"[$#] $")
IN_SHELL = b"echo ran-as=$(id -un); exit\n"


def become(user):
    account = pwd.getpwnam(user)
    os.initgroups(user, account.pw_gid)
    os.setresgid(account.pw_gid, account.pw_gid, account.pw_gid)
    os.setresuid(account.pw_uid, account.pw_uid, account.pw_uid)
    os.chdir("/")
    os.environ.clear()
    os.environ.update(PATH="/usr/sbin:/usr/bin:/sbin:/bin", TERM="dumb", HOME="/", LANG="C")


def wait_until_hidden(terminal):
    """polkit's agent shows its prompt first, then switches the echo off and forgets what was typed before that."""
    deadline = time.monotonic() + SECONDS_UNTIL_HIDDEN
    while termios.tcgetattr(terminal)[3] & termios.ECHO and time.monotonic() < deadline:
        time.sleep(0.01)


def converse(terminal, answers):
    """Answers the prompts until the program ends, or asks for more than there are answers."""
    shown, unread, prompts, typed = b"", b"", "", False
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        if not select.select([terminal], [], [], 1)[0]:
            continue
        try:
            part = os.read(terminal, 4096)
        except OSError:  # the program has closed its end
            part = b""
        if not part:
            break
        shown, unread = shown + part, unread + part
        if AGAIN.search(unread):
            break
        found = PROMPT.search(unread)
        if found:
            prompts, unread = prompts + found.lastgroup, b""
            if not answers:
                break
            answer = answers.pop(0).encode()
            if found["C"]:
                answer = re.search(rb"(\d+)\. +%s\b" % answer, shown)[1]
            else:
                wait_until_hidden(terminal)
            os.write(terminal, answer + b"\n")
        elif not typed and SHELL.search(unread) and prompts.endswith(("P", "T")):
            typed = True
            os.write(terminal, IN_SHELL)
    return prompts, shown


def main():
    given = json.loads(sys.argv[1])
    child, terminal = pty.fork()
    if child == 0:
        become(given["user"])
        os.execv("/bin/sh", ["sh", "-c", given["command"]])  # noqa: S606
    prompts, shown = converse(terminal, given["answers"])
    os.close(terminal)
    with contextlib.suppress(ProcessLookupError):
        os.kill(child, signal.SIGHUP)
    ran_as = RAN_AS.search(PAINT.sub(b"", shown))
    print(json.dumps({"prompts": prompts, "ran_as": ran_as[1].decode() if ran_as else "", "shown": repr(shown)}))
    sys.stdout.flush()
    os._exit(0)  # a program that ignores the hang-up is not waited for


if __name__ == "__main__":
    main()
