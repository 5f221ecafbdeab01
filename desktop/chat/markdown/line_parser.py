"""The state of CommonMark's block algorithm between two lines, and what a line does to it."""

from __future__ import annotations

import copy
import re

from desktop.chat.markdown.block import Block, BlockKind, Container, ListItem, Quote
from desktop.chat.markdown.block_starts import (
    closes_fence,
    fence_at,
    heading_at,
    is_thematic_break,
    list_marker_at,
    math_at,
    math_line,
    setext_level,
    starts_table,
    takes_quote_marker,
)
from desktop.chat.markdown.leaf import Leaf
from desktop.chat.markdown.line import CODE_INDENT, Line

MAX_DEPTH = 100
"""Containers inside each other beyond which a marker is text: nobody writes that, and it must not cost anything."""

_MARKERS_ONLY = re.compile(r"[\s\-=+*_#>~`|:.)$\\\d]*(?:\[[ xX]?\]?\s*)?\Z")


class LineParser:
    """Open containers, the open leaf, and the blocks that are finished."""

    def __init__(self) -> None:
        self._containers: tuple[Container, ...] = ()
        self._last_items: tuple[ListItem | None, ...] = (None,)  # of the list that is open inside each container
        self._childless = 0  # how many of the innermost containers hold no block yet
        self._childless_span = (0, 0)  # the line where the first of them opened
        self._leaf: Leaf | None = None
        self._line_start = 0
        self._line_end = 0
        self._after_blank_line = False
        self._finished: list[Block] = []

    def clone(self) -> LineParser:
        """Return a copy that can take a provisional line; finished blocks stay here."""
        twin = copy.copy(self)
        twin._leaf = self._leaf.clone() if self._leaf else None  # noqa: SLF001 - its own class
        twin._finished = []  # noqa: SLF001 - its own class
        return twin

    def take_finished(self) -> list[Block]:
        """Return the blocks finished since the last call."""
        finished, self._finished = self._finished, []
        return finished

    def take_line(self, text: str) -> None:
        """Take one line, without its newline."""
        self._line_end = self._line_start + len(text)
        line = Line(text)
        depth = self._match_containers(line)
        if depth < len(self._containers) or not self._continue_leaf(line):
            self._start_blocks(line, depth)
        self._line_start = self._line_end + 1

    def take_partial_line(self, text: str) -> None:
        """Take the beginning of a line, as far as it can be shown already, and finish everything.

        Markers alone say nothing yet (`-` may become a list item, a rule, or underline a heading), a fence's language
        and a table's row come in pieces, and a line that begins with a bar may become a table's header: all these wait.
        """
        if text and not self._awaits_more_than(text):
            start = self._line_start
            self.take_line(text)
            if self._leaf is not None and self._leaf.fence is not None and self._leaf.start == start:
                self._leaf = None
        leaf = self._leaf
        if leaf is not None:
            leaf.math_closer = ""
            if leaf.kind is BlockKind.PARAGRAPH and leaf.lines[-1].startswith("|"):
                leaf.lines.pop()
                self._leaf = leaf if leaf.lines else None
        self.close()

    def close(self) -> None:
        """Finish all that is open."""
        self._close_containers(0)

    def _awaits_more_than(self, partial: str) -> bool:
        leaf = self._leaf
        if leaf is not None and leaf.fence is not None:
            return not partial.strip().strip(leaf.fence.marker[0])
        if leaf is not None and leaf.kind is BlockKind.TABLE:
            return True
        return _MARKERS_ONLY.match(partial) is not None

    # containers

    def _match_containers(self, line: Line) -> int:
        """Read over the markers of the open containers; return how many of them the line is inside of."""
        for depth, container in enumerate(self._containers):
            if not self._is_inside(container, line, depth):
                return depth
        return len(self._containers)

    def _is_inside(self, container: Container, line: Line, depth: int) -> bool:
        match container:
            case Quote():
                return takes_quote_marker(line)
            case ListItem(content_columns=columns):
                if line.is_blank():
                    return depth < len(self._containers) - self._childless
                if line.indent() < columns:
                    return False
                line.advance_columns(columns)
                return True

    def _open_container(self, container: Container, depth: int) -> None:
        self._close_containers(depth)
        item = container if isinstance(container, ListItem) else None
        self._containers = (*self._containers, container)
        self._last_items = (*self._last_items[:depth], item, None)
        if not self._childless:
            self._childless_span = (self._line_start, self._line_end)
        self._childless += 1

    def _close_containers(self, depth: int) -> None:
        """Close the leaf and all containers from `depth` on; one that stayed empty still shows its marker."""
        self._close_leaf()
        if depth == len(self._containers):
            return
        if self._childless:
            leaf = self._open_leaf(BlockKind.PARAGRAPH)
            leaf.start, leaf.end = self._childless_span
            self._close_leaf()
        self._containers = self._containers[:depth]
        self._last_items = self._last_items[: depth + 1]

    # what starts on a line

    def _start_blocks(self, line: Line, depth: int) -> None:
        """Open the containers and the leaf that start on this line, or go on with the open paragraph."""
        in_paragraph = self._leaf is not None and self._leaf.kind is BlockKind.PARAGRAPH
        lazy = in_paragraph and depth < len(self._containers)
        first_depth = depth
        while depth < MAX_DEPTH:
            container = self._container_at(line, depth, interrupts_paragraph=in_paragraph and not lazy)
            if container is None:
                break
            self._open_container(container, depth)
            depth += 1
            in_paragraph = lazy = False
        if line.indent() < CODE_INDENT and self._start_marked_leaf(line, depth):
            return
        if lazy and self._leaf is not None and not line.is_blank():
            self._add_line(self._leaf, line.content())
            return
        self._close_containers(depth)
        if line.is_blank():
            self._after_blank_line = depth == first_depth
        else:
            self._start_unmarked_leaf(line)

    def _container_at(self, line: Line, depth: int, *, interrupts_paragraph: bool) -> Container | None:
        if takes_quote_marker(line):
            return Quote()
        if line.indent() >= CODE_INDENT or is_thematic_break(line.content()):
            return None
        marker = list_marker_at(line, interrupts_paragraph=interrupts_paragraph)
        if marker is None:
            return None
        bullet, number, columns = marker
        before = self._last_items[depth]
        if number is not None and before is not None and before.number is not None and before.bullet == bullet:
            number = before.number + 1
        return ListItem(bullet, number, columns)

    def _start_marked_leaf(self, line: Line, depth: int) -> bool:
        """Open the leaf that the line's first characters announce; tell whether there is one."""
        content = line.content()
        if heading := heading_at(content):
            self._close_containers(depth)
            leaf = self._open_leaf(BlockKind.HEADING)
            leaf.level, text = heading
            self._add_line(leaf, text)
            self._close_leaf()
        elif fence := fence_at(line):
            self._close_containers(depth)
            leaf = self._open_leaf(BlockKind.CODE)
            leaf.fence, leaf.language = fence, fence.language
        elif math := math_at(content):
            self._close_containers(depth)
            leaf = self._open_leaf(BlockKind.MATH)
            leaf.math_opener, leaf.math_closer = math.opener, math.closer
            self._add_math(leaf, math.first_line, closed=math.closed)
        elif is_thematic_break(content):
            self._close_containers(depth)
            self._open_leaf(BlockKind.RULE)
            self._close_leaf()
        else:
            return False
        return True

    def _start_unmarked_leaf(self, line: Line) -> None:
        if line.indent() >= CODE_INDENT:
            line.advance_columns(CODE_INDENT)
            self._add_line(self._open_leaf(BlockKind.CODE), line.rest())
        else:
            self._add_line(self._open_leaf(BlockKind.PARAGRAPH), line.content())

    # what goes on with a line

    def _continue_leaf(self, line: Line) -> bool:
        """Give the line to the open leaf; tell whether it took it."""
        leaf = self._leaf
        if leaf is None:
            return False
        match leaf.kind:
            case BlockKind.PARAGRAPH:
                return self._continue_paragraph(leaf, line)
            case BlockKind.CODE:
                return self._continue_code(leaf, line)
            case BlockKind.MATH:
                return self._continue_math(leaf, line)
            case BlockKind.TABLE:
                return self._continue_table(leaf, line)
            case BlockKind.HEADING | BlockKind.RULE | BlockKind.PLAIN:
                return False

    def _continue_code(self, leaf: Leaf, line: Line) -> bool:
        if leaf.fence is None:
            return self._continue_indented_code(leaf, line)
        if closes_fence(line, leaf.fence):
            leaf.end = self._line_end
            self._close_leaf()
        else:
            line.advance_up_to(leaf.fence.indent)
            self._add_line(leaf, line.rest())
        return True

    def _continue_paragraph(self, leaf: Leaf, line: Line) -> bool:
        content = line.content()
        if not content:
            return False
        if line.indent() >= CODE_INDENT:
            self._add_line(leaf, content)
        elif starts_table(leaf.lines[-1], content):
            self._turn_into_table(leaf, content)
        elif level := setext_level(content):
            leaf.kind, leaf.level, leaf.end = BlockKind.HEADING, level, self._line_end
            self._close_leaf()
        elif _interrupts(line, paragraph=True):
            return False
        else:
            self._add_line(leaf, content)
        return True

    def _turn_into_table(self, leaf: Leaf, delimiters: str) -> None:
        """Make a table of the paragraph's last line, its header, and the line below it."""
        header, start = leaf.lines.pop(), leaf.line_starts.pop()
        if leaf.lines:
            leaf.end = start - 1
            self._close_leaf()
            leaf = self._open_leaf(BlockKind.TABLE)
            leaf.start = start
        leaf.kind = BlockKind.TABLE
        leaf.add_line(header, start)
        self._add_line(leaf, delimiters)

    def _continue_table(self, leaf: Leaf, line: Line) -> bool:
        if line.is_blank() or line.indent() >= CODE_INDENT or _interrupts(line, paragraph=False):
            return False
        self._add_line(leaf, line.content())
        return True

    def _continue_indented_code(self, leaf: Leaf, line: Line) -> bool:
        if line.indent() < CODE_INDENT and not line.is_blank():
            return False
        self._after_blank_line = line.is_blank()
        line.advance_up_to(CODE_INDENT)
        leaf.add_line(line.rest(), self._line_start)
        if not self._after_blank_line:
            leaf.end = self._line_end
        return True

    def _continue_math(self, leaf: Leaf, line: Line) -> bool:
        if line.is_blank():
            return False
        text, closed = math_line(line.rest(), leaf.math_closer)
        self._add_math(leaf, text, closed=closed)
        return True

    # leaves

    def _open_leaf(self, kind: BlockKind) -> Leaf:
        leaf = Leaf(kind, self._line_start, begins=self._childless, after_blank_line=self._after_blank_line)
        leaf.end = self._line_end
        self._leaf, self._childless, self._after_blank_line = leaf, 0, False
        self._last_items = (*self._last_items[:-1], None)
        return leaf

    def _add_line(self, leaf: Leaf, text: str) -> None:
        leaf.add_line(text, self._line_start)
        leaf.end = self._line_end

    def _add_math(self, leaf: Leaf, text: str, *, closed: bool) -> None:
        self._add_line(leaf, text)
        if closed:
            leaf.math_closer = ""
            self._close_leaf()

    def _close_leaf(self) -> None:
        leaf, self._leaf = self._leaf, None
        if leaf is not None:
            self._finished.append(leaf.block(self._containers))


def _interrupts(line: Line, *, paragraph: bool) -> bool:
    """Tell whether a line starts something that need not wait for a blank line after a paragraph (or a table)."""
    content = line.content()
    if content.startswith(">") or is_thematic_break(content) or heading_at(content) or fence_at(line):
        return True
    if math_at(content):
        return True
    position = line.position()
    found = list_marker_at(line, interrupts_paragraph=paragraph) is not None
    line.back_to(position)
    return found
