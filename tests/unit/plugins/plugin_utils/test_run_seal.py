# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""What one action of a run seals, every process of the run can unseal, and no other."""

from __future__ import annotations

import multiprocessing
import subprocess
import sys

import pytest

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils import _run_seal
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._run_seal import sealed_for_run, unsealed_in_run

CONTENT = {"people": [{"secret": "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP", "codes": ["12345678"] * 100}]}


def _put_sealed(queue):
    queue.put(sealed_for_run(CONTENT))


def test_between_processes_that_were_forked():
    """As workers of a strategy are."""
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    worker = context.Process(target=_put_sealed, args=(queue,))
    worker.start()
    text = queue.get(timeout=600)
    worker.join()
    assert unsealed_in_run(text, "handout") == CONTENT


def test_not_in_another_run():
    program = f"from {_run_seal.__name__} import sealed_for_run; print(sealed_for_run({CONTENT}))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    with pytest.raises(FleetMfaError, match="handout: was not made in this run"):
        unsealed_in_run(done.stdout.strip(), "handout")


def test_each_text_has_a_seal_of_its_own():
    one, another = sealed_for_run(CONTENT), sealed_for_run(CONTENT)
    assert one != another and one.split(":")[1][:20] != another.split(":")[1][:20]
    assert "JBSWY3DP" not in one


@pytest.mark.parametrize(
    "text", [None, 5, "", "00", "00:", "00:AAAA", "x:!", ["a"], "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"]
)
def test_something_else(text):
    with pytest.raises(FleetMfaError) as error:
        unsealed_in_run(text, "handout")
    assert "JBSWY3DP" not in str(error.value)


def test_a_text_that_was_changed():
    text = sealed_for_run(CONTENT)
    with pytest.raises(FleetMfaError):
        unsealed_in_run(text[:-8] + ("A" if text[-8] != "A" else "B") + text[-7:], "handout")
