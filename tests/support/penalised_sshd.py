# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""An sshd that knows PerSourcePenalties, on machines whose own does not (before OpenSSH 9.8).

The machine's real sshd answers everything else. As the real one, it takes the first list that is not below Match.
"""

from __future__ import annotations

import sys

from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.binary import Sshd
from ansible_collections.fleetmfa.ssh.tests.support.sshd_host import SshdHost

DEFAULT_PENALTIES = "crash:90 authfail:5 noauth:1 grace-exceeded:10 max:600 min:15"
_STAND_IN = """#!{python}
import re, subprocess, sys, tempfile
from pathlib import Path
sys.path[:0] = {path!r}  # the environment is not passed on
from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.config import SshdConfig

arguments, said = sys.argv[1:], {{"persourcepenalties": "{penalties}", "persourcepenaltyexemptlist": "none"}}
if "-f" in arguments:
    place = arguments.index("-f") + 1
    config = SshdConfig(arguments[place])
    folder = tempfile.TemporaryDirectory()
    for one in reversed(config.directives):
        if one.keyword in said and not one.matches:
            said[one.keyword] = " ".join(one.arguments)
    if "-o" in arguments:
        place_of_option = arguments.index("-o")
        keyword, value = arguments[place_of_option + 1].split("=")
        said[keyword.lower()] = value
        del arguments[place_of_option : place_of_option + 2]
    copies = config.stage(folder.name)
    for copy in map(Path, copies.values()):
        copy.write_text(re.sub(r"(?im)^\\s*persourcepenalt.*$", "", copy.read_text()))
    arguments[arguments.index("-f") + 1] = copies[config.path]
done = subprocess.run(["{sshd}", *arguments])
if "-T" in arguments and not done.returncode:
    print("\\n".join(map(" ".join, said.items())))
sys.exit(done.returncode)
"""


def penalise(host: SshdHost) -> None:
    """From now on the host's sshd knows the keywords."""
    if Sshd(str(host.sshd)).version >= (9, 8):
        return
    real = host.sshd.rename(host.sshd.parent / "real-sshd")
    host.sshd.write_text(_STAND_IN.format(python=sys.executable, path=sys.path, penalties=DEFAULT_PENALTIES, sshd=real))
    host.sshd.chmod(0o755)


def on_command_line(host: SshdHost, option: str) -> None:
    """From now on the host's sshd is started with `-o option`, which comes before every file."""
    inner = host.sshd.rename(host.sshd.parent / "inner-sshd")
    host.sshd.write_text(f'#!/bin/sh\nexec {inner} "$@" -o {option}\n')
    host.sshd.chmod(0o755)
