# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Properties of this machine, and what the lab does about them."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import tempfile
from pathlib import Path

from lab.console import LabError, say

CAP_SYS_RESOURCE = 24
GIB = 1 << 30
# A build needs the file system and its archive at the same time, and two builds run in parallel.
BUILD_BYTES = 2 * GIB
# Only folders: tempfile and mmdebstrap choose the names of the files in them.
SHARED_MEMORY, SHARED_TEMPORARY = Path("/dev/shm"), Path("/var/tmp")  # noqa: S108
INOTIFY_INSTANCES = Path("/proc/sys/fs/inotify/max_user_instances")


def is_root() -> bool:
    return os.geteuid() == 0


def is_debian() -> bool:
    """Debian or a derivative: an engine can be installed with apt."""
    try:
        release = Path("/etc/os-release").read_text(encoding="utf-8")
    except FileNotFoundError:
        return False
    families = [line for line in release.splitlines() if line.startswith(("ID=", "ID_LIKE="))]
    return any("debian" in line for line in families) and shutil.which("apt-get") is not None


def has_hybrid_cgroups() -> bool:
    """cgroup v1 with an additional v2 hierarchy; crun refuses to work there."""
    return Path("/sys/fs/cgroup/unified/cgroup.procs").exists()


def has_capability(number: int) -> bool:
    status = Path("/proc/self/status")
    if platform.system() != "Linux" or not status.exists():
        return True
    effective = next(line for line in status.read_text(encoding="utf-8").splitlines() if line.startswith("CapEff:"))
    return bool(int(effective.split()[1], 16) >> number & 1)


def available_memory() -> int:
    """Bytes; 0 if the machine does not report it."""
    table = Path("/proc/meminfo")
    lines = table.read_text(encoding="ascii").splitlines() if table.exists() else []
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:")), 0)


def podman_configuration() -> str:
    """A containers.conf with the settings that podman needs on this machine; empty if it needs none."""
    if not is_root():
        return ""
    lines: list[str] = []
    if not has_capability(CAP_SYS_RESOURCE):
        # podman raises both limits to its own maximum, which requires that capability.
        lines += ["[containers]", 'default_ulimits = ["nofile=4096:4096", "nproc=4096:4096"]']
    if has_hybrid_cgroups():
        lines += ["[engine]", 'runtime = "runc"']
    return "".join(f"{line}\n" for line in lines)


def install(packages: list[str]) -> None:
    """Install Debian packages, updating apt's lists only if necessary."""
    say(f"installing {' '.join(packages)}")
    command = ["apt-get", "-o", "DPkg::Lock::Timeout=300", "-qq", "-y", "--no-install-recommends", "install", *packages]
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    result = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if result.returncode:
        subprocess.run(["apt-get", "-qq", "update"], env=environment, capture_output=True, check=False)
        result = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if result.returncode:
        raise LabError(f"apt-get could not install {' '.join(packages)}:\n{last_lines(result.stderr)}")


def build_directory() -> Path:
    """A folder with enough space in which a root file system can be unpacked and run, preferably in memory."""
    folders = [Path(tempfile.gettempdir()), SHARED_TEMPORARY]
    if available_memory() >= 2 * BUILD_BYTES:
        folders.insert(0, SHARED_MEMORY)
    return first_with_room(folders)


def first_with_room(folders: list[Path]) -> Path:
    for folder in folders:
        if not folder.is_dir():
            continue
        status = os.statvfs(folder)
        usable = not status.f_flag & (os.ST_NOEXEC | os.ST_NODEV)
        if usable and status.f_bavail * status.f_frsize >= BUILD_BYTES:
            return folder
    raise LabError(
        f"no disk space: building an image needs {BUILD_BYTES // GIB} GiB in a folder without noexec and nodev. "
        f"Tried {', '.join(map(str, folders))}. Make room, or point TMPDIR at a folder that has it."
    )


def require_space(folder: Path, needed: int, purpose: str) -> None:
    """Refuse early instead of halfway; a folder on another machine (an engine in a VM) cannot be checked."""
    if not folder.is_dir():
        return
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise LabError(
            f"no disk space: {purpose} needs {needed / GIB:.1f} GiB in {folder}, {free / GIB:.1f} GiB are free. "
            "Make room, or remove old images with 'python3 -m lab down --images'."
        )


def require_inotify_instances(hosts: int) -> None:
    """systemd needs about four per host; if there are not enough, hosts silently hang during boot."""
    if not INOTIFY_INSTANCES.exists():
        return
    needed, allowed = 5 * hosts, int(INOTIFY_INSTANCES.read_text(encoding="ascii"))
    if needed > allowed:
        raise LabError(
            f"{hosts} hosts need fs.inotify.max_user_instances={needed}, this machine allows {allowed}: "
            f"run 'sysctl -w fs.inotify.max_user_instances={max(2048, needed)}' as root."
        )


def last_lines(text: str, count: int = 15) -> str:
    return "\n".join(text.strip().splitlines()[-count:])
