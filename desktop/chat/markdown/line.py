"""One line of markdown under a reading position that counts columns, because a tab may be half consumed."""

from __future__ import annotations

TAB_COLUMNS = 4
CODE_INDENT = 4
"""Columns of indentation from which a line is no longer a block's start but indented code."""


class Line:
    """A line without its newline, read from left to right.

    Attributes:
        text: the line.
        offset: characters read.
        column: columns read; a tab goes on to the next multiple of four.
    """

    __slots__ = ("_split_tab", "column", "offset", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        self.offset = 0
        self.column = 0
        self._split_tab = False

    def indent(self) -> int:
        """Return the columns of white space that come next."""
        column = self.column
        for character in self.text[self.offset :]:
            if character == " ":
                column += 1
            elif character == "\t":
                column += TAB_COLUMNS - column % TAB_COLUMNS
            else:
                break
        return column - self.column

    def content(self) -> str:
        """Return what comes after that white space."""
        return self.text[self.offset :].lstrip(" \t")

    def is_blank(self) -> bool:
        """Tell whether only white space is left."""
        return not self.content()

    def next_is_space(self) -> bool:
        """Tell whether a space or a tab comes next."""
        return self.text[self.offset : self.offset + 1] in {" ", "\t"}

    def advance_columns(self, columns: int) -> None:
        """Read on by `columns`, if need be into the middle of a tab."""
        while columns > 0 and self.offset < len(self.text):
            width = TAB_COLUMNS - self.column % TAB_COLUMNS if self.text[self.offset] == "\t" else 1
            self._split_tab = width > columns
            step = min(width, columns)
            self.column += step
            columns -= step
            if not self._split_tab:
                self.offset += 1

    def advance_to_content(self) -> None:
        """Read over the white space that comes next."""
        self.advance_columns(self.indent())

    def advance_up_to(self, columns: int) -> None:
        """Read over at most `columns` of white space."""
        self.advance_columns(min(columns, self.indent()))

    def rest(self) -> str:
        """Return what has not been read; the unread part of a tab counts as spaces."""
        if self._split_tab:
            return " " * (TAB_COLUMNS - self.column % TAB_COLUMNS) + self.text[self.offset + 1 :]
        return self.text[self.offset :]

    def position(self) -> tuple[int, int, bool]:
        """Return where reading stands, for `back_to`."""
        return self.offset, self.column, self._split_tab

    def back_to(self, position: tuple[int, int, bool]) -> None:
        """Go back to where reading stood."""
        self.offset, self.column, self._split_tab = position
