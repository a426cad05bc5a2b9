# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Doors: PAM services in a folder, programs that listen, and real sshds that these tests start."""

from __future__ import annotations

import pytest

from ansible_collections.fleetmfa.ssh.plugins.module_utils._audit import sshd_doors
from ansible_collections.fleetmfa.ssh.plugins.module_utils._audit.doors import Doors, DoorWish
from ansible_collections.fleetmfa.ssh.plugins.module_utils._audit.listeners import Listener, listeners
from ansible_collections.fleetmfa.ssh.plugins.module_utils._audit.pam_doors import PamDoors
from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.config import PamConfig
from ansible_collections.fleetmfa.ssh.tests.support.running_sshd import RunningSshd
from ansible_collections.fleetmfa.ssh.tests.support.sshd_host import GROUP, POLICY, SshdHost, needs_sshd

STATE = "/var/lib/fleetmfa"
TOKEN = f"auth requisite pam_google_authenticator.so secret={STATE}/keys/${{USER}} user=root noskewadj\n"
PASSWORD = "auth required pam_unix.so\n"
ACCOUNT = "account required pam_permit.so\n"
OTHER = "auth required pam_deny.so\naccount required pam_deny.so\n"


def config(folder, **services):
    folder.mkdir(exist_ok=True)
    for name, text in {"other": OTHER, **services}.items():
        (folder / name.replace("_", "-")).write_text(text)
    return PamConfig(str(folder))


@pytest.mark.parametrize(
    ("lines", "state", "reason"),
    [
        (TOKEN + PASSWORD, "covered", "asks a member of"),
        (PASSWORD, "not_covered", "pam_unix.so returned success"),
        (f"auth sufficient pam_permit.so\n{TOKEN}", "not_covered", "pam_permit.so returned success"),
        (f"auth sufficient pam_rootok.so\n{TOKEN}", "not_covered", "pam_rootok.so returned success"),
        (
            f"auth [success=1 default=ignore] pam_succeed_if.so user ingroup {GROUP}\n{TOKEN}{PASSWORD}",
            "not_covered",
            "pam_unix.so",
        ),
        ("auth required pam_deny.so\n", "not_reachable", "lets nobody in"),
        (f"auth sufficient pam_odd.so\n{TOKEN}", "not_judged", "whether pam_odd.so lets in"),
        (f"auth optional pam_odd.so\n{PASSWORD}", "not_covered", "pam_unix.so returned success"),
        (
            "auth required pam_google_authenticator.so nullok\nauth required pam_permit.so\n",
            "not_covered",
            "pam_permit.so returned success",
        ),
        ("auth include\n", "not_judged", "cannot be read"),
        ("@include none\n", "not_reachable", "cannot include none"),
    ],
)
def test_pam_service(tmp_path, lines, state, reason):
    found = PamDoors(config(tmp_path / "pam.d", login=lines + ACCOUNT), GROUP, STATE).judge("login")
    assert (found.state, reason in found.reason) == (state, True), found


@pytest.mark.parametrize("service", ["su", "su-l"])
def test_root_needs_no_door_where_the_caller_asks(tmp_path, service):
    """login and sudo run as root themselves, so that pam_rootok would let everybody in."""
    lines = f"auth sufficient pam_rootok.so\n{TOKEN}{ACCOUNT}"
    assert PamDoors(config(tmp_path / "pam.d", **{service: lines}), GROUP, STATE).judge(service).state == "covered"


def test_account_lines_that_deny_everybody(tmp_path):
    found = PamDoors(config(tmp_path / "pam.d", login=PASSWORD + "account required pam_deny.so\n"), GROUP, STATE).judge(
        "login"
    )
    assert found.state == "not_reachable" and "account lines" in found.reason


def doors(tmp_path, found=(), services=(), **pam):
    wish = DoorWish("/nonexistent", "/nonexistent/sshd", GROUP, STATE, services)
    return [door for door in Doors(wish, config(tmp_path / "pam.d", **pam), found).all()]


def reports(tmp_path, found=(), services=(), **pam):
    return {door.report["name"]: door.report for door in doors(tmp_path, found, services, **pam)}


def test_services_that_are_doors(tmp_path):
    lines = PASSWORD + ACCOUNT
    found = reports(
        tmp_path, su=lines, passwd=lines, vsftpd=lines, intranet=lines, shared=lines, user="auth include shared\n"
    )
    assert "passwd" not in found and "other" not in found and "shared" not in found
    assert (found["su"]["state"], found["su"]["where"]) == ("not_covered", ["console"])
    assert found["vsftpd"]["state"] == "not_reachable" and "no vsftpd" in found["vsftpd"]["reason"]
    assert found["intranet"]["state"] == "not_judged" and "option services" in found["intranet"]["reason"]
    named = reports(tmp_path, services=["intranet", "unknown"], intranet=lines)
    assert named["intranet"]["state"] == "not_covered"
    assert named["unknown"]["state"] == "not_reachable"  # PAM uses `other`, which denies


