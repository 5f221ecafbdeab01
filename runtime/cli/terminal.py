"""Writing to a terminal: model output is hostile, and colour is for terminals only."""

from __future__ import annotations

from typing import TextIO

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

    def answer(self, text: str) -> None:
        """Write a piece of the answer at once."""
        self._out.write(without_controls(text))
        self._out.flush()

    def end_answer(self) -> None:
        """End the answer's last line."""
        self._out.write("\n")
        self._out.flush()

    def note(self, text: str) -> None:
        """Write a line about the answer."""
        self._notes.write(self._dim(without_controls(text)) + "\n")
        self._notes.flush()

    def reasoning(self, text: str) -> None:
        """Write a piece of reasoning where a person watches; a pipe gets the answer alone."""
        if self._dims:
            self._notes.write(self._dim(without_controls(text)))
            self._notes.flush()

    def _dim(self, text: str) -> str:
        return f"{DIM}{text}{RESET}" if self._dims else text
