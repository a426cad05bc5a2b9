# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Builds a program for managed hosts from module_utils files: one file, a zip that Python runs. Private.

So the programs on a host and the modules share one implementation. Programs are built on the controller (lookup
host_program) and on a host from inside a module (the roll-back program); the sources come from wherever Python imports
them. The same sources give the same bytes (no compression, no times), and an auditor can see them with `unzip -p`.
"""

from __future__ import annotations

import ast
import importlib.util
import io
import zipfile
from typing import Iterator

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError

PACKAGE = "ansible_collections.fleetmfa.ssh.plugins.module_utils"
_LONG_AGO = (1980, 1, 1, 0, 0, 0)


def build_program(entry: str, interpreter: str | None = None) -> bytes:
    """A program that runs main() of the module_utils file `entry`, and contains that file and all our files that it
    imports.

    With an `interpreter` it is executable. Python is then isolated (-I: environment variables, user folder and working
    directory do not affect imports) and runs without site (-S).
    """
    sources = _closure(f"{PACKAGE}.{entry}")
    files = {"__main__.py": f"from {PACKAGE}.{entry} import main\n\nraise SystemExit(main())\n"}
    for name, source in sources.items():
        *folders, _file = name.split(".")
        files.update({"/".join([*folders[:depth], "__init__.py"]): "" for depth in range(1, len(folders) + 1)})
        files[f"{name.replace('.', '/')}.py"] = source
    buffer = io.BytesIO()
    if interpreter:
        buffer.write(f"#!{interpreter} -IS\n".encode())
    with zipfile.ZipFile(buffer, "a", zipfile.ZIP_STORED) as archive:
        for path in sorted(files):
            archive.writestr(zipfile.ZipInfo(path, _LONG_AGO), files[path])
    return buffer.getvalue()


def _closure(entry: str) -> dict[str, str]:
    """Name and source of `entry` and of every module_utils file that it needs."""
    sources: dict[str, str] = {}
    waiting = {entry}
    while waiting:
        name = waiting.pop()
        source = _source(name)
        if source is None:
            continue
        sources[name] = source
        waiting |= set(_imported(source)) - set(sources)
    if entry not in sources:
        raise FleetMfaError(f"the source of {entry} is missing, so the program cannot be built")
    return sources


def _source(name: str) -> str | None:
    """The source of a file; None for a folder, and for a name defined in a file."""
    try:
        spec = importlib.util.find_spec(name)
    except ModuleNotFoundError:  # the part before the last dot is a file
        return None
    if spec is None or spec.submodule_search_locations is not None:
        return None
    source: str | None = spec.loader.get_source(name)  # type: ignore[union-attr]  # each loader of source files has it
    return source


def _imported(source: str) -> Iterator[str]:
    """All names that may be files of ours: in `from folder import name` the name is a file, or defined in a file."""
    for node in ast.walk(ast.parse(source)):
        names = []
        if isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        yield from (name for name in names if name.startswith(f"{PACKAGE}."))
