"""How a line shows that a block starts, goes on or ends: CommonMark 0.31 and GitHub's tables, one function each."""

from __future__ import annotations

import re

import msgspec

from desktop.chat.markdown.line import CODE_INDENT, Line

_THEMATIC_BREAK = re.compile(r"(?:(?:\*[ \t]*){3,}|(?:_[ \t]*){3,}|(?:-[ \t]*){3,})\Z")
_HEADING = re.compile(r"(#{1,6})(?:[ \t]+|\Z)")
_SETEXT_UNDERLINE = re.compile(r"(=+|-+)[ \t]*\Z")
_FENCE = re.compile(r"(`{3,})(?!.*`)|(~{3,})")
_BULLET = re.compile(r"([*+-])()(?=[ \t]|\Z)")
_NUMBER = re.compile(r"(\d{1,9})([.)])(?=[ \t]|\Z)")
_DELIMITER_ROW = re.compile(r"[|:-][|:\- \t]+\Z")
_DELIMITER_CELL = re.compile(r":?-+:?\Z")
_MATH_START = re.compile(r"\$\$|\\\[|\\begin\{([a-z]{1,20}\*?)\}")
_TASK = re.compile(r"\[([ xX])\][ \t]+(?=\S)")
_MOST_SPACES_AFTER_MARKER = 4


class Fence(msgspec.Struct, frozen=True):
    """An opened code fence: its characters, its indentation in columns, and its language."""

    marker: str
    indent: int
    language: str


class Math(msgspec.Struct, frozen=True):
    """Display math that was opened: how, what closes it, and what of it stands on its first line."""

    opener: str
    closer: str
    first_line: str
    closed: bool


def takes_quote_marker(line: Line) -> bool:
    """Read over `> `, if it comes next."""
    if line.indent() >= CODE_INDENT or not line.content().startswith(">"):
        return False
    line.advance_to_content()
    line.advance_columns(1)
    if line.next_is_space():
        line.advance_columns(1)
    return True


def heading_at(content: str) -> tuple[int, str] | None:
    """Return level and text of a `#` heading."""
    match = _HEADING.match(content)
    if match is None:
        return None
    text = content[match.end() :].rstrip(" \t")
    without_closing = text.rstrip("#")
    if not without_closing or without_closing[-1] in " \t":
        text = without_closing.rstrip(" \t")
    return len(match[1]), text


def setext_level(content: str) -> int | None:
    """Return the level that a line of `=` or `-` gives to the paragraph above it."""
    match = _SETEXT_UNDERLINE.match(content)
    if match is None:
        return None
    return 1 if match[1][0] == "=" else 2


def is_thematic_break(content: str) -> bool:
    """Tell whether the line is a horizontal rule."""
    return _THEMATIC_BREAK.match(content) is not None


def fence_at(line: Line) -> Fence | None:
    """Return the code fence that opens here."""
    content = line.content()
    match = _FENCE.match(content)
    if match is None:
        return None
    info = content[match.end() :].split(maxsplit=1)
    return Fence(match[0], line.indent(), info[0] if info else "")


def closes_fence(line: Line, fence: Fence) -> bool:
    """Tell whether the line closes `fence`."""
    if line.indent() >= CODE_INDENT:
        return False
    content = line.content().rstrip(" \t")
    return len(content) >= len(fence.marker) and set(content) == {fence.marker[0]}


def math_at(content: str) -> Math | None:
    r"""Return the display math that opens here: `$$`, `\[` or a LaTeX environment, with nothing else on its lines."""
    match = _MATH_START.match(content)
    if match is None:
        return None
    if match[1] is not None:
        opener, closer, rest = "", f"\\end{{{match[1]}}}", content.rstrip(" \t")
    else:
        opener, rest = match[0], content[match.end() :].rstrip(" \t")
        closer = "$$" if opener == "$$" else "\\]"
    where = rest.find(closer)
    if where == -1:
        return Math(opener, closer, rest, closed=False)
    if where + len(closer) < len(rest):
        return None
    return Math(opener, closer, rest if not opener else rest[:where], closed=True)


def math_line(text: str, closer: str) -> tuple[str, bool]:
    """Return what a line adds to display math, and whether it closes it."""
    where = text.find(closer)
    if where == -1:
        return text, False
    return text[: where + len(closer)] if closer.startswith("\\end") else text[:where], True


def list_marker_at(line: Line, *, interrupts_paragraph: bool) -> tuple[str, int | None, int] | None:
    """Read over a list marker.

    Returns:
        The bullet (or the character after the number), the number, and the columns from here to the item's content;
        None, with nothing read, if no item starts here.
    """
    indent, content = line.indent(), line.content()
    match = _BULLET.match(content) or _NUMBER.match(content)
    if match is None or indent >= CODE_INDENT:
        return None
    number = int(match[1]) if match[2] else None
    if interrupts_paragraph and (number not in {None, 1} or not content[match.end() :].strip(" \t")):
        return None
    line.advance_to_content()
    line.advance_columns(match.end())
    columns = indent + match.end() + _take_marker_spaces(line)
    return (match[2] or match[1]), number, columns


def _take_marker_spaces(line: Line) -> int:
    """Read over the white space after a list marker; return the columns of it that belong to the marker."""
    spaces = line.indent()
    if 1 <= spaces <= _MOST_SPACES_AFTER_MARKER and not line.is_blank():
        line.advance_columns(spaces)
        return spaces
    if line.next_is_space():
        line.advance_columns(1)
    return 1


def task_at(text: str) -> tuple[bool, str] | None:
    """Return whether a task list item's text is checked, and the text after the box; None without a box."""
    match = _TASK.match(text)
    return None if match is None else (match[1] != " ", text[match.end() :])


def split_row(row: str) -> list[str]:
    r"""Return the cells of a table row; `\|` is a bar inside a cell."""
    cells = [""]
    escaped = False
    for character in row.strip(" \t"):
        if character == "|" and not escaped:
            cells.append("")
        else:
            cells[-1] += character
        escaped = character == "\\"
    cells = [cell.strip(" \t").replace("\\|", "|") for cell in cells]
    return cells[1 if len(cells) > 1 and not cells[0] else 0 : -1 if len(cells) > 1 and not cells[-1] else None]


def column_alignments(row: str) -> list[str] | None:
    """Return `left`, `right`, `center` or nothing for each column of a table's delimiter row; None if it is none."""
    text = row.strip(" \t")
    if not _DELIMITER_ROW.match(text) or text[:2] in {"- ", "-\t"}:
        return None
    cells = [cell.strip(" \t") for cell in text.split("|")]
    cells = cells[0 if cells[0] else 1 : None if cells[-1] else -1]
    if not cells or not all(_DELIMITER_CELL.match(cell) for cell in cells):
        return None
    return [_alignment(cell) for cell in cells]


def _alignment(cell: str) -> str:
    match cell[0] == ":", cell[-1] == ":":
        case True, True:
            return "center"
        case True, False:
            return "left"
        case False, True:
            return "right"
        case _:
            return ""


def starts_table(header: str, delimiters: str) -> bool:
    """Tell whether two lines, the first one of a paragraph, are the head of a table."""
    if "|" not in header:
        return False
    alignments = column_alignments(delimiters)
    return alignments is not None and len(alignments) == len(split_row(header))
