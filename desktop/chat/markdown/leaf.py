"""The open leaf: the one block that can still take lines."""

from __future__ import annotations

import copy

from desktop.chat.markdown.block import Block, BlockKind, Container, ListItem
from desktop.chat.markdown.block_starts import Fence, task_at


class Leaf:
    """A block under way: its lines so far, and where they stand in the text.

    Attributes:
        kind: what it is, so far: a paragraph may turn into a heading or a table.
        start: offset of its first line.
        end: offset of the end of its last line.
        begins: how many of the innermost containers begin with it.
        after_blank_line: whether a blank line comes before it.
        lines: its content.
        line_starts: the offset of each of these lines.
        level: of a heading.
        language: of code.
        fence: what opened it, if it is fenced code.
        math_opener: what opened it, if it is display math.
        math_closer: what is still missing to close it, if it is display math.
    """

    def __init__(self, kind: BlockKind, start: int, *, begins: int, after_blank_line: bool) -> None:
        self.kind = kind
        self.start = start
        self.end = start
        self.begins = begins
        self.after_blank_line = after_blank_line
        self.lines: list[str] = []
        self.line_starts: list[int] = []
        self.level = 0
        self.language = ""
        self.fence: Fence | None = None
        self.math_opener = ""
        self.math_closer = ""

    def clone(self) -> Leaf:
        """Return a copy that takes lines of its own."""
        twin = copy.copy(self)
        twin.lines = self.lines.copy()
        twin.line_starts = self.line_starts.copy()
        return twin

    def add_line(self, text: str, start: int) -> None:
        """Take a line that begins at offset `start`."""
        self.lines.append(text)
        self.line_starts.append(start)

    def block(self, containers: tuple[Container, ...]) -> Block:
        """Return the finished block inside `containers`."""
        kind, text, checked = self.kind, self._text(), None
        if kind is BlockKind.MATH and self.math_closer:
            kind, text = BlockKind.PARAGRAPH, self.math_opener + text
        if kind is BlockKind.PARAGRAPH and self.begins and isinstance(containers[-1], ListItem):
            task = task_at(text)
            if task is not None:
                checked, text = task
        return Block(
            kind=kind,
            text=text,
            containers=containers,
            begins=self.begins,
            level=self.level,
            language=self.language,
            checked=checked,
            after_blank_line=self.after_blank_line,
            start=self.start,
            end=self.end,
        )

    def _text(self) -> str:
        text = "\n".join(self.lines)
        match self.kind:
            case BlockKind.PARAGRAPH | BlockKind.HEADING:
                return text.rstrip(" \t")
            case BlockKind.CODE:
                return text if self.fence is not None else text.rstrip(" \t\n")
            case BlockKind.MATH:
                return text if self.math_closer else text.strip()
            case BlockKind.TABLE | BlockKind.RULE | BlockKind.PLAIN:
                return text
