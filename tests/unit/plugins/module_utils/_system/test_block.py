# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""One reader of our marks for every file they stand in, byte for byte."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError
from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.service import plan_block, plan_removal
from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.placement import Include, made_folder
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.block import block, lines_of, split
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.file_set import plan_host_files

BEGIN, END = b"# BEGIN fleetmfa.ssh", b"# END fleetmfa.ssh"
OURS = block(b"ours\n", "content")

# What is read as our block, and what is left without it.
TAKEN = {
    "at the head": (OURS + b"theirs\n", b"theirs\n"),
    "alone": (OURS, b""),
    "in the middle": (b"one\n" + OURS + b"two\n", b"one\ntwo\n"),
    "at the end, without a line feed": (b"one\n" + OURS[:-1], b"one\n"),
    "indented marks": (b"one\n  " + BEGIN + b"\n\tours\n\t" + END + b"\ntwo\n", b"one\ntwo\n"),
    "blanks behind the marks": (BEGIN + b" \t\nours\n" + END + b"  \ntwo\n", b"two\n"),
    "line ends of Windows": ((b"one\n" + OURS + b"two\n").replace(b"\n", b"\r\n"), b"one\r\ntwo\r\n"),
    "line ends of Windows round it only": (b"one\r\n" + OURS + b"two\r\n", b"one\r\ntwo\r\n"),
    "empty": (BEGIN + b"\n" + END + b"\ntwo", b"two"),
    "beside a comment that begins like a mark": (
        BEGIN + b".old\n" + OURS + END + b".old\n",
        BEGIN + b".old\n" + END + b".old\n",
    ),
}
NOT_OURS = {
    "nothing": b"",
    "begins like a mark": BEGIN + b" of the old collection\n" + END + b"\x00\n",
    "another collection's": b"# BEGIN ANSIBLE MANAGED BLOCK\n# END ANSIBLE MANAGED BLOCK\n",
    "a mark within a line": b"echo '" + BEGIN + b"'\necho " + END + b"\n",
    "a carriage return ends no line": b"x\r" + BEGIN + b"\rours\r" + END + b"\r",
    "without the sign": BEGIN[2:] + b"\n" + END[2:] + b"\n",
    "in capitals": BEGIN.upper() + b"\n",
}
REFUSED = {
    "a begin alone": (BEGIN + b"\nhalf\n", "lines 1"),
    "an end alone": (b"x\n" + END, "lines 2"),
    "an indented begin alone": (b"  " + BEGIN + b"\n", "lines 1"),
    "a begin of Windows alone": (BEGIN + b"\r\n", "lines 1"),
    "the wrong way round": (END + b"\n" + BEGIN + b"\n", "lines 1, 2"),
    "two blocks": (OURS + b"x\n" + OURS, "lines 1, 3, 5, 7"),
    "two begins": (BEGIN + b"\n" + OURS, "lines 1, 2, 4"),
    "two ends": (OURS + END, "lines 1, 3, 4"),
    "one in the other": (BEGIN + b"\n" + OURS + END + b"\n", "lines 1, 2, 4, 5"),
}


@pytest.mark.parametrize("shape", TAKEN)
def test_taken_out(shape):
    text, rest = TAKEN[shape]
    assert split(text, "file").without == rest
    assert split(text, "file").inside is not None


@pytest.mark.parametrize("shape", NOT_OURS)
def test_left_alone(shape):
    assert split(NOT_OURS[shape], "file") == (NOT_OURS[shape], None, b"")


@pytest.mark.parametrize("shape", REFUSED)
def test_refused_by_all_with_one_text(shape, tmp_path):
    text, told = REFUSED[shape]
    (tmp_path / "sshd").write_bytes(text)
    path = str(tmp_path / "sshd")
    wish = {
        "path": path,
        "content": "x",
        "block": True,
        "encoding": "text",
        "mode": "0644",
        "only_beside": None,
        "state": "present",
    }
    for read in (
        lambda: split(text, path),
        lambda: made_folder(text, path),
        lambda: plan_block(str(tmp_path), "sshd", "x"),
        lambda: plan_removal(str(tmp_path), "sshd"),
        lambda: plan_host_files([wish], True),
        lambda: plan_host_files([wish], False),
    ):
        with pytest.raises(FleetMfaError, match=f"sshd: the marker lines .* do not match .{told}.; leave one of each"):
            read()


@pytest.mark.parametrize("content", [BEGIN, b"x\n" + END + b"\n", b" " + BEGIN + b"\r\nx"])
def test_content_with_a_mark_is_refused(content):
    with pytest.raises(FleetMfaError, match=r"option 'x', line \d: the marker lines are added by the module"):
        block(content, "option 'x'")


# Bytes as they come, and bytes that are likely to be taken for our marks.
PIECES = [
    BEGIN,
    END,
    b"\n",
    b"\r\n",
    b"\r",
    b" ",
    b"\t",
    b"#",
    b"x",
    b"\xff",
    b"\\\n",
    b"auth required x\n",
    b"\x0b",
    b"\0",
]
TEXT = st.one_of(st.binary(max_size=60), st.lists(st.sampled_from(PIECES), max_size=12).map(b"".join))


def has_no_marks(text):
    return all(line.strip(b" \t\r\n") not in (BEGIN, END) for line in text.split(b"\n"))


BARE = TEXT.filter(has_no_marks)


@settings(max_examples=400, deadline=None)
@given(text=TEXT)
def test_lines_are_all_of_the_text(text):
    assert b"".join(lines_of(text)) == text
    assert all(line.count(b"\n") <= 1 and line for line in lines_of(text))


@settings(max_examples=400, deadline=None)
@given(text=BARE, content=BARE, before=st.integers(0, 12))
def test_in_and_out_is_the_identity(text, content, before):
    """Before any line, or at the head of an empty file."""
    lines = lines_of(text)
    head, tail = b"".join(lines[:before]), b"".join(lines[before:])
    if head and not head.endswith(b"\n"):
        head, tail = b"", text
    ours = block(content, "content")
    parts = split(head + ours + tail, "file")
    assert (parts.head, parts.tail, parts.without) == (head, tail, text)
    assert parts.inside == content or parts.inside == content + b"\n"


@settings(max_examples=300, deadline=None)
@given(text=TEXT)
def test_what_is_read_is_read_again_or_refused(text):
    """Whatever the text: what is left without the block has none, and no byte outside of it is lost."""
    try:
        parts = split(text, "file")
    except FleetMfaError:
        return
    assert split(parts.without, "file").inside is None
    assert text.startswith(parts.head) and text.endswith(parts.tail)


@settings(max_examples=200, deadline=None)
@given(text=BARE)
def test_pam_sshd_and_start_up_files_come_back(text, tmp_path_factory):
    folder = tmp_path_factory.mktemp("etc")
    service = folder / "sshd"
    service.write_bytes(text)
    if text:
        plan_block(str(folder), "sshd", "auth required pam_deny.so").apply()
        assert service.read_bytes() != text
        plan_removal(str(folder), "sshd").apply()
        assert service.read_bytes() == text
    wish = {
        "path": str(service),
        "content": "x",
        "block": True,
        "encoding": "text",
        "mode": "0644",
        "only_beside": None,
        "state": "present",
    }
    for wanted in (True, False):
        for change in plan_host_files([wish], wanted):
            change.apply()
    assert service.read_bytes() == text
    for made in (True, False):
        config = Include("/etc/ssh/sshd_config.d/00.conf", made).block() + text
        assert split(config, "sshd_config").without == text and made_folder(config, "sshd_config") is made
