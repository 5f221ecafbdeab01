"""All messages on top of each other: which are in view, and how what is read stays in place while heights become exact.

Heights are guesses until a row comes into view. So that reading does not jump when a guess is corrected, the first row
in view that was exact already keeps its place on the screen.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator

from PySide6.QtCore import QPointF, QRectF

from desktop.chat.transcript.column import Column
from desktop.chat.transcript.message_item import MessageItem
from desktop.chat.transcript.places import RowPlace, TextPlace
from desktop.chat.transcript.row import Row, TextRow

MAX_ROUNDS = 6


class TranscriptLayout:
    """The messages and where they stand.

    Attributes:
        items: the messages, oldest first.
        height: px of all of them.
    """

    def __init__(self) -> None:
        self.items: list[MessageItem] = []
        self.height = 0.0
        self._margin = 0.0
        self._tops: list[float] = []

    def set_items(self, items: list[MessageItem]) -> None:
        """Show other messages."""
        self.items = items
        self.restack()

    def set_margin(self, margin: float) -> None:
        """Take another distance above and below everything, px."""
        self._margin = margin

    def set_column(self, column: Column) -> None:
        """Have all messages stand in another column."""
        for item in self.items:
            item.set_column(column)

    def restack(self, index: int = 0) -> None:
        """Work out the tops anew from message `index` on."""
        del self._tops[index:]
        y = self._margin
        if self._tops:
            before = self.items[index - 1]
            y = self._tops[-1] + before.height + before.gap_below
        for item in self.items[index:]:
            self._tops.append(y)
            y += item.height + item.gap_below
        self.height = y + self._margin

    def settle(self, scroll: float, viewport_height: float, *, at_end: bool) -> float:
        """Make exact what is in view.

        Args:
            scroll: px that are out of view above.
            viewport_height: px in view.
            at_end: True keeps the end in view, whatever becomes exact above it.

        Returns:
            The new `scroll` at which what was seen stays where it was.
        """
        for _ in range(MAX_ROUNDS):
            end = max(self.height - viewport_height, 0.0)
            scroll = end if at_end else min(max(scroll, 0.0), end)
            anchor = self._anchor(scroll, viewport_height)
            if not self._measure(scroll, scroll + viewport_height):
                break
            if anchor is not None and not at_end:
                place, on_screen = anchor
                scroll = self.top_of(place) - on_screen
        return max(min(scroll, self.height - viewport_height), 0.0)

    def top_of(self, place: RowPlace) -> float:
        """Return the px above a row."""
        item = self.items[place.message]
        inside = item.stack.tops[place.row] if place.row < len(item.stack.tops) else 0.0
        return self._tops[place.message] + inside

    def message_top(self, index: int) -> float:
        """Return the px above a message."""
        return self._tops[index]

    def messages_between(self, top: float, bottom: float) -> range:
        """Return the indexes of the messages that stand between `top` and `bottom` px."""
        if not self.items:
            return range(0)
        first = max(bisect_right(self._tops, top) - 1, 0)
        return range(first, max(bisect_right(self._tops, bottom), first + 1))

    def message_at(self, y: float) -> int | None:
        """Return the message at a height, what is between its rows and below it included; None beside all of them."""
        index = bisect_right(self._tops, y) - 1
        if index < 0:
            return None
        item = self.items[index]
        return index if y < self._tops[index] + item.height + item.gap_below else None

    def rows_between(self, top: float, bottom: float) -> Iterator[tuple[RowPlace, QRectF, Row]]:
        """Yield the rows there: place, box (x from the viewport's edge, y from the transcript's top) and row."""
        for number in self.messages_between(top, bottom):
            item, start = self.items[number], self._tops[number]
            if not item.stack.rows:
                continue
            for index in range(item.stack.index_at(top - start), len(item.stack.rows)):
                row = item.stack.rows[index]
                if start + item.stack.tops[index] - row.gap_above > bottom:
                    break
                yield RowPlace(number, index), item.box_of(index).translated(0, start), row

    def text_place_at(self, point: QPointF, top: float, bottom: float) -> TextPlace | None:
        """Return the place in the text nearest to a point, of the rows between `top` and `bottom` px.

        The point's x counts from the viewport's edge, its y from the top of everything.
        """
        nearest: tuple[float, TextRow, RowPlace, QRectF] | None = None
        for place, box, row in self.rows_between(top, bottom):
            if isinstance(row, TextRow):
                distance = max(box.top() - point.y(), point.y() - box.bottom(), 0.0)
                if nearest is None or distance < nearest[0]:
                    nearest = distance, row, place, box
        if nearest is None:
            return None
        _, row, place, box = nearest
        inside = QPointF(point.x() - box.left(), min(max(point.y() - box.top(), 0.0), box.height() - 1))
        return TextPlace(*place, row.offset_at(inside))

    def laid_out_row(self, place: RowPlace | TextPlace) -> TextRow | None:
        """Return the row with text at a place, exact and with all above it; None if it is gone: messages may change."""
        if place.message >= len(self.items):
            return None
        item = self.items[place.message]
        item.place()
        row = item.stack.rows[place.row] if place.row < len(item.stack.rows) else None
        if not isinstance(row, TextRow):
            return None
        if not row.is_measured(item.width_of(row)):
            row.measure(item.width_of(row))
            item.stack.restack(place.row)
        self.restack(place.message)
        return row

    def caret_row(self) -> RowPlace | None:
        """Return the row at whose end more text is expected; None if none is, or its message was never in view."""
        if not self.items or not self.items[-1].is_streaming or not self.items[-1].stack.rows:
            return None
        return RowPlace(len(self.items) - 1, self.items[-1].caret_row())

    def row_at(self, point: QPointF) -> tuple[RowPlace, QRectF, Row] | None:
        """Return the row at a point."""
        return next((found for found in self.rows_between(point.y(), point.y()) if found[1].contains(point)), None)

    def _measure(self, top: float, bottom: float) -> bool:
        changed_at: int | None = None
        for index in self.messages_between(top, bottom):
            start = self._tops[index]
            if self.items[index].measure(top - start, bottom - start) and changed_at is None:
                changed_at = index
        if changed_at is not None:
            self.restack(changed_at)
        return changed_at is not None

    def _anchor(self, scroll: float, viewport_height: float) -> tuple[RowPlace, float] | None:
        """Return the row that is to keep its place, and where on the screen that is."""
        first: tuple[RowPlace, float] | None = None
        for place, box, row in self.rows_between(scroll, scroll + viewport_height):
            if first is None:
                first = place, box.top() - scroll
            if row.is_measured(self.items[place.message].width_of(row)) and box.top() >= scroll:
                return place, box.top() - scroll
        return first
