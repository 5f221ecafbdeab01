"""The keyboard in the transcript: from message to message, and the selection's end by character and line."""

from __future__ import annotations

from PySide6.QtCore import QPointF, Qt, QTextBoundaryFinder
from PySide6.QtGui import QKeyEvent

from desktop.chat.transcript.layout import TranscriptLayout
from desktop.chat.transcript.places import RowPlace, TextPlace
from desktop.chat.transcript.row import TextRow

MESSAGE_KEYS = {Qt.Key.Key_Up: -1, Qt.Key.Key_Down: 1}


def message_step(event: QKeyEvent) -> int:
    """Return 1 if a key asks for the next message, -1 for the previous one, else 0: Alt with an arrow up or down."""
    if event.modifiers() & Qt.KeyboardModifier.AltModifier:
        return MESSAGE_KEYS.get(Qt.Key(event.key()), 0)
    return 0


def moved_place(layout: TranscriptLayout, place: TextPlace, key: Qt.Key) -> TextPlace | None:
    """Return where an arrow key takes the selection's end; None if it goes nowhere, or is no arrow."""
    row = layout.laid_out_row(place)
    if row is None:
        return None
    place = place._replace(offset=min(place.offset, row.length()))
    match key:
        case Qt.Key.Key_Left:
            return _beside(layout, row, place, -1)
        case Qt.Key.Key_Right:
            return _beside(layout, row, place, 1)
        case Qt.Key.Key_Up:
            return _above_or_below(layout, row, place, -1)
        case Qt.Key.Key_Down:
            return _above_or_below(layout, row, place, 1)
        case _:
            return None


def _beside(layout: TranscriptLayout, row: TextRow, place: TextPlace, step: int) -> TextPlace | None:
    finder = QTextBoundaryFinder(QTextBoundaryFinder.BoundaryType.Grapheme, row.plain_text())
    finder.setPosition(place.offset)
    offset = finder.toNextBoundary() if step > 0 else finder.toPreviousBoundary()
    if offset >= 0:
        return place._replace(offset=offset)
    neighbour = _text_row_beside(layout, place, step)
    beside = layout.laid_out_row(neighbour) if neighbour is not None else None
    if neighbour is None or beside is None:
        return None
    return TextPlace(*neighbour, 0 if step > 0 else beside.length())


def _above_or_below(layout: TranscriptLayout, row: TextRow, place: TextPlace, step: int) -> TextPlace | None:
    caret = row.caret_rect(place.offset)
    target = QPointF(caret.x(), caret.center().y() + step * caret.height())
    if 0 <= target.y() < row.height:
        offset = row.offset_at(target)
        if offset != place.offset:
            return place._replace(offset=offset)
    neighbour = _text_row_beside(layout, place, step)
    beside = layout.laid_out_row(neighbour) if neighbour is not None else None
    if neighbour is None or beside is None:
        return None
    line = beside.caret_rect(0 if step > 0 else beside.length())
    return TextPlace(*neighbour, beside.offset_at(QPointF(caret.x(), line.center().y())))


def _text_row_beside(layout: TranscriptLayout, place: TextPlace, step: int) -> RowPlace | None:
    """Return the next row with text above (-1) or below (1)."""
    message, row = place.message, place.row + step
    while 0 <= message < len(layout.items):
        item = layout.items[message]
        item.build()
        while 0 <= row < len(item.stack.rows):
            if isinstance(item.stack.rows[row], TextRow):
                return RowPlace(message, row)
            row += step
        message += step
        if 0 <= message < len(layout.items):
            layout.items[message].build()
            row = 0 if step > 0 else len(layout.items[message].stack.rows) - 1
    return None
