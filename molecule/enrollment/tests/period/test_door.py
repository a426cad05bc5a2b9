# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Attacks on the door between users and keys. The attacker is `door`, who wants something of `other`, or of root."""

from __future__ import annotations

import json

import pytest

# Sends each text of a list, so many times, to the door and prints the answers, as whoever runs it.
TALK = """
import json, socket, sys
for text, times in json.loads(sys.stdin.read()):
    with socket.socket(socket.AF_UNIX) as door:
        door.settimeout(120)
        door.connect("/run/fleetmfa/enroll.sock")
        try:
            door.sendall(text.encode("latin-1") * times)
            door.shutdown(socket.SHUT_WR)
        except BrokenPipeError:
            pass
        answer = b""
        try:
            while part := door.recv(65536):
                answer += part
        except ConnectionResetError:
            pass
        print(answer.decode())
"""


@pytest.fixture
def talk(root):
    """talk([text or (text, times), ...], user): the door's answer to each of them."""
    root.run("cat > /tmp/talk.py <<'END'\n" + TALK + "END")

    def talk_(lines, user="door"):
        questions = [(line, 1) if isinstance(line, str) else line for line in lines]
        root.run("cat > /tmp/questions <<'END'\n" + json.dumps(questions) + "\nEND")
        done = root.run(f"su {user} -s /bin/sh -c 'python3 -I /tmp/talk.py < /tmp/questions'")
        assert done.rc == 0, done.stderr
        return [json.loads(line) if line else None for line in done.stdout.splitlines()]

    return talk_


def secret_of(root, user):
    return root.run(f"head -1 /var/lib/fleetmfa/pending/{user}").stdout.strip()


def test_each_user_gets_the_own_key_and_no_request_names_another(talk, root):
    (own,) = talk([json.dumps({"request": "key"}) + "\n"])
    assert own["secret"] == secret_of(root, "door") != secret_of(root, "other")
    for extra in ({"user": "other"}, {"uid": 0}, {"state_dir": "/srv"}, {"token": "1"}):
        (answer,) = talk([json.dumps({"request": "key", **extra}) + "\n"])
        assert set(answer) == {"failed"}, extra


def test_root_gets_no_key_of_a_user_either(talk):
    (answer,) = talk([json.dumps({"request": "key"}) + "\n"], user="root")
    assert set(answer) == {"failed"} and "root cannot enroll here" in answer["failed"]


@pytest.mark.parametrize("user", ["nobody", "daemon", "ansible"])
def test_accounts_that_are_no_people_or_exempt_get_no_key(talk, root, user):
    (answer,) = talk([json.dumps({"request": "key"}) + "\n"], user=user)
    sent_away = set(answer) == {"failed"} and "You cannot enroll yet" in answer["failed"]  # without an SSH key
    assert sent_away or answer == {"refused": "no_pending_key", "seconds": 0}
    assert not root.file(f"/var/lib/fleetmfa/pending/{user}").exists


def test_senseless_and_hostile_requests_get_no_more_than_a_message(talk, root):
    hostile = [
        "",
        "\n",
        "{}\n",
        "[]\n",
        "null\n",
        "1\n",
        "[" * 1000 + "\n",
        ("[", 100_000),
        '{"request": "__init__"}\n',
        '{"request": "_new_key"}\n',
        '{"request": ["key"]}\n',
        '{"request": "first", "token": {"a": 1}}\n',
        '{"request": "first"}\n',
        '{"request": "first", "token": "../../etc/shadow"}\n',
        '{"request": "key"}\n{"request": "key"}\n',
        '{"request": "key"}',
        "\x00\xff\xfe" * 200 + "\n",
        ("A", 5_000_000),
        '{"request": "validate", "first": "' + "1" * 900 + '", "second": "2"}\n',
    ]
    answers = talk(hostile)
    assert len(answers) == len(hostile)
    for question, answer in zip(hostile, answers):
        assert answer is None or set(answer) in ({"failed"}, {"refused", "seconds"}), (question, answer)
        assert "Traceback" not in json.dumps(answer) and secret_of(root, "door") not in json.dumps(answer)
    assert root.run("systemctl is-active fleetmfa-enroll.socket").stdout.strip() == "active"
    assert "Traceback" not in root.run("journalctl -b --no-pager -u 'fleetmfa-enroll'").stdout


