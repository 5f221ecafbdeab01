"""What a message is made of: blocks, each a leaf of the markdown tree together with the containers around it.

The tree is flat here on purpose. A list item three levels deep is a block of its own with three containers, so however
long and nested a reply is, the only block that can still change is the last one.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec


class BlockKind(StrEnum):
    """What a block is."""

    PARAGRAPH = "paragraph"
    HEADING = "heading"
    CODE = "code"
    TABLE = "table"
    MATH = "math"
    RULE = "rule"
    PLAIN = "plain"  # no markdown: what the user wrote


class Quote(msgspec.Struct, frozen=True):
    """A block quote around a block."""


class ListItem(msgspec.Struct, frozen=True):
    """A list item around a block.

    Attributes:
        bullet: the character that makes the list: `-`, `+` or `*`; `.` or `)` for a numbered one.
        number: the item's number; None in a list without numbers.
        content_columns: columns from the containing block's edge to the item's content.
    """

    bullet: str
    number: int | None
    content_columns: int


Container = Quote | ListItem


class Block(msgspec.Struct, frozen=True, kw_only=True):
    """A leaf block.

    Attributes:
        kind: what it is.
        text: its content without markers, one line a source line: inline markdown, code, a table's rows, LaTeX.
        containers: the quotes and list items around it, outermost first.
        begins: how many of the innermost containers begin with this block (and so show their marker beside it).
        level: 1 to 6 of a heading; 0 for the rest.
        language: first word after a code fence.
        checked: state of the task list item that begins with this block; None if it is not one.
        after_blank_line: whether a blank line separates it from what comes before.
        start: offset of its first line in the message's text.
        end: offset of the end of its last line, closing fence included.
    """

    kind: BlockKind
    text: str
    containers: tuple[Container, ...] = ()
    begins: int = 0
    level: int = 0
    language: str = ""
    checked: bool | None = None
    after_blank_line: bool = False
    start: int = 0
    end: int = 0
