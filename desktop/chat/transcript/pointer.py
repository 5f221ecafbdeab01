"""The mouse in the transcript: selecting by character, word and paragraph, links, and what is painted to be pressed."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto

from PySide6.QtCore import QObject, QPointF, Qt, QTimer, Signal
from PySide6.QtGui import QMouseEvent, QWheelEvent
from PySide6.QtWidgets import QApplication, QWidget

from desktop.chat.transcript.code_rows import CodeRow
from desktop.chat.transcript.layout import TranscriptLayout
from desktop.chat.transcript.places import RowPlace, TextPlace
from desktop.chat.transcript.row import Row, RowControl, Span, TextRow
from desktop.chat.transcript.scrolling import Scrolling
from desktop.chat.transcript.text_selection import TextSelection

AUTO_SCROLL_MS = 30
AUTO_SCROLL_SHARE = 0.35


class Unit(Enum):
    """What a drag selects by."""

    CHARACTER = auto()
    WORD = auto()
    ROW = auto()


@dataclass(frozen=True, slots=True)
class Under:
    """What is under a point: its row, the point in the row's coordinates, and the row's width."""

    place: RowPlace
    row: Row
    point: QPointF
    width: float

    def control(self) -> RowControl | None:
        """Return what a click there does."""
        return self.row.control_at(self.point, self.width)

    def link(self) -> str:
        """Return the address that a click there leads to."""
        return self.row.link_at(self.point) if isinstance(self.row, TextRow) else ""

    def is_on_bar(self) -> bool:
        """Tell whether the point is on the handle of a sideways scroll bar."""
        if not isinstance(self.row, CodeRow):
            return False
        return self.row.bar(self.width).adjusted(0, -4, 0, 4).contains(self.point)


class Pointer(QObject):
    """Turns mouse events into selections, clicks and hover.

    Signals:
        selection_changed: something else is selected.
        hover_changed: the pointer is over another row or message, or has left.
        control_clicked: place of the row and its `RowControl`.
        link_clicked: the address.
        scrolled_sideways: place of the row whose content moved.

    Attributes:
        hovered: the row under the pointer; None between two rows, too.
        hovered_message: the message under the pointer.
    """

    selection_changed = Signal()
    hover_changed = Signal()
    control_clicked = Signal(object, object)
    link_clicked = Signal(str)
    scrolled_sideways = Signal()

    def __init__(
        self, area: QWidget, layout: TranscriptLayout, scrolling: Scrolling, selection: TextSelection, parent: QObject
    ) -> None:
        super().__init__(parent)
        self.hovered: RowPlace | None = None
        self.hovered_message: int | None = None
        self._area = area
        self._layout = layout
        self._scrolling = scrolling
        self._selection = selection
        self._unit = Unit.CHARACTER
        self._origin: tuple[TextPlace, TextPlace] | None = None
        self._pressed: Under | None = None
        self._dragged_bar: tuple[CodeRow, float, float] | None = None
        self._last_point = QPointF()
        self._clicks = 0
        self._last_press: tuple[int, QPointF] = (0, QPointF())
        self._auto_scroll = QTimer(self)
        self._auto_scroll.setInterval(AUTO_SCROLL_MS)
        self._auto_scroll.timeout.connect(self._scroll_on)

    def under(self, point: QPointF) -> Under | None:
        """Return what is under a point of the viewport."""
        found = self._layout.row_at(point + QPointF(0, self._scrolling.offset))
        if found is None:
            return None
        place, box, row = found
        return Under(place, row, point + QPointF(0, self._scrolling.offset) - box.topLeft(), box.width())

    def press(self, event: QMouseEvent) -> None:
        """Begin a selection or a click."""
        point = event.position()
        self._pressed = self.under(point)
        if self._pressed is not None and self._pressed.is_on_bar() and isinstance(self._pressed.row, CodeRow):
            row = self._pressed.row
            self._dragged_bar = row, point.x(), row.bar_ratio(self._pressed.width)
            return
        if self._pressed is not None and self._pressed.control() is not None:
            return
        self._count_clicks(event)
        place = self._text_place(point)
        if place is None:
            return
        self._unit = (Unit.CHARACTER, Unit.WORD, Unit.ROW)[(self._clicks - 1) % 3]
        if event.modifiers() & Qt.KeyboardModifier.ShiftModifier and self._selection.anchor is not None:
            self._selection.head = place
        else:
            self._origin = self._unit_at(place)
            self._selection.select(*self._origin)
        self.selection_changed.emit()

    def move(self, event: QMouseEvent) -> None:
        """Extend the selection, or follow the pointer."""
        self._last_point = event.position()
        if self._dragged_bar is not None:
            row, last_x, ratio = self._dragged_bar
            self._dragged_bar = row, event.position().x(), ratio
            if row.sideways is not None and row.sideways.scroll((event.position().x() - last_x) * ratio):
                self.scrolled_sideways.emit()
        elif event.buttons() & Qt.MouseButton.LeftButton and self._origin is not None:
            self._extend(event.position())
            outside = not 0 <= event.position().y() <= self._area.height()
            if outside and not self._auto_scroll.isActive():
                self._auto_scroll.start()
            elif not outside:
                self._auto_scroll.stop()
        elif not event.buttons():
            self.hover(event.position())

    def release(self, event: QMouseEvent) -> None:
        """End the selection; where it was only a click, do what a click does there."""
        self._auto_scroll.stop()
        pressed, self._pressed = self._pressed, None
        self._origin = None
        if self._dragged_bar is not None:
            self._dragged_bar = None
            return
        under = self.under(event.position())
        if pressed is None or under is None or under.place != pressed.place:
            return
        control = under.control()
        if control is not None and control is pressed.control():
            self.control_clicked.emit(under.place, control)
        elif under.link() and under.link() == pressed.link() and self._selection.ordered() is None:
            self.link_clicked.emit(under.link())

    def wheel(self, event: QWheelEvent) -> bool:
        """Scroll wide content sideways; tell whether the event was for that."""
        delta = event.pixelDelta() if not event.pixelDelta().isNull() else event.angleDelta() / 2
        sideways = delta.y() if event.modifiers() & Qt.KeyboardModifier.ShiftModifier and not delta.x() else delta.x()
        if abs(sideways) <= abs(delta.y()) and not event.modifiers() & Qt.KeyboardModifier.ShiftModifier:
            return False
        under = self.under(event.position())
        if under is None or under.row.sideways is None or not under.row.sideways.hidden:
            return False
        if under.row.sideways.scroll(-sideways):
            self.scrolled_sideways.emit()
        return True

    def hover(self, point: QPointF | None) -> None:
        """Take where the pointer is; None if it has left."""
        under = self.under(point) if point is not None else None
        place = under.place if under is not None else None
        if under is not None and (under.control() is not None or under.link()):
            self._area.setCursor(Qt.CursorShape.PointingHandCursor)
        elif under is not None and isinstance(under.row, TextRow) and not under.is_on_bar():
            self._area.setCursor(Qt.CursorShape.IBeamCursor)
        else:
            self._area.setCursor(Qt.CursorShape.ArrowCursor)
        message = self._layout.message_at(point.y() + self._scrolling.offset) if point is not None else None
        if (place, message) != (self.hovered, self.hovered_message):
            self.hovered, self.hovered_message = place, message
            self.hover_changed.emit()

    def forget_hover(self) -> None:
        """Forget what the pointer was over: other messages are shown."""
        self.hovered = self.hovered_message = None

    def _extend(self, point: QPointF) -> None:
        place = self._text_place(point)
        if place is None or self._origin is None:
            return
        start, end = self._unit_at(place)
        if start < self._origin[0]:
            self._selection.select(self._origin[1], start)
        else:
            self._selection.select(self._origin[0], max(end, self._origin[1]))
        self.selection_changed.emit()

    def _unit_at(self, place: TextPlace) -> tuple[TextPlace, TextPlace]:
        row = self._layout.items[place.message].stack.rows[place.row]
        span: Span = (place.offset, place.offset)
        if isinstance(row, TextRow) and self._unit is not Unit.CHARACTER:
            span = row.word_at(place.offset) if self._unit is Unit.WORD else row.paragraph_at(place.offset)
        return place._replace(offset=span[0]), place._replace(offset=span[1])

    def _text_place(self, point: QPointF) -> TextPlace | None:
        top = self._scrolling.offset
        height = self._area.height()
        inside = QPointF(point.x(), min(max(point.y(), 0.0), height) + top)
        return self._layout.text_place_at(inside, top, top + height)

    def _count_clicks(self, event: QMouseEvent) -> None:
        """Count presses that follow each other fast enough at one place."""
        last_ms, last_point = self._last_press
        is_near = (event.position() - last_point).manhattanLength() < QApplication.startDragDistance()
        is_soon = event.timestamp() - last_ms <= QApplication.doubleClickInterval()
        self._clicks = self._clicks + 1 if is_near and is_soon and self._clicks else 1
        self._last_press = event.timestamp(), event.position()

    def _scroll_on(self) -> None:
        y = self._last_point.y()
        beyond = y if y < 0 else y - self._area.height()
        self._scrolling.by(beyond * AUTO_SCROLL_SHARE)
        self._extend(self._last_point)
