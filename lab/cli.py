# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""The command line: python3 -m lab VERB."""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from pathlib import Path

from lab import engine as engines
from lab import hosts, images
from lab.console import LabError, say
from lab.distributions import DISTRIBUTIONS
from lab.instance import DEFAULT, USER, Instance

DEFAULT_HOSTS = " ".join(DISTRIBUTIONS)
DEFAULT_USERS = "alice bob carol dave"


def main(arguments: list[str] | None = None) -> int:
    words = sys.argv[1:] if arguments is None else arguments
    # Removed before argparse sees it, since a command for a host may itself contain "--".
    end = words.index("--") if "--" in words else len(words)
    try:
        options = _parser().parse_args(words[:end])
        options.command = words[end + 1 :]
        if bool(options.command) != (options.verb is _exec):
            raise LabError("'exec' requires a command after '--', and no other verb accepts one")
        code: int = options.verb(options)
        return code
    except LabError as error:
        say(f"error: {error}")
        return 1
    except KeyboardInterrupt:
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python3 -m lab", description="Container hosts for real SSH logins.")
    verbs = parser.add_subparsers(required=True, metavar="VERB")

    up = verbs.add_parser("up", help="start the hosts that are missing and write the inventory")
    up.set_defaults(verb=_up)
    up.add_argument("--hosts", default=DEFAULT_HOSTS, help="distributions, with a number: 'debian12 debian13:3'")
    up.add_argument("--users", default=DEFAULT_USERS, help=f"accounts of every host (default: {DEFAULT_USERS})")
    up.add_argument("--inventory", type=Path, help="where to write it (default: .lab/inventory.yml)")
    up.add_argument("--port-base", type=int, default=0, help="port of the first host (default: free ports)")

    down = verbs.add_parser("down", help="remove the hosts and files of an instance")
    down.set_defaults(verb=_down)
    down.add_argument("--images", action="store_true", help="also remove the images")

    execute = verbs.add_parser(
        "exec", help="run a command as root on a host", usage="%(prog)s [--instance NAME] HOST -- COMMAND..."
    )
    execute.set_defaults(verb=_exec)
    for verb in (up, down, execute):
        verb.add_argument("--instance", type=Instance, default=DEFAULT, help="name of a separate lab")
    execute.add_argument("host")

    image = verbs.add_parser("images", help="build the images that are missing, without starting a host")
    image.set_defaults(verb=_images)
    image.add_argument("--hosts", default=DEFAULT_HOSTS, help="as for up")

    verbs.add_parser("list", help="show the hosts of every instance").set_defaults(verb=_list)
    return parser


def _up(options: argparse.Namespace) -> int:
    started = time.monotonic()
    instance: Instance = options.instance
    wanted = hosts.parse(options.hosts)
    users = _users(options.users)
    target = (options.inventory or instance.inventory).absolute()
    engine = _engine_with_images(wanted)
    ready = instance.up(engine, wanted, users, target, options.port_base)
    say(f"{ready} hosts ready in {time.monotonic() - started:.1f} s: ansible -i {target} all -m ping")
    return 0


def _images(options: argparse.Namespace) -> int:
    _engine_with_images(hosts.parse(options.hosts))
    return 0


def _engine_with_images(wanted: list[hosts.Wanted]) -> engines.Engine:
    engine = engines.ensure()
    images.ensure(engine, list(dict.fromkeys(host.distribution for host in wanted)))
    return engine


def _users(text: str) -> list[str]:
    users = text.replace(",", " ").split()
    bad = next((user for user in users if not USER.fullmatch(user)), None)
    if bad is not None:
        raise LabError(f"--users: {bad!r} is not a user name")
    return users


def _down(options: argparse.Namespace) -> int:
    engine = engines.require()
    removed = options.instance.down(engine)
    say(f"{options.instance.name}: {removed} hosts removed")
    if options.images:
        images.remove(engine)
    return 0


def _list(_options: argparse.Namespace) -> int:
    for container in hosts.containers(engines.require()):
        state = f"127.0.0.1:{container.port}" if container.running else "stopped"
        print(f"{container.instance}\t{container.host}\t{state}\t{container.name}\t{container.root}")
    return 0


def _exec(options: argparse.Namespace) -> int:
    engine = engines.require()
    container = options.instance.container(engine, options.host).name
    terminal = ["-t"] if sys.stdin.isatty() else []
    return subprocess.run([*engine.argv, "exec", "-i", *terminal, container, *options.command], check=False).returncode
