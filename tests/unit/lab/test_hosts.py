# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
from __future__ import annotations

import json
import socket
import threading

import pytest

from lab import hosts
from lab.console import LabError
from lab.engine import Engine


@pytest.mark.parametrize(
    ("specification", "names"),
    [
        ("debian12", ["debian12"]),
        (" debian11,debian12\n", ["debian11", "debian12"]),
        ("debian13:3 debian12", ["debian13-1", "debian13-2", "debian13-3", "debian12"]),
        ("debian13:1", ["debian13-1"]),
        ("debian13 debian13:1", ["debian13", "debian13-1"]),
    ],
)
def test_parse(specification, names):
    wanted = hosts.parse(specification)
    assert [host.name for host in wanted] == names
    assert all(host.name.startswith(host.distribution.name) for host in wanted)


@pytest.mark.parametrize(
    ("specification", "message"),
    [
        ("debian12 debian99", "unknown host 'debian99'; known are debian11, debian12, debian13"),
        ("", "unknown host ''"),
        ("debian12:", "'debian12:' needs a number from 1 to 500"),
        ("debian12:0", "'debian12:0' needs a number from 1 to 500"),
        ("debian12:-1", "needs a number"),
        ("debian12:501", "needs a number"),
        ("debian12:2:2", "needs a number"),
        ("debian12 debian12", "debian12 named twice; for more than one write debian12:2"),
        ("debian12:2 debian12:1", "debian12-1 named twice; for more than one write debian12:2"),
        ("../debian12", "unknown host '../debian12'"),
    ],
)
def test_parse_names_what_is_wrong(specification, message):
    with pytest.raises(LabError, match="^--hosts: ") as error:
        hosts.parse(specification)
    assert message in str(error.value)


def test_a_taken_port_is_named_with_its_host():
    with socket.socket() as listener:
        listener.bind((hosts.ADDRESS, 0))
        listener.listen()
        port = listener.getsockname()[1]
        with pytest.raises(LabError, match=f"debian12-2: port {port} on 127.0.0.1 is taken .* --port-base"):
            hosts.require_port("debian12-2", port)
    hosts.require_port("debian12-2", port)


def test_a_port_beyond_the_last_one_is_refused():
    with pytest.raises(LabError, match="debian12: there is no port 65536"):
        hosts.require_port("debian12", 65536)


def details(name, ports, running=True):
    labels = {
        "fleetmfa.lab.root": "/src",
        "fleetmfa.lab.instance": "default",
        "fleetmfa.lab.host": "debian12",
        "fleetmfa.lab.distribution": "debian12",
    }
    return {
        "Name": name,
        "State": {"Running": running},
        "Config": {"Labels": labels},
        "NetworkSettings": {"Ports": ports},
    }


@pytest.mark.parametrize(
    ("name", "ports", "port"),
    [
        ("fleetmfa-default-debian12", {"22/tcp": [{"HostIp": "127.0.0.1", "HostPort": "4022"}]}, 4022),
        ("/fleetmfa-default-debian12", {"22/tcp": [{"HostIp": "127.0.0.1", "HostPort": "4022"}]}, 4022),
        ("/fleetmfa-default-debian12", {}, 0),
        ("fleetmfa-default-debian12", {"22/tcp": None}, 0),
        ("fleetmfa-default-debian12", None, 0),
    ],
    ids=["podman", "docker", "docker stopped", "podman stopped", "no network"],
)
def test_details_of_both_engines(commands, tmp_path, name, ports, port):
    (tmp_path / "inspect").write_text(json.dumps([details(name, ports, running=bool(port))]), encoding="utf-8")
    commands(fake=f'case $1 in ps) echo 0815 ;; inspect) cat "{tmp_path}/inspect"; exit 1 ;; esac')
    expected = hosts.Container("fleetmfa-default-debian12", "/src", "default", "debian12", "debian12", bool(port), port)
    assert hosts.containers(Engine("podman", ("fake",))) == [expected]


def test_without_containers_nothing_is_inspected(commands):
    commands(fake='[ "$1" = ps ]')
    assert hosts.containers(Engine("podman", ("fake",))) == []


def container(port=0):
    return hosts.Container("fleetmfa-x-debian12", "/src", "x", "debian12", "debian12", False, port)


def failing(tmp_path, times, message):
    """An engine whose "run" fails that many times."""
    return f"""echo "$*" >> "{tmp_path}/calls"
[ "$1" = run ] || exit 0
[ "$(grep -c '^run' "{tmp_path}/calls")" -gt {times} ] || {{ echo "{message}" >&2; exit 125; }}"""


