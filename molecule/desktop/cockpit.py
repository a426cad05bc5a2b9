# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Logs in to Cockpit on a host as its page does: HTTP, one request for each answer. Python 3 without libraries.

Argument: JSON with user and answers, the first of which is the password. Prints JSON with prompts, P for the page's own field and T for a
field that PAM has asked for, and ran_as: the user of the session, empty without one.
"""

import base64
import json
import re
import sys
import urllib.error
import urllib.request

LOGIN = "http://localhost:9090/cockpit/login"
SECONDS = 120
ASKED = re.compile(r"X-Conversation (\S+) (\S+)")


def send(kind, *words):
    """The answer's status, its headers and its text."""
    request = urllib.request.Request(LOGIN, headers={"Authorization": " ".join((kind, *words))})
    try:
        with urllib.request.urlopen(request, timeout=SECONDS) as response:  # noqa: S310  # http, of this host
            return response.status, response.headers, response.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.headers, error.read().decode()


def encoded(text):
    return base64.b64encode(text.encode()).decode()


def main():
    given = json.loads(sys.argv[1])
    password, *answers = given["answers"]
    prompts, shown = "P", []
    status, headers, text = send("Basic", encoded(f"{given['user']}:{password}"))
    # Cockpit repeats the last question in the answer that lets in.
    while status == 401 and (asked := ASKED.search(headers.get("WWW-Authenticate") or "")):
        shown.append(base64.b64decode(asked[2]).decode())
        prompts += "T" if shown[-1] == "Verification code: " else "?"
        if not answers:
            break
        status, headers, text = send("X-Conversation", asked[1], encoded(answers.pop(0)))
    ran_as = given["user"] if status == 200 and "csrf-token" in json.loads(text) else ""
    print(json.dumps({"prompts": prompts, "ran_as": ran_as, "shown": [status, *shown, text]}))


if __name__ == "__main__":
    main()
