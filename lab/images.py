# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""The hosts' images: built once, and kept in the engine with a tag derived from the recipe."""

from __future__ import annotations

import hashlib
import os
import shlex
import shutil
import subprocess
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from lab import files, machine
from lab.console import LabError, say
from lab.distributions import Distribution
from lab.engine import LIMITS, Engine

REPOSITORY = "localhost/fleetmfa-lab"
PARALLEL_BUILDS = 2
# Seconds for an answer: short, but long if there is no other way to get an image.
PULL_SECONDS, PATIENT_PULL_SECONDS = 30, 600
IMAGE_BYTES = 700 << 20
# German is kept: a login must also work in a language other than English.
NOT_WANTED = ("/usr/share/man/*", "/usr/share/doc/*", "/usr/share/info/*", "/usr/share/locale/*")
BOOTSTRAP = (
    "--variant=minbase",
    '--aptopt=APT::Install-Recommends "false"',
    '--aptopt=Acquire::Languages "none"',
    "--dpkgopt=force-unsafe-io",
    *(f"--dpkgopt=path-exclude={pattern}" for pattern in NOT_WANTED),
    "--dpkgopt=path-include=/usr/share/locale/de/*",
)


def tag(distribution: Distribution) -> str:
    recipe = repr((distribution, BOOTSTRAP, files.script("setup.sh")))
    return f"{REPOSITORY}/{distribution.name}:{hashlib.sha256(recipe.encode()).hexdigest()[:12]}"


def ensure(engine: Engine, distributions: list[Distribution]) -> None:
    """Build the images that the engine lacks."""
    if not _missing(engine, distributions):
        return
    with files.locked("build"):
        # Another instance may have built them in the meantime.
        missing = _missing(engine, distributions)
        if missing:
            _build_all(engine, missing)


def _missing(engine: Engine, distributions: list[Distribution]) -> list[Distribution]:
    return [distribution for distribution in distributions if not engine.has_image(tag(distribution))]


def _build_all(engine: Engine, missing: list[Distribution]) -> None:
    machine.require_space(engine.storage(), IMAGE_BYTES * len(missing), f"building {len(missing)} image(s)")
    with ThreadPoolExecutor(PARALLEL_BUILDS) as pool:
        builds = [pool.submit(_build, engine, distribution) for distribution in missing]
        try:
            for build in builds:
                build.result()
        finally:
            # After a failure or an interrupt, the waiting builds would be started anyway.
            for build in builds:
                build.cancel()


def _build(engine: Engine, distribution: Distribution) -> None:
    started = time.monotonic()
    say(f"{distribution.name}: building the image")
    if _pull(engine, distribution):
        _build_on_base(engine, distribution)
        source = distribution.base
    else:
        _bootstrap(engine, distribution)
        source = f"{distribution.suite} packages"
    say(f"{distribution.name}: image built from {source} in {time.monotonic() - started:.0f} s")


def _pull(engine: Engine, distribution: Distribution) -> bool:
    """Whether the base image is available: already present, or from a registry that answers quickly."""
    if engine.has_image(distribution.base):
        return True
    patience = PULL_SECONDS if _can_bootstrap() else PATIENT_PULL_SECONDS
    try:
        return engine.run("pull", "--quiet", distribution.base, timeout=patience).returncode == 0
    except subprocess.TimeoutExpired:
        return False


def _build_on_base(engine: Engine, distribution: Distribution) -> None:
    """Installs packages in a container of the base image and makes an image of it, without using the engine's
    builder."""
    name = f"fleetmfa-build-{distribution.name}-{os.getpid()}"
    options = ["-i", "--name", name, "--network=host", "--pull=never", *LIMITS]
    script = "\n".join(
        (
            "set -eu",
            "export DEBIAN_FRONTEND=noninteractive",
            "apt-get -qq update",
            "apt-get -qq -y -o DPkg::Options::=--force-unsafe-io --no-install-recommends install "
            + " ".join(distribution.packages),
            files.script("setup.sh"),
        )
    )
    try:
        # The script is an argument, not stdin: maintainer scripts read from stdin.
        engine.check("run", *options, distribution.base, "sh", "-c", script)
        engine.check("commit", name, tag(distribution))
    finally:
        engine.run("rm", "-f", name)


def _bootstrap(engine: Engine, distribution: Distribution) -> None:
    _require_bootstrap(distribution)
    folder = machine.build_directory()
    setup = shlex.quote(str(files.SCRIPTS / "setup.sh"))
    with tempfile.NamedTemporaryFile(prefix="fleetmfa-lab-", suffix=".tar", dir=folder) as archive:
        result = subprocess.run(
            [
                "mmdebstrap",
                *BOOTSTRAP,
                f"--keyring={distribution.keyring}",
                f"--include={','.join(distribution.packages)}",
                f'--customize-hook=chroot "$1" sh -s < {setup}',
                "--format=tar",
                distribution.suite,
                "-",
                *_sources(distribution),
            ],
            stdout=archive,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "TMPDIR": str(folder)},
            check=False,
        )
        if result.returncode:
            raise LabError(f"{distribution.name}: mmdebstrap failed:\n{machine.last_lines(result.stderr)}")
        engine.check("import", archive.name, tag(distribution))


def _can_bootstrap() -> bool:
    return shutil.which("mmdebstrap") is not None or (machine.is_root() and machine.is_debian())


def _require_bootstrap(distribution: Distribution) -> None:
    if not _can_bootstrap():
        raise LabError(
            f"{distribution.name}: no registry provided {distribution.base}, and without mmdebstrap there is "
            "no other way to an image. Install mmdebstrap, or pull that image yourself."
        )
    if shutil.which("mmdebstrap") is None:
        machine.install(["mmdebstrap"])
    if not Path(distribution.keyring).exists():
        machine.install([distribution.keyring_package])


def _sources(distribution: Distribution) -> list[str]:
    """Source lines with the mirrors that this machine's apt uses; if none, mmdebstrap uses its own default."""
    fields = "$(LABEL)\t$(REPO_URI)"
    try:
        output = subprocess.run(
            ["apt-get", "indextargets", "--format", fields, "Created-By: Packages", "Component: main"],
            capture_output=True,
            text=True,
            check=False,
        ).stdout
    except FileNotFoundError:
        return []
    # The first of several mirrors, which apt prefers.
    mirrors = dict(line.split("\t") for line in reversed(output.splitlines()))
    suites = {distribution.label: distribution.suite, distribution.security_label: f"{distribution.suite}-security"}
    return [f"deb {mirrors[label]} {suite} main" for label, suite in suites.items() if label in mirrors]


def remove(engine: Engine) -> None:
    """Remove the images, including those of earlier recipes."""
    for image in engine.images(f"{REPOSITORY}/"):
        engine.check("rmi", image)
        say(f"removed {image}")