@pytest.mark.parametrize("message", ["listen tcp: address already in use", "Bind failed: port is already allocated"])
def test_a_free_port_lost_in_a_race_is_chosen_anew(commands, tmp_path, message):
    commands(fake=failing(tmp_path, 2, message))
    hosts.start(Engine("podman", ("fake",)), container())
    calls = (tmp_path / "calls").read_text(encoding="utf-8")
    assert calls.count("rm -f -v fleetmfa-x-debian12") == 2
    assert calls.count("-p 127.0.0.1::22") == 3


@pytest.mark.parametrize(
    ("message", "port", "tries"),
    [("address already in use", 4022, 1), ("address already in use", 0, 3), ("no such image", 0, 1)],
    ids=["fixed port", "again and again", "something else"],
)
def test_a_start_that_fails_says_why_and_leaves_nothing(commands, tmp_path, message, port, tries):
    commands(fake=failing(tmp_path, 9, message))
    with pytest.raises(LabError, match=f"debian12: the container did not start:\n{message}"):
        hosts.start(Engine("podman", ("fake",)), container(port))
    calls = (tmp_path / "calls").read_text(encoding="utf-8")
    assert calls.count("run -d") == calls.count("rm -f -v fleetmfa-x-debian12") == tries


def test_the_host_is_ready_when_it_answers_with_a_banner(commands):
    commands(fake="echo 'ssh-ed25519 AAAA root@debian12'")
    with socket.socket() as listener:
        listener.bind((hosts.ADDRESS, 0))
        listener.listen()

        def serve():
            # The first connection reaches the engine's proxy before sshd listens.
            listener.accept()[0].close()
            connection = listener.accept()[0]
            connection.sendall(b"SSH-2.0-OpenSSH_9.2p1\r\n")
            connection.close()

        server = threading.Thread(target=serve, daemon=True)
        server.start()
        port = listener.getsockname()[1]
        ready = hosts.prepare(Engine("podman", ("fake",)), container(port), "key", ["alice"])
        server.join(5)
    assert not server.is_alive()
    assert ready == hosts.LabHost("debian12", "debian12", "fleetmfa-x-debian12", port, "ssh-ed25519 AAAA")


@pytest.mark.parametrize("answers_after", [True, False])
def test_a_host_that_the_engine_does_not_forward_to_is_restarted_once(commands, monkeypatch, tmp_path, answers_after):
    calls = tmp_path / "calls"
    commands(fake=f'echo "$1" >> {calls}; echo "ssh-ed25519 AAAA root@debian12"')
    monkeypatch.setattr(hosts, "_answers", lambda _port: answers_after and "restart" in calls.read_text())
    if answers_after:
        assert hosts.prepare(Engine("podman", ("fake",)), container(1), "key", []).name == "debian12"
    else:
        with pytest.raises(LabError, match="debian12 is not ready: no SSH banner on 127.0.0.1 port 1"):
            hosts.prepare(Engine("podman", ("fake",)), container(1), "key", [])
    assert calls.read_text().split()[:3] == ["exec", "restart", "exec"]


def test_a_host_that_is_not_ready_shows_its_log(commands):
    commands(fake='[ "$1" = logs ] && echo "Freezing execution." || { echo "no useradd" >&2; exit 1; }')
    with pytest.raises(LabError, match="debian12 is not ready: no useradd\nFreezing execution."):
        hosts.prepare(Engine("podman", ("fake",)), container(1), "key", [])


def test_the_lab_gives_up_on_a_boot_that_hangs(commands, monkeypatch):
    monkeypatch.setattr(hosts, "READY_SECONDS", 0.2)
    commands(fake='[ "$1" = logs ] || exec sleep 5')
    with pytest.raises(LabError, match="debian12 is not ready: the boot has not finished after 0.2 s"):
        hosts.prepare(Engine("podman", ("fake",)), container(1), "key", [])


def engine_with_two_hosts(commands, deaf):
    """`rm` cannot end the host two as often as `deaf` says."""
    folder = commands(
        docker=f"""
here=$(dirname "$0")
case "$1" in
    ps) cat "$here/there" ;;
    rm) echo x >> "$here/tries"
        [ "$(wc -l < "$here/tries")" -gt {deaf} ] && exit 0
        echo two > "$here/there"; echo "PIDs did not die" >&2; exit 1 ;;
esac"""
    )
    return Engine("docker", (str(folder / "docker"),)), folder / "tries"


def test_hosts_that_die_late_are_removed(commands):
    engine, tries = engine_with_two_hosts(commands, 2)
    hosts.remove(engine, ["one", "two"])
    assert len(tries.read_text().splitlines()) == 3


def test_hosts_that_never_die_are_an_error(commands):
    engine, tries = engine_with_two_hosts(commands, 100)
    with pytest.raises(LabError, match="PIDs did not die"):
        hosts.remove(engine, ["one", "two"])
    assert len(tries.read_text().splitlines()) == hosts.REMOVE_TRIES
