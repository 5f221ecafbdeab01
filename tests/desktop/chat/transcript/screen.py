"""What is on the screen, what ought to be, and the mouse on it."""

from __future__ import annotations

from typing import cast

from PySide6.QtCore import QPoint, QRect, Qt
from PySide6.QtGui import QGuiApplication, QImage
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QWidget

from desktop.chat.transcript.layout import TranscriptLayout
from desktop.chat.transcript.places import RowPlace
from desktop.chat.transcript.row import Row, TextRow
from desktop.chat.transcript.transcript_view import TranscriptView

TOLERANCE = 8
"""Difference of a colour that rounding explains where an edge is smoothed."""


def shown(view: TranscriptView) -> QImage:
    """Return the window as it is on the screen: what partial updates have left there."""
    QApplication.processEvents()
    QApplication.processEvents()  # What the first round asked to be painted.
    return view.screen().grabWindow(view.winId()).toImage().convertToFormat(QImage.Format.Format_RGB32)


def painted_anew(widget: QWidget) -> QImage:
    """Return the widget as it looks when all of it is painted."""
    return widget.grab().toImage().convertToFormat(QImage.Format.Format_RGB32)


def line_bytes(image: QImage, y: int) -> bytes:
    """Return the pixels of one line."""
    return cast("memoryview", image.constScanLine(y)).tobytes()


def differing_lines(first: QImage, second: QImage) -> list[int]:
    """Return the lines of pixels in which two images differ by more than rounding explains."""
    assert first.size() == second.size()
    differing = []
    for y in range(first.height()):
        ours, theirs = line_bytes(first, y), line_bytes(second, y)
        if ours != theirs and max(abs(a - b) for a, b in zip(ours, theirs, strict=True)) > TOLERANCE:
            differing.append(y)
    return differing


def layout_of(view: TranscriptView) -> TranscriptLayout:
    """Return the layout behind a transcript."""
    return view.messages


def row_point(view: TranscriptView, place: RowPlace, x: float = 4, y: float | None = None) -> QPoint:
    """Return a point of the viewport on a row that is in view, counted from the row's corner."""
    for found, box, row in layout_of(view).rows_between(0, layout_of(view).height):
        if found == place:
            top = box.top() - view.verticalScrollBar().value()
            return QPoint(round(box.left() + x), round(top + (row.height / 2 if y is None else y)))
    raise AssertionError(place)


def rows_of(view: TranscriptView, message: int) -> list[Row]:
    """Return the rows of a message."""
    return layout_of(view).items[message].stack.rows


def place_of(view: TranscriptView, kind: type[Row], message: int = -1) -> RowPlace:
    """Return the first row of a kind in a message."""
    number = message % len(layout_of(view).items)
    return RowPlace(number, next(i for i, row in enumerate(rows_of(view, number)) if isinstance(row, kind)))


def text_place(view: TranscriptView, text: str) -> RowPlace:
    """Return the row that shows `text`."""
    for number, item in enumerate(layout_of(view).items):
        for index, row in enumerate(item.stack.rows):
            if isinstance(row, TextRow) and text in row.plain_text():
                return RowPlace(number, index)
    raise AssertionError(text)


def caret_point(view: TranscriptView, text: str, offset: int = 0) -> QPoint:
    """Return the point of the viewport where `text` stands, `offset` characters into it."""
    place = text_place(view, text)
    row = rows_of(view, place.message)[place.row]
    assert isinstance(row, TextRow)
    caret = row.caret_rect(row.plain_text().index(text) + offset)
    return row_point(view, place, caret.x() + 1, caret.center().y())


def drag(view: TranscriptView, start: QPoint, end: QPoint) -> None:
    """Press, move and release the left button."""
    QTest.mousePress(view.viewport(), Qt.MouseButton.LeftButton, pos=start)
    QTest.mouseMove(view.viewport(), end)
    QTest.mouseRelease(view.viewport(), Qt.MouseButton.LeftButton, pos=end)


def clipboard() -> str:
    """Return what is on the clipboard."""
    return QGuiApplication.clipboard().text()


def ink(image: QImage, area: QRect) -> list[int]:
    """Return the columns of pixels in an area, counted from its left edge, in which not all have the same colour."""
    columns = range(area.left(), area.right() + 1)
    rows = range(area.top(), area.bottom() + 1)
    return [x - area.left() for x in columns if len({image.pixel(x, y) for y in rows}) > 1]


def box_in_view(view: TranscriptView, place: RowPlace) -> QRect:
    """Return where a row stands in the viewport."""
    top = view.verticalScrollBar().value()
    boxes = layout_of(view).rows_between(0, layout_of(view).height)
    return next(box for found, box, _ in boxes if found == place).translated(0, -top).toRect()
