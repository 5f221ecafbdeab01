"""Painting what is in view: bubbles, rows, and the ring around the message that the keyboard is at."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPen

from desktop.chat.transcript.layout import TranscriptLayout
from desktop.chat.transcript.look import Look
from desktop.chat.transcript.message_item import MessageItem
from desktop.chat.transcript.places import RowPlace
from desktop.chat.transcript.row import Row, RowState, Span, TextRow

BUBBLE_RADIUS = 14.0
RING_MARGIN, RING_WIDTH, RING_RADIUS = 6.0, 2.0, 10.0
MAX_KEPT_ROWS = 400
"""Rows whose documents stay in memory: several screens of them."""


@dataclass(frozen=True, slots=True)
class Frame:
    """What is painted this time.

    Attributes:
        scroll: px that are out of view above.
        area: what has to be painted anew, in the viewport's coordinates.
        selection_in: tells what of a row is selected.
        hits_in: tells what of a row was found, and which of it the user is at.
        caret: the row at whose end more text is expected.
        hovered: the row under the pointer.
        ringed_message: index of the message that the keyboard is at; None without keyboard.
        message_with_buttons: index of the message whose buttons are shown.
    """

    scroll: float
    area: QRectF
    selection_in: Callable[[RowPlace], Span | None]
    hits_in: Callable[[RowPlace], tuple[tuple[Span, ...], Span | None]]
    caret: RowPlace | None
    hovered: RowPlace | None
    ringed_message: int | None
    message_with_buttons: int | None


class TranscriptPainter:
    """Paints rows, and has those that were not painted for long give back their documents."""

    def __init__(self) -> None:
        self._recent: dict[Row, None] = {}

    def forget(self) -> None:
        """Forget which rows were painted: there are other messages now."""
        self._recent.clear()

    def paint(self, painter: QPainter, layout: TranscriptLayout, look: Look, frame: Frame) -> None:
        """Paint `frame`."""
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setLayoutDirection(Qt.LayoutDirection.LeftToRight)  # Rows say themselves what is mirrored.
        top, bottom = frame.scroll + frame.area.top(), frame.scroll + frame.area.bottom()
        for number in layout.messages_between(top, bottom):
            item = layout.items[number]
            if item.stack.rows and item.is_user:
                self._paint_bubble(painter, item, layout.message_top(number) - frame.scroll, look)
            if number == frame.ringed_message:
                self._paint_ring(painter, item, layout.message_top(number) - frame.scroll, look, frame.area)
        painted = 0
        for place, box, row in layout.rows_between(top, bottom):
            self._paint_row(painter, layout.items[place.message], place, box, row, frame)
            self._recent.pop(row, None)
            self._recent[row] = None
            painted += 1
        self._release(keep=max(MAX_KEPT_ROWS, 2 * painted))

    def _paint_row(
        self, painter: QPainter, item: MessageItem, place: RowPlace, box: QRectF, row: Row, frame: Frame
    ) -> None:
        on_screen = box.translated(0, -frame.scroll)
        hits, current = frame.hits_in(place) if isinstance(row, TextRow) else ((), None)
        is_footer = place.row == len(item.stack.rows) - 1
        state = RowState(
            clip=frame.area.translated(-on_screen.left(), -on_screen.top()),
            selection=frame.selection_in(place) if isinstance(row, TextRow) else None,
            hits=hits,
            current_hit=current,
            hovered=place == frame.hovered or (is_footer and place.message == frame.message_with_buttons),
            shows_caret=place == frame.caret,
        )
        painter.translate(on_screen.topLeft())
        row.paint(painter, on_screen.width(), state)
        painter.translate(-on_screen.topLeft())

    def _paint_bubble(self, painter: QPainter, item: MessageItem, top: float, look: Look) -> None:
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(look.colors.bubble))
        painter.drawRoundedRect(item.bubble().translated(0, top), BUBBLE_RADIUS, BUBBLE_RADIUS)

    def _paint_ring(self, painter: QPainter, item: MessageItem, top: float, look: Look, area: QRectF) -> None:
        ring = item.outline().translated(0, top).adjusted(-RING_MARGIN, -RING_MARGIN, RING_MARGIN, 0)
        # A ring that is higher than the view is cut there: dashing or rounding kilometres of line is slow.
        ring = ring.intersected(area.adjusted(-100, -100, 100, 100))
        painter.setPen(QPen(QColor(look.colors.accent), RING_WIDTH))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.drawRoundedRect(ring, RING_RADIUS, RING_RADIUS)

    def _release(self, *, keep: int) -> None:
        while len(self._recent) > keep:
            row = next(iter(self._recent))
            del self._recent[row]
            row.release()
