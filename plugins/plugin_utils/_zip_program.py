# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the fleetmfa.ssh authors
"""Makes a program for managed hosts out of module_utils files: one executable file, a zip that Python runs. Private.

So the programs on a host and the modules share one implementation. The same sources give the same bytes, whatever the
machine (nothing is compressed, no time is recorded), and `unzip -p` shows an auditor what a host runs.
"""

from __future__ import annotations

import ast
import io
import zipfile
from pathlib import Path

PACKAGE = "ansible_collections.fleetmfa.ssh.plugins.module_utils"
_SOURCES = Path(__file__).resolve().parent.parent / "module_utils"
_LONG_AGO = (1980, 1, 1, 0, 0, 0)


def zip_program(entry: str, interpreter: str) -> bytes:
    """A program that runs main() of the module_utils file `entry`, with that file and all it imports of ours in it.

    Python is isolated (-I: no variable, user folder or working directory says what is imported) and without site (-S).
    """
    main = f"from {PACKAGE}.{entry} import main\n\nraise SystemExit(main())\n"
    files = {"__main__.py": main}
    folders = PACKAGE.split(".")
    files.update({"/".join([*folders[:depth], "__init__.py"]): "" for depth in range(1, len(folders) + 1)})
    files.update({"/".join([*folders, f"{name}.py"]): source for name, source in _closure(entry).items()})
    buffer = io.BytesIO()
    buffer.write(f"#!{interpreter} -IS\n".encode())
    with zipfile.ZipFile(buffer, "a", zipfile.ZIP_STORED) as archive:
        for name in sorted(files):
            archive.writestr(zipfile.ZipInfo(name, _LONG_AGO), files[name])
    return buffer.getvalue()


def _closure(entry: str) -> dict[str, str]:
    """Name and source of `entry` and of every module_utils file that it needs."""
    sources: dict[str, str] = {}
    waiting = {entry}
    while waiting:
        name = waiting.pop()
        sources[name] = (_SOURCES / f"{name}.py").read_text(encoding="utf-8")
        waiting |= _imported(sources[name]) - set(sources)
    return sources


def _imported(source: str) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.ImportFrom) or not node.module:
            continue
        if node.module == PACKAGE:
            names.update(alias.name for alias in node.names)
        elif node.module.startswith(f"{PACKAGE}."):
            names.add(node.module[len(PACKAGE) + 1 :])
    return names