def test_a_user_who_says_nothing_is_sent_away(root):
    code = (
        "import socket, time; s = socket.socket(socket.AF_UNIX); s.connect('/run/fleetmfa/enroll.sock'); "
        "t = time.time(); s.recv(100); print(time.time() - t)"
    )
    done = root.run(f'su door -s /bin/sh -c "python3 -I -c \\"{code}\\""')
    assert 2 < float(done.stdout) < 300


# 64 threads of one user that open the door and say nothing, again and again.
FLOOD = """
import socket, threading
def knock():
    while True:
        with socket.socket(socket.AF_UNIX) as door:
            try:
                door.connect("/run/fleetmfa/enroll.sock")
                door.recv(1)
            except OSError:
                pass
for _round in range(64):
    threading.Thread(target=knock).start()
"""


def test_the_flood_of_one_user_keeps_nobody_from_enrolling(root, talk):
    root.run("cat > /tmp/flood.py <<'END'\n" + FLOOD + "END")
    lines = "journalctl -b --no-pager -u 'fleetmfa-enroll*' | wc -l"
    before = int(root.run(lines).stdout)
    root.run("su other -s /bin/sh -c 'exec python3 -I /tmp/flood.py' >/dev/null 2>&1 & echo $! > /tmp/flood.pid")
    try:
        told = (
            "for try in $(seq 600); do journalctl -b --no-pager -u fleetmfa-enroll | "
            "grep -q 'more than 8 connections' && break; sleep 0.1; done"
        )
        root.run(told)
        answers = talk([json.dumps({"request": "status"}) + "\n"] * 50)
        assert [answer and answer.get("user") for answer in answers] == ["door"] * 50
        started = root.run("su door -s /bin/sh -c '/usr/local/bin/mfa-enroll status'")
        assert started.rc == 0 and "User:           door" in started.stdout
    finally:
        root.run("pkill -u other -f flood.py")
    assert int(root.run(lines).stdout) - before < 10
    assert root.run("systemctl is-active fleetmfa-enroll.socket").stdout.strip() == "active"


def test_many_connections_do_not_block_the_door(root, talk):
    code = (
        "import socket; [socket.socket(socket.AF_UNIX).connect('/run/fleetmfa/enroll.sock') for _round in range(400)]"
    )
    root.run(f'su door -s /bin/sh -c "python3 -I -c \\"{code}\\""')
    root.run("sleep 5")
    assert root.run("systemctl is-active fleetmfa-enroll.socket").stdout.strip() == "active"
    assert talk([json.dumps({"request": "status"}) + "\n"])[0]["user"] == "door"


def test_keys_and_programs_are_out_of_reach(root):
    for path in ("/var/lib/fleetmfa/pending/other", "/var/lib/fleetmfa/pending", "/var/lib/fleetmfa/keys"):
        assert root.run(f"su door -s /bin/sh -c 'cat {path} || ls {path}'").rc != 0
    for path in (
        "/usr/local/bin/mfa-enroll",
        "/usr/local/libexec/fleetmfa/mfa-enroll-service",
        "/etc/fleetmfa/policy.conf",
    ):
        file = root.file(path)
        assert (file.user, file.group) == ("root", "root") and not file.mode & 0o022
        assert root.run(f"su door -s /bin/sh -c 'echo x >> {path}'").rc != 0


EVIL = "import os; open('/home/door/evil-was-here', 'a').write(str(os.getuid()))"


def test_the_users_environment_and_folder_reach_nobody(root):
    """The program runs as the user; what matters is that the service, and a root who runs it, load nothing of the
    user's."""
    root.run("rm -rf /home/door/evil /home/door/evil-was-here; mkdir /home/door/evil; chmod 777 /home/door/evil")
    for name in ("json", "socket", "syslog", "sitecustomize", "usercustomize", "ansible_collections", "encodings"):
        root.run(f'echo "{EVIL}" > /home/door/evil/{name}.py')
    evil = "/home/door/evil"
    settings = f"PYTHONPATH={evil} PYTHONSTARTUP={evil}/json.py PYTHONHOME={evil} PATH={evil} HOME={evil}"
    for user in ("door", "root"):
        done = root.run(f"su {user} -s /bin/sh -c 'cd /home/door/evil; {settings} /usr/local/bin/mfa-enroll status'")
        assert done.rc == 0 and f"User:           {user}" in done.stdout, done.stderr
    assert not root.file("/home/door/evil-was-here").exists


