# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""The two examples of docs/notices.md, installed as it says: mail through a sendmail, and a POST to a real HTTPS server."""

from __future__ import annotations

import http.server
import json
import os
import ssl
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.state_dir import StateDir
from ansible_collections.fleetmfa.ssh.tests.support.certificates import Authority

EXAMPLES = Path(__file__).parents[5] / "docs/notices"
NAME, SENDER = "example.com", "security@example.com"


def install(told, name, text=lambda source: source):
    program = told.folder / name
    program.write_text(f"#!{os.path.realpath(sys.executable)} -I\n{text((EXAMPLES / name).read_text())}")
    program.chmod(0o755)
    return str(program)


def run(*command, **notice):
    known = {
        "version": 1,
        "user": "alice",
        "host": "web1",
        "event": "unlocked",
        "time": "2026-01-01T00:00:00Z",
        "text": "x",
    }
    document = json.dumps({**known, **notice}).encode()
    return subprocess.run(command, input=document, capture_output=True, env={}, timeout=60, check=False)


@pytest.fixture
def mail(told):
    """The installed example; the sendmail keeps its arguments and its input."""
    sendmail = told.folder / "sendmail"
    sendmail.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" >{told.folder}/arguments\ncat >{told.folder}/mail\n')
    sendmail.chmod(0o755)
    return install(told, "mail.py", lambda source: source.replace("/usr/sbin/sendmail", str(sendmail)))


def test_a_mail(told, mail, accounts):
    accounts.add_group("mfa-enforced", ["alice"])
    told.write_settings([mail, NAME, SENDER])
    StateDir(str(told.state_dir)).notices.tell("alice", "recovery_code_used", recovery_codes=3, address="192.0.2.1")
    told.send()
    assert (told.folder / "arguments").read_text().split("\n") == ["-oi", "-f", SENDER, "--", f"alice@{NAME}", ""]
    headers, _blank, body = (told.folder / "mail").read_text().partition("\n\n")
    host = os.uname().nodename
    assert f"To: alice@{NAME}\nSubject: SSH token on {host}: recovery code used" in headers
    assert f"A recovery code was used instead of a token on {host} from 192.0.2.1; 3 are left." in body.replace(
        "\n", " "
    )


@pytest.mark.parametrize(
    "user", ["-oQ/tmp", "a b", "a@b.example", "a\nBcc: b@b.example", "a,b", "", "ünicode", "$(id)", ".a"]
)
def test_no_mail_to_what_is_no_name(told, mail, user):
    assert run(mail, NAME, SENDER, user=user).returncode == 1
    assert not (told.folder / "mail").exists()


def test_no_header_in_what_comes_from_outside(told, mail):
    assert run(mail, NAME, SENDER, host="web1\nBcc: b@b.example").returncode == 1
    assert not (told.folder / "mail").exists()


def test_a_sendmail_that_fails(told, mail):
    (told.folder / "sendmail").write_text("#!/bin/sh\nexit 75\n")
    assert run(mail, NAME, SENDER).returncode == 75


class Server:
    """HTTPS on loopback; `got` are the paths and bodies of all POSTs."""

    def __init__(self, folder, status=200):
        authority = Authority(folder)
        files = authority.issue("server")
        self.ca, self.got = authority.path, []

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(handler):  # noqa: N802, N805
                body = handler.rfile.read(int(handler.headers["Content-Length"]))
                self.got.append((handler.path, handler.headers["Content-Type"], body))
                handler.send_response(status)
                handler.send_header("Location", "/elsewhere")
                handler.end_headers()

            do_GET = do_POST  # noqa: N815

            def log_message(handler, *_arguments):  # noqa: N805
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(files.cert, files.key)
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()
        self.url = f"https://127.0.0.1:{self._server.server_port}/hook/secret"

    def stop(self):
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@pytest.fixture
def serve(tmp_path):
    started = []

    def serve_(**given):
        started.append(Server(tmp_path / "tls", **given))
        return started[-1]

    yield serve_
    for one in started:
        one.stop()


@pytest.fixture
def webhook(told):
    """webhook(url, ca) -> the command of the installed example."""
    program = install(told, "webhook.py")

    def command(*lines):
        address = told.folder / "address"
        address.write_text("".join(f"{line}\n" for line in lines))
        address.chmod(0o600)
        return [program, str(address)]

    return command


def test_a_post(told, webhook, serve, accounts):
    server = serve()
    told.write_settings(webhook(server.url, server.ca))
    StateDir(str(told.state_dir)).notices.tell("alice", "validated", replaced=False)
    told.send()
    ((path, kind, body),) = server.got
    assert (path, kind) == ("/hook/secret", "application/json")
    assert json.loads(body)["event"] == "validated"


@pytest.mark.parametrize("status", [302, 307, 404, 500])
def test_an_answer_that_is_no_success(webhook, serve, status):
    server = serve(status=status)
    assert run(*webhook(server.url, server.ca)).returncode == 1
    assert [path for path, _kind, _body in server.got] == ["/hook/secret"], "told nobody else"


def test_a_server_that_nobody_vouches_for(webhook, serve):
    server = serve()
    assert run(*webhook(server.url)).returncode == 1 and server.got == []


def test_only_https(webhook):
    assert run(*webhook("http://127.0.0.1:9/")).stderr == b"the address does not begin with https://\n"
