"""A row: the horizontal slice of a message that is estimated, laid out, painted and forgotten as one.

A paragraph is a row, and so are a table's row, sixteen lines of code, a message's footer. Rows are what keeps the cost
of a long chat flat: only those in view are laid out, and only the last one changes while a reply comes in.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from enum import Enum, auto

from PySide6.QtCore import QPointF, QRectF, QTextBoundaryFinder
from PySide6.QtGui import QPainter

from desktop.chat.markdown.block import Block

Span = tuple[int, int]
"""Start and end of text in a row, in UTF-16 code units, as Qt counts."""


@dataclass(frozen=True, slots=True)
class RowState:
    """What a row is painted with beyond its content.

    Attributes:
        clip: what of the row is in view, in the row's coordinates.
        selection: the selected text; None if none is.
        hits: text found by "find in page".
        current_hit: the hit that the user is at.
        hovered: whether the pointer is over the row.
        shows_caret: whether more text is expected at its end.
    """

    clip: QRectF
    selection: Span | None = None
    hits: tuple[Span, ...] = ()
    current_hit: Span | None = None
    hovered: bool = False
    shows_caret: bool = False

    def moved(self, dx: float, dy: float) -> RowState:
        """Return the state in coordinates whose origin lies at (-dx, -dy) of these."""
        return replace(self, clip=self.clip.translated(dx, dy))


class Sideways:
    """How far content that is wider than its column has been moved to the left; shared by the rows of one block.

    Attributes:
        offset: px that are out of view on the left; on the right where content begins there.
        hidden: px that do not fit into the column.
    """

    def __init__(self, *, is_mirrored: bool = False) -> None:
        self._is_mirrored = is_mirrored
        self.offset = 0.0
        self.hidden = 0.0
        self._view_width = 0.0

    def fit(self, content_width: float, view_width: float) -> None:
        """Take the width of a row's content and of the view, px; the widest row decides."""
        if view_width != self._view_width:
            self._view_width, self.hidden = view_width, 0.0
        self.hidden = max(self.hidden, content_width - view_width, 0.0)
        self.offset = min(self.offset, self.hidden)

    def bar(self, track: QRectF) -> QRectF:
        """Return the scroll bar's handle on `track`; an empty rectangle where everything fits."""
        if not self.hidden:
            return QRectF()
        width = max(track.width() * self._view_width / (self._view_width + self.hidden), 24.0)
        left = track.left() + (track.width() - width) * self.offset / self.hidden
        return QRectF(left, track.top(), width, track.height())

    def scroll(self, delta: float) -> bool:
        """Show what stands `delta` px further to the right; tell whether it moved."""
        before = self.offset
        self.offset = min(max(self.offset + (-delta if self._is_mirrored else delta), 0.0), self.hidden)
        return self.offset != before


class RowControl(Enum):
    """What a row can do when it is clicked."""

    COPY_CODE = auto()
    FOLD_REASONING = auto()
    SHOW_MORE = auto()


class Row:
    """The base of all rows.

    Attributes:
        gap_above: px between the row above and this one.
        height: whole px, so that what is painted below stays sharp; an estimate until the row has been measured.
        sideways: where content wider than the column stands; None if there cannot be any.
        dirty_top: px from the row's top from which on it looks different since it was last updated.
    """

    def __init__(self) -> None:
        self.gap_above = 0.0
        self.height = 0.0
        self.sideways: Sideways | None = None
        self.dirty_top = 0.0
        self._measured_width = -1.0

    def is_measured(self, width: float) -> bool:
        """Tell whether `height` is exact at `width`."""
        return self._measured_width == width

    def estimate(self, width: float) -> None:
        """Set `height` to a guess that costs next to nothing; a fixed height stays."""

    def measure(self, width: float) -> None:
        """Lay the row out at `width` px and make `height` exact."""
        self._measured_width = width

    def forget_measure(self) -> None:
        """Have the row laid out anew, because its content changed."""
        self._measured_width = -1.0

    def release(self) -> None:
        """Give back what can be made again; the height stays as it was."""

    def paint(self, painter: QPainter, width: float, state: RowState) -> None:
        """Paint the row with its top left corner at the painter's origin."""

    def control_at(self, point: QPointF, width: float) -> RowControl | None:  # noqa: ARG002 - most rows have none
        """Return what a click on a point of the row does; None if it begins a selection."""
        return None


class TextRow(Row, ABC):
    """A row with text that can be selected, searched and copied.

    Attributes:
        block: the block that the row shows, or shows a part of.
    """

    def __init__(self, block: Block) -> None:
        super().__init__()
        self.block = block

    @abstractmethod
    def plain_text(self) -> str:
        """Return the text that is shown, without laying it out."""

    @abstractmethod
    def offset_at(self, point: QPointF) -> int:
        """Return the place in the text nearest to a point of the row."""

    @abstractmethod
    def caret_rect(self, offset: int) -> QRectF:
        """Return where a caret would stand at `offset`."""

    @abstractmethod
    def link_at(self, point: QPointF) -> str:
        """Return the address that a point leads to; nothing if it leads nowhere."""

    def links(self) -> list[str]:
        """Return the addresses in the text."""
        return []

    def length(self) -> int:
        """Return the length of the text in UTF-16 code units."""
        return utf16_length(self.plain_text())

    def copied_text(self, start: int, end: int) -> str:
        """Return what copying a span gives; a list item copied from its start has its marker."""
        return utf16_slice(self.plain_text(), start, end)

    def paragraph_at(self, offset: int) -> Span:  # noqa: ARG002 - a row is a paragraph, unless it says otherwise
        """Return the paragraph around `offset`."""
        return 0, self.length()

    def word_at(self, offset: int) -> Span:
        """Return the word around `offset`."""
        return word_around(self.plain_text(), offset)


def utf16_length(text: str) -> int:
    """Return the length of `text` as Qt counts it."""
    return len(text) if text.isascii() else len(text.encode("utf-16-le")) // 2


def utf16_slice(text: str, start: int, end: int) -> str:
    """Return the part of `text` between two offsets as Qt counts them."""
    if text.isascii():
        return text[start:end]
    return text.encode("utf-16-le")[2 * start : 2 * end].decode("utf-16-le", errors="replace")


def word_around(text: str, offset: int) -> Span:
    """Return the word around `offset`, by Unicode's rules for where words end."""
    finder = QTextBoundaryFinder(QTextBoundaryFinder.BoundaryType.Word, text)
    finder.setPosition(offset)
    start = offset if finder.isAtBoundary() and offset < utf16_length(text) else max(finder.toPreviousBoundary(), 0)
    finder.setPosition(start)
    return start, max(finder.toNextBoundary(), start)


def line_around(text: str, offset: int) -> Span:
    """Return the line around `offset`."""
    before, after = utf16_slice(text, 0, offset), utf16_slice(text, offset, utf16_length(text))
    start = utf16_length(before[: before.rfind("\n") + 1])
    return start, offset + utf16_length(after.partition("\n")[0])
