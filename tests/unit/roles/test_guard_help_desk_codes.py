# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""A help-desk code is a recovery code that ends; the PAM module does not know that, so the guard refuses it."""

from __future__ import annotations

import time

import pytest

from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.key_file import KeyFile

CODE, OTHER = "12345678", "23456789"


def give(host, until):
    """Two codes, of which the first one ends; written as `sync` writes it."""
    host.write_key(codes=[CODE, OTHER])
    key = KeyFile.parse(host.key_path.read_bytes())
    (name,) = key.code_ids([CODE])
    host.key_path.write_bytes(key.with_meta(issuer="SSH").with_expiring({name: until}).render())


@pytest.mark.parametrize(("left", "allowed"), [(3600, True), (-1, False)], ids=["good", "ended"])
def test_until_it_ends(host, left, allowed):
    give(host, int(time.time()) + left)
    assert host.answer(CODE) is allowed
    assert not host.answer(CODE), "once"
    assert host.answer(OTHER) and host.answer(host.token()), "the others do not end"


def test_a_code_that_has_ended_takes_no_step_of_another_login(host):
    """Both prompts are open; the honest user's token is used while the other one answers."""
    give(host, int(time.time()) - 1)
    thief, user = host.asked(2)
    thief.answer(CODE)
    user.answer(host.token())
    assert not thief.succeeds()
    assert user.succeeds() or host.answer(host.token(1)), "two logins at once may lose one attempt, as without codes"
    assert CODE not in host.key_path.read_text() and OTHER in host.key_path.read_text()


def test_a_prompt_that_was_open_when_the_code_ended(host):
    end = int(time.time()) + 10
    give(host, end)
    (login,) = host.asked(1)
    while time.time() < end:
        time.sleep(0.1)
    login.answer(CODE)
    assert not login.succeeds()


def test_an_end_that_cannot_be_read_is_no_end_to_wait_for(host):
    give(host, int(time.time()) + 3600)
    content = host.key_path.read_text()
    host.key_path.write_text(content.replace(" 1", " x1"))
    assert '"expiring": "r' in host.key_path.read_text() and not host.answer(CODE)
