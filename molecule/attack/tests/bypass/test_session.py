# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""What somebody can do inside a session: that of an enforced user, and that of a user whose key is pending."""

from __future__ import annotations

import json
import time

from lab.logins import login

KEYS = "/var/lib/fleetmfa/keys"
# Each must fail. $1 is the user.
ATTEMPTS = """
gpasswd --delete $1 mfa-enforced
gpasswd --members "" mfa-enforced
usermod --groups "" $1
deluser $1 mfa-enforced
groupdel mfa-enforced
groupmod --new-name other mfa-enforced
sg root -c true
newgrp root
echo >> /etc/group
ls /var/lib/fleetmfa
cat KEYS/$1
cat /var/lib/fleetmfa/guard/$1
rm -f KEYS/$1
mv KEYS/$1 ~/key
mv /var/lib/fleetmfa /var/lib/elsewhere
mkdir -p /var/lib/fleetmfa/keys
ln -sf ~/.google_authenticator KEYS/$1
cp ~/.google_authenticator KEYS/$1
chmod 777 /var/lib/fleetmfa
chown $1 KEYS/$1
rm -f /var/lib/fleetmfa/guard/$1
PAM_USER=$1 PAM_TYPE=auth /usr/local/libexec/fleetmfa/totp-guard attempt
PAM_USER=$1 PAM_TYPE=auth /usr/local/libexec/fleetmfa/totp-guard claim
echo > /usr/local/libexec/fleetmfa/totp-guard
mv /usr/local/libexec/fleetmfa ~/
echo > /etc/pam.d/sshd
echo auth sufficient pam_permit.so > /etc/pam.d/sshd-mfa
echo auth sufficient pam_permit.so > /etc/pam.d/own
rm -f /etc/pam.d/sshd
echo > /etc/ssh/sshd_config.d/00-0.conf
echo > /etc/ssh/sshd_config.d/00-fleetmfa.conf
echo >> /etc/ssh/sshd_config
kill -HUP $(cat /run/sshd.pid)
systemctl stop ssh
sudo -n true
""".replace("KEYS", KEYS).strip()
# Everything that decides who is asked and who gets in, then the secret of each key. Tests of other hosts log in here as
# traveller meanwhile (test_one_factor.py), for which PAM makes a temporary file.
STATE = """
find /etc/ssh /etc/pam.d /etc/group KEYS /usr/local/libexec/fleetmfa -type f ! -name 'traveller~*' | sort | xargs sha256sum
find KEYS -type f ! -name 'traveller~*' | sort | xargs head -qn 1
""".replace("KEYS", KEYS)
# Talks to the enrollment service as the user it is run by.
ASK = """
import socket, sys
for question in sys.stdin.read().splitlines():
    with socket.socket(socket.AF_UNIX) as door:
        door.connect("/run/fleetmfa/enroll.sock")
        door.sendall(question.encode() + b"\\n")
        door.shutdown(socket.SHUT_WR)
        print(door.makefile().read())
"""


def test_enforced_user_cannot_leave_or_rewrite_anything(mark):
    mark.write(".google_authenticator", "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ\n")
    script = f'set -- {mark.name}; export PATH="$PATH:/usr/sbin:/sbin"\n' + "".join(
        f"({line}) < /dev/null > /dev/null 2>&1 && echo {number}\n" for number, line in enumerate(ATTEMPTS.splitlines())
    )
    before = mark.root.check_output(STATE)
    attempt = login(mark.server, mark.name, [mark.key.token()], command=script + "echo done")
    *succeeded, done = attempt.output.splitlines()
    assert done == "done"
    assert [ATTEMPTS.splitlines()[int(number)] for number in succeeded] == []
    assert _without_logins(mark.root.check_output(STATE), mark) == _without_logins(before, mark)
    assert mark.name in mark.root.group("mfa-enforced").members
    assert not mark.key_alone().allowed


def _without_logins(state, mark):
    """PAM records the used steps in the files of the user and of traveller; their secrets stay in the state."""
    own, travellers = f" {KEYS}/{mark.name}", f" {KEYS}/traveller"
    assert f"{own}\n" in f"{state}\n"
    return [line for line in state.splitlines() if not line.endswith((own, travellers))]


class TestPendingUser:
    """nosy has a pending key, and wants those of others."""

    def ask(self, root, *questions):
        """The enrollment service's answer to nosy."""
        lines = "\n".join(map(json.dumps, questions))
        talk = f"runuser -u nosy -- python3 -c '{ASK}' <<'END'\n{lines}\nEND\n"
        return [json.loads(answer) for answer in root.check_output(talk).splitlines()]

    def test_reads_no_secret(self, server, root, keys):
        paths = f"{KEYS}/mark1 /var/lib/fleetmfa/pending/idle /var/lib/fleetmfa/pending/nosy"
        attempt = login(server, "nosy", command=f"cat {paths}; ls -R /var/lib/fleetmfa; true")
        assert attempt.allowed and not attempt.asked and attempt.output == ""

    def test_is_answered_as_nobody_else(self, root, keys):
        own, *others = self.ask(
            root, {"request": "key"}, {"request": "key", "user": "idle"}, {"request": "status", "user": "mark1"}
        )
        assert own == {"refused": "key_given", "seconds": 0}
        assert all(set(answer) == {"failed"} for answer in others)

    def test_validates_nothing_with_the_tokens_of_another(self, root, server, keys):
        now = time.time()
        tokens = {"first": keys["idle"].totp.at(now - 30), "second": keys["idle"].totp.at(now)}
        as_itself, as_idle = self.ask(
            root, {"request": "validate", **tokens}, {"request": "validate", "user": "idle", **tokens}
        )
        assert as_itself["refused"] == "wrong" and set(as_idle) == {"failed"}
        assert {"nosy", "idle"}.isdisjoint(root.group("mfa-enforced").members)
        for user in ("nosy", "idle"):
            attempt = login(server, user)
            assert attempt.allowed and not attempt.asked
