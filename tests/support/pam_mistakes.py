# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""docs/pam_mistakes.md from pam_mistakes.yml: `python tests/support/pam_mistakes.py > docs/pam_mistakes.md`."""

from __future__ import annotations

from pathlib import Path

import yaml

from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.config import PamConfig
from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.prover import Verdict, prove
from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.subject import Subject

DATA = yaml.safe_load((Path(__file__).with_suffix(".yml")).read_text(encoding="utf-8"))
CONFDIR = "/nonexistent"
HEAD = """\
<!-- SPDX-License-Identifier: GPL-3.0-or-later -->
<!-- SPDX-FileCopyrightText: The fleetmfa.ssh authors -->
<!-- Made by tests/support/pam_mistakes.py from pam_mistakes.yml; a test compares the two. -->
# Published PAM mistakes, and how the prover shows them

Each of these stacks was found in a guide, a question or a role (*seen*), or is such a one with a small slip. All of them
look right, and neither `sshd -t` nor a first login shows the mistake. `fleetmfa.ssh.pam_stack_info` finds each:

* **bypass**: somebody who has a key gets in without a token (or, where *who* has no key, anybody without a key does);
* **lock-out**: nobody of this kind ever gets in;
* **no password**: the token alone is enough, where a password is meant to be asked as well;
* **fails open**: a missing `.so` of the token module lets people in without a token.

`common-auth` is Debian's, `password-auth` RHEL's:

```
{includes}
```

| # | mistake | `/etc/pam.d/sshd` | who | verdict | shown by |
| --- | --- | --- | --- | --- | --- |
"""


def verdict_of(mistake: dict) -> Verdict:
    files = {**DATA["includes"], "sshd": mistake["stack"]}
    who = {key: frozenset(value) if isinstance(value, list) else value for key, value in mistake["who"].items()}
    return prove(PamConfig(CONFDIR, files), "sshd", Subject(**who))


def name_of(verdict: Verdict) -> str:
    if not verdict.can_succeed:
        return "lock-out"
    if verdict.can_succeed_without_token:
        return "bypass"
    if verdict.can_succeed_if_token_module_missing:
        return "fails open"
    return "no password" if ["token"] in verdict.ways_in else "sound"


def shown_by(verdict: Verdict) -> list[str]:
    steps = [
        f"{entry['file'].rsplit('/', 1)[-1]}:{entry['line']} {entry['module'].strip()} returned {entry['returned']}:"
        f" {entry['effect']}".replace(f"{CONFDIR}/", "")
        for entry in verdict.counterexample
    ]
    return steps or [f"ways in: {', '.join(' + '.join(factors) for factors in verdict.ways_in)}"]


def page() -> str:
    includes = "\n".join(f"# {name}\n{text.strip()}" for name, text in DATA["includes"].items())
    rows = [row(number, mistake) for number, mistake in enumerate(DATA["mistakes"], 1)]
    return HEAD.format(includes=includes) + "\n".join(rows) + "\n"


def row(number: int, mistake: dict) -> str:
    seen = f" ([seen]({mistake['seen']}))" if "seen" in mistake else ""
    stack = "<br>".join(f"`{line}`" for line in mistake["stack"].replace("\r", "␍").splitlines())
    who = ", ".join(f"{key}: {value}" for key, value in mistake["who"].items()).replace("'", "")
    shown = "<br>".join(shown_by(verdict_of(mistake)))
    return f"| {number} | {mistake['mistake']}{seen} | {stack} | {who} | **{mistake['verdict']}** | {shown} |"


if __name__ == "__main__":
    print(page(), end="")