# Takes a look at the service while it waits for the request of a user who does not send it.
LOOK = """
su door -s /bin/sh -c 'cd /home/door; SECRET_OF_DOOR=1 exec python3 -I -c "
import socket, time
door = socket.socket(socket.AF_UNIX)
door.connect(\\"/run/fleetmfa/enroll.sock\\")
time.sleep(5)"' >/dev/null 2>&1 &
for try in $(seq 1000); do
    pid=$(pgrep -of '[m]fa-enroll-service door') && break
    sleep 0.05
done
grep -E '^(PPid|NoNewPrivs|Uid|CapEff|Seccomp):' /proc/$pid/status
echo "cwd: $(readlink /proc/$pid/cwd)"
echo "tty: $(cut -d' ' -f7 /proc/$pid/stat)"
echo "environment: $(tr '\\0' ' ' < /proc/$pid/environ)"
for attack in "kill -9 $pid" "kill -STOP $pid" "cat /proc/$pid/mem" "ls /proc/$pid/fd" "cat /proc/$pid/environ"; do
    su door -s /bin/sh -c "$attack" >/dev/null 2>&1 && echo "possible: $attack"
done
true
"""


def test_the_service_has_nothing_of_the_user(root):
    seen = dict(line.split(":", 1) for line in root.run(LOOK).stdout.splitlines())
    seen = {name: value.strip() for name, value in seen.items()}
    assert seen["PPid"] == "1" and seen["NoNewPrivs"] == "1" and seen["Seccomp"] == "2"
    assert seen["cwd"] == "/" and seen["tty"] == "0"
    assert "SECRET_OF_DOOR" not in seen["environment"]
    # CAP_CHOWN, CAP_DAC_OVERRIDE, CAP_FOWNER, CAP_SETGID, CAP_SETUID, CAP_AUDIT_WRITE and nothing else: capabilities(7)
    assert int(seen["CapEff"], 16) == sum(1 << number for number in (0, 1, 3, 6, 7, 29))
    assert "possible" not in seen


def test_a_symbolic_link_in_the_way_is_refused(root, talk):
    root.run("mv /var/lib/fleetmfa/pending/other /root/other; ln -s /etc/shadow /var/lib/fleetmfa/pending/other")
    try:
        (answer,) = talk([json.dumps({"request": "key"}) + "\n"], user="other")
        assert "symbolic link" in answer["failed"] and "root:" not in json.dumps(answer)
    finally:
        root.run("mv -f /root/other /var/lib/fleetmfa/pending/other")


def test_two_at_once_make_one_key(root):
    """They see the same new key: the lock makes the others wait."""
    root.run("rm -f /var/lib/fleetmfa/pending/other")
    root.run("cat > /tmp/talk.py <<'END'\n" + TALK + "END")
    questions = json.dumps([(json.dumps({"request": "key"}) + "\n", 1)] * 3)
    root.run("cat > /tmp/questions <<'END'\n" + questions + "\nEND")
    command = "su other -s /bin/sh -c 'python3 -I /tmp/talk.py < /tmp/questions'"
    done = root.run(
        f"for i in 1 2 3; do {command} > /tmp/answers.$i & done; wait; cat /tmp/answers.*; rm /tmp/answers.*"
    )
    secrets = {json.loads(line)["secret"] for line in done.stdout.splitlines()}
    assert len(done.stdout.splitlines()) == 9 and secrets == {secret_of(root, "other")}


def test_the_audit_log_has_every_step_and_no_secret(root, talk, open_session):
    session = open_session("other")
    totp = session.to_the_qr_code()
    session.enter(*session.wrong_tokens(totp, 1))
    session.wait_for("wrong")
    codes = session.two_tokens(totp)
    session.keep(codes)
    log = root.run("journalctl -b --no-pager -t mfa-enroll | grep 'user other:'").stdout
    for step in (
        "pending key shown",
        "token refused (wrong)",
        "first token accepted",
        "key validated by two tokens",
        "joined mfa-enforced",
    ):
        assert step in log, step
    everything = root.run("journalctl -b --no-pager").stdout
    for secret in (totp.secret, *codes, "otpauth"):
        assert secret not in everything
