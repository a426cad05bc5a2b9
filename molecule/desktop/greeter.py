# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Types into the window of LightDM's greeter, on a host. Python 3 without libraries; needs xdotool.

Argument: JSON with user and answers. Prints JSON with prompts, one P for each that PAM has sent to the greeter (LightDM's log does not tell
their text), ran_as: the user of the session that was started, and what LightDM's log says.
"""

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

LOG = Path("/var/log/lightdm/lightdm.log")
SESSIONS = Path("/var/tmp")  # noqa: S108  # session-of-USER, which the session of the test writes
SECONDS = 60
X11 = {"DISPLAY": ":0", "XAUTHORITY": "/var/run/lightdm/root/:0"}
PROMPT = "Prompt greeter with 1 message(s)"
ENDED = re.compile(r"Authenticate result for user \S+: (.+)")


def log_of(user):
    """What LightDM has logged of the first try of the user; a greeter starts another one after a refusal."""
    log = LOG.read_text().partition(f"Greeter start authentication for {user}\n")[2]
    ended = ENDED.search(log)
    return log[: ended.end()] if ended else log


def log_when_asked(user, number):
    """The log as soon as PAM has asked so often, or the try has ended."""
    wait_for(lambda: log_of(user).count(PROMPT) >= number or ENDED.search(log_of(user)))
    return log_of(user)


def wait_for(found):
    deadline = time.monotonic() + SECONDS
    while not (seen := found()):
        if time.monotonic() > deadline:
            sys.exit(f"waited in vain: {LOG.read_text() if LOG.exists() else 'no log'}")
        time.sleep(0.1)
    return seen


def enter(text):
    for command in (["type", "--delay", "30", text], ["key", "Return"]):
        subprocess.run(["xdotool", *command], env={**os.environ, **X11}, check=True)


def start():
    """A new greeter, which waits for a name."""
    subprocess.run(["systemctl", "stop", "lightdm"], check=True)
    LOG.unlink(missing_ok=True)
    for left in SESSIONS.glob("session-of-*"):
        left.unlink()
    subprocess.run(["systemctl", "reset-failed", "lightdm"], check=False)
    subprocess.run(["systemctl", "start", "lightdm"], check=True)
    # Of its window nothing tells that it can be typed into, but it asks PAM for a name as its last step.
    wait_for(lambda: LOG.exists() and PROMPT in LOG.read_text())
    time.sleep(1)


def main():
    given = json.loads(sys.argv[1])
    user, answers = given["user"], given["answers"]
    start()
    enter(user)

    for number, answer in enumerate(answers, 1):
        if ENDED.search(log_when_asked(user, number)):
            break
        time.sleep(0.5)  # until the field is shown
        enter(answer)
    log = log_when_asked(user, len(answers) + 1)
    ended = ENDED.search(log)
    ran_as = ""
    if ended and ended[1] == "Success":
        session = wait_for(lambda: [one for one in SESSIONS.glob("session-of-*") if one.read_text()])
        ran_as = session[0].read_text().strip()
    print(json.dumps({"prompts": "P" * log.count(PROMPT), "ran_as": ran_as, "shown": log}))
    subprocess.run(["systemctl", "stop", "lightdm"], check=True)


if __name__ == "__main__":
    main()
