"""Model output is hostile to terminals."""

from __future__ import annotations

import io

import pytest

from runtime.cli.terminal import Terminal, without_controls


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain\n\ttext 你好 👋", "plain\n\ttext 你好 👋"),
        ("\x1b]0;title\x07\x1b[2J", "]0;title[2J"),
        ("back\x08space\r", "backspace"),
        ("c1\x9b31m", "c131m"),
    ],
)
def test_control_characters_do_not_reach_the_terminal(text: str, shown: str) -> None:
    assert without_controls(text) == shown


def test_a_pipe_gets_the_answer_alone() -> None:
    out, notes = io.StringIO(), io.StringIO()
    terminal = Terminal(out, notes)
    terminal.reasoning("hm")
    terminal.answer("yes")
    terminal.end_line()
    terminal.note("figures")

    assert (out.getvalue(), notes.getvalue()) == ("yes\n", "figures\n")
