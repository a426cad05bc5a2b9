# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
from __future__ import annotations

import json

import pytest

from lab import cli, instance

INSPECT = """[{"Name": "fleetmfa-x-debian12", "State": {"Running": true},
  "Config": {"Labels": {"fleetmfa.lab.root": "/src", "fleetmfa.lab.instance": "x",
                        "fleetmfa.lab.host": "debian12", "fleetmfa.lab.distribution": "debian12"}},
  "NetworkSettings": {"Ports": {"22/tcp": [{"HostPort": "4022"}]}}}]"""


@pytest.fixture(autouse=True)
def own_cache(cache):
    return cache


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["up", "--hosts", "ubuntu"], "lab: error: --hosts: unknown host 'ubuntu'"),
        (["up", "--instance", "../x"], "lab: error: --instance: '../x' is not a valid name"),
        (["up", "--users", "alice b;c"], "lab: error: --users: 'b;c' is not a user name"),
        (["exec", "debian12"], "lab: error: 'exec' requires a command after '--'"),
        (["list", "--", "true"], "lab: error: 'exec' requires a command after '--', and no other verb accepts one"),
        (["list"], "lab: error: no container engine works (docker: not installed; podman: not installed)"),
    ],
)
def test_errors_are_one_line_and_exit_1(commands, capsys, arguments, message):
    commands()
    assert cli.main(arguments) == 1
    output = capsys.readouterr()
    assert output.err.startswith(message)
    assert output.err.count("\n") == 1
    assert output.out == ""


def test_a_guests_command_reaches_it_word_by_word(commands, tmp_path):
    inspected = json.loads(INSPECT)
    inspected[0]["Config"]["Labels"]["fleetmfa.lab.root"] = str(instance.ROOT)
    (tmp_path / "inspect").write_text(json.dumps(inspected), encoding="utf-8")
    answers = f"ps) echo 1; exit ;; inspect) cat {tmp_path}/inspect; exit ;; exec) ;; *) exit ;;"
    body = f'case $1 in {answers} esac; for word; do echo "$word"; done > {tmp_path}/words; exit 7'
    commands(docker=body)
    assert cli.main(["exec", "--instance", "x", "debian12", "--", "sh", "-c", "a  b", "--", "--hosts"]) == 7
    words = (tmp_path / "words").read_text(encoding="utf-8").splitlines()
    assert [word for word in words if word != "-t"] == [
        "exec",
        "-i",
        "fleetmfa-x-debian12",
        "sh",
        "-c",
        "a  b",
        "--",
        "--hosts",
    ]


def test_list_shows_hosts_with_their_ports(commands, capsys, tmp_path):
    (tmp_path / "inspect").write_text(INSPECT, encoding="utf-8")
    commands(docker=f"case $1 in ps) echo 1 ;; inspect) cat {tmp_path}/inspect ;; esac")
    assert cli.main(["list"]) == 0
    assert capsys.readouterr().out == "x\tdebian12\t127.0.0.1:4022\tfleetmfa-x-debian12\t/src\n"
