"""Writing to a terminal: model output is hostile, and colour is for terminals only."""

from __future__ import annotations

from typing import TextIO

from runtime.cli.streams import writing

DIM = "\x1b[2m"
RESET = "\x1b[0m"

_KEPT_CONTROLS = {"\n", "\t"}
_DROPPED = dict.fromkeys(code for code in (*range(0x20), *range(0x7F, 0xA0)) if chr(code) not in _KEPT_CONTROLS)


def without_controls(text: str) -> str:
    """Return `text` without control characters: a model must not move the cursor, set the title or ring the bell."""
    return text.translate(_DROPPED)


class Terminal:
    """Answer on `out`; everything about it (figures, notices, reasoning) on `notes`, dim where that is a terminal."""

    def __init__(self, out: TextIO, notes: TextIO) -> None:
        self._out = out
        self._notes = notes
        self._dims = notes.isatty()
        self._answer_open = False
        self._reasoning_open = False

    def answer(self, text: str) -> None:
        """Write a piece of the answer at once."""
        self._end_reasoning()
        self._write_answer(without_controls(text))

    def reasoning(self, text: str) -> None:
        """Write a piece of reasoning where a person watches; a pipe gets the answer alone."""
        if self._dims and (shown := without_controls(text)):
            self._reasoning_open = not shown.endswith("\n")
            self._write_note(self._dim(shown))

    def note(self, text: str) -> None:
        """Write a line about the answer, below it."""
        self.end_line()
        self._write_note(self._dim(without_controls(text)) + "\n")

    def end_line(self) -> None:
        """End the line that is being written, if there is one."""
        self._end_reasoning()
        if self._answer_open:
            self._write_answer("\n")

    def _end_reasoning(self) -> None:
        if self._reasoning_open:
            self._reasoning_open = False
            self._write_note("\n")

    def _write_answer(self, text: str) -> None:
        if not text:
            return
        self._answer_open = not text.endswith("\n")
        with writing():
            self._out.write(text)
            self._out.flush()

    def _write_note(self, text: str) -> None:
        with writing():
            self._notes.write(text)
            self._notes.flush()

    def _dim(self, text: str) -> str:
        return f"{DIM}{text}{RESET}" if self._dims else text