@pytest.mark.parametrize(
    ("rule", "state"),
    [
        ("alice ALL=(ALL) ALL", "covered"),
        ("alice ALL=(ALL) NOPASSWD: ALL", "not_covered"),
        ("%wheel ALL=(ALL) NOPASSWD: ALL", "not_covered"),
        ("ALL ALL=(bob) NOPASSWD: /bin/true", "not_covered"),
        ("bob ALL=(ALL) NOPASSWD: ALL", "covered"),
        ("%staff ALL=(ALL) NOPASSWD: ALL", "covered"),
        ("alice elsewhere=(ALL) NOPASSWD: ALL", "covered"),
        ("Defaults:alice !authenticate", "not_covered"),
    ],
)
def test_sudo_rules_that_ask_for_nothing(accounts, tmp_path, rule, state):
    """alice is enforced, and in wheel; bob is neither."""
    accounts.add_group(GROUP, ["alice"])
    accounts.add_group("wheel", ["alice"])
    (tmp_path / "sudoers").write_text(f"{rule}\n")
    wish = DoorWish("/nonexistent", "/nonexistent/sshd", GROUP, STATE, ["sudo"], str(tmp_path / "sudoers"))
    found = Doors(wish, config(tmp_path / "pam.d", sudo=TOKEN + PASSWORD + ACCOUNT), []).all()
    report = next(door.report for door in found if door.report["name"] == "sudo")
    assert report["state"] == state
    assert (f"{tmp_path}/sudoers:1" in report["reason"]) == (state == "not_covered")


def listener(program, *sockets, command=()):
    return Listener(program, (program, *command), 1, sockets)


def test_programs_that_listen(tmp_path):
    lines = PASSWORD + ACCOUNT
    found = doors(
        tmp_path,
        [
            listener("/usr/sbin/dropbear", "0.0.0.0:2222"),
            listener("/usr/bin/Xvnc", "127.0.0.1:5901"),
            listener("/usr/sbin/in.telnetd", "[::]:23"),
            listener("/usr/sbin/inetd", "0.0.0.0:512"),
            listener("/usr/bin/python3.11", "0.0.0.0:8888", command=("/usr/bin/jupyter-lab",)),
            listener("/usr/sbin/nginx", "0.0.0.0:80"),
        ],
        login=TOKEN + PASSWORD + ACCOUNT,
        cockpit=lines,
    )
    states = {door.report["name"]: door.report["state"] for door in found if door.report["kind"] == "listener"}
    assert states == {
        "dropbear": "not_covered",
        "Xvnc": "not_reachable",
        "in.telnetd": "covered",
        "inetd": "not_judged",
        "jupyter-lab": "not_judged",
    }
    login = next(door for door in found if door.report["name"] == "login")
    assert login.report["where"] == ["[::]:23"] and not login.is_local


def test_cockpit_is_the_door_of_its_service(tmp_path):
    found = doors(tmp_path, [listener("/usr/lib/cockpit/cockpit-tls", "[::]:9090")], cockpit=PASSWORD + ACCOUNT)
    told = {door.report["kind"]: (door.report["state"], door.report["where"], door.is_local) for door in found}
    assert told == {
        "pam_service": ("not_covered", ["[::]:9090"], False),
        "listener": ("not_covered", ["[::]:9090"], False),
    }


CONFIG = "Port {port}\nListenAddress 127.0.0.1\nPidFile none\nUsePAM yes\nKbdInteractiveAuthentication no\n"


@needs_sshd
@pytest.mark.parametrize(("policy", "state"), [(POLICY, "covered"), ("", "not_covered")])
def test_running_sshd(tmp_path, policy, state):
    sshd = RunningSshd(tmp_path, CONFIG + policy)
    try:
        own = [one for one in listeners() if f"127.0.0.1:{sshd.port}" in one.sockets]
        wish = DoorWish(str(sshd.host.config), str(sshd.host.sshd), GROUP, STATE)
        found = Doors(wish, config(tmp_path / "pam.d", sshd=TOKEN + ACCOUNT), own).all()
        (main,) = [door.report for door in found if door.report["name"] == "sshd"]
    finally:
        sshd.stop()
    assert (main["kind"], main["state"], main["where"]) == ("sshd", state, [f"127.0.0.1:{sshd.port}"])


@needs_sshd
def test_second_sshd(tmp_path):
    """With the same configuration, and an option that takes the token away."""
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    main, second = RunningSshd(tmp_path / "one", CONFIG + POLICY), RunningSshd(tmp_path / "two", CONFIG)
    try:
        wish = DoorWish(str(main.host.config), str(main.host.sshd), GROUP, STATE)
        found = [one for one in listeners() if set(one.sockets) & {f"127.0.0.1:{one.port}" for one in (main, second)}]
        told = Doors(wish, config(tmp_path / "pam.d", sshd=TOKEN + ACCOUNT), found).all()
    finally:
        main.stop()
        second.stop()
    states = {door.report["name"]: (door.report["state"], door.report["where"]) for door in told}
    assert states["sshd"] == ("covered", [f"127.0.0.1:{main.port}"])
    assert states[f"sshd -f {second.host.config}"] == ("not_covered", [f"127.0.0.1:{second.port}"])


@needs_sshd
@pytest.mark.parametrize(
    ("command", "state"),
    [((), "not_covered"), (("-D",), "not_covered"), (("-D", "-f", "/etc/x"), "not_judged"), (None, "not_reachable")],
)
def test_sshd_without_the_title_of_a_listener(tmp_path, monkeypatch, command, state):
    """Before 8.2, or none at all."""
    host = SshdHost(tmp_path)
    host.write()
    monkeypatch.setattr(sshd_doors, "daemons", lambda _config: [])
    monkeypatch.setattr(sshd_doors, "SSHD_CONFIG", str(host.config))
    found = [] if command is None else [listener("/usr/sbin/sshd", "0.0.0.0:22", command=command)]
    wish = DoorWish(str(host.config), str(host.sshd), GROUP, STATE)
    told = Doors(wish, config(tmp_path / "pam.d", sshd=TOKEN + ACCOUNT), found).all()
    assert [door.report["state"] for door in told if door.report["name"] == "sshd"] == [state]
