# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""What ssh runs to get an answer to a prompt: passes the prompt on to the connection plugin, which decides.

Run by path with `python -I`, so it uses the standard library only. The answer goes from a socket to a pipe of ssh and
is nowhere else.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
from pathlib import Path


def main(socket_path: str, prompt: str) -> int:
    asker = os.getppid()
    with socket.socket(socket.AF_UNIX) as plugin:
        plugin.connect(socket_path)
        plugin.sendall(json.dumps({"prompt": prompt, "asker": _arguments_of(asker)}).encode())
        plugin.shutdown(socket.SHUT_WR)
        with plugin.makefile("rb") as stream:
            reply = json.loads(stream.read() or b"{}")
    if "answer" in reply:
        sys.stdout.write(reply["answer"] + "\n")
        return 0
    # ssh would answer with an empty text, which the host counts as a wrong token.
    if asker > 1:
        os.kill(asker, signal.SIGTERM)
    return 1


def _arguments_of(process: int) -> list[str]:
    """Empty on systems without /proc."""
    try:
        return os.fsdecode(Path(f"/proc/{process}/cmdline").read_bytes()).split("\0")[:-1]
    except OSError:
        return []


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else ""))
