"""What is seen and read of the transcript: painting, scrolling, selecting, finding."""

from __future__ import annotations

from math import floor

from PySide6.QtCore import QEvent, QPointF, QRect, QRectF, Qt
from PySide6.QtGui import (
    QColor,
    QGuiApplication,
    QHelpEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPalette,
    QResizeEvent,
    QWheelEvent,
)
from PySide6.QtWidgets import QAbstractScrollArea, QFrame, QToolTip, QWidget

from desktop.chat.transcript.chrome_rows import FooterRow
from desktop.chat.transcript.column import Column
from desktop.chat.transcript.finder import Hit, TextFinder
from desktop.chat.transcript.layout import TranscriptLayout
from desktop.chat.transcript.message_body import BodyMaker
from desktop.chat.transcript.overlays import Overlays
from desktop.chat.transcript.painter import Frame, TranscriptPainter
from desktop.chat.transcript.places import RowPlace, TextPlace
from desktop.chat.transcript.pointer import Pointer
from desktop.chat.transcript.row import TextRow
from desktop.chat.transcript.scrolling import Scrolling
from desktop.chat.transcript.text_selection import TO_END, TextSelection
from desktop.theme.theme import Theme

COLUMN_UNITS = 47.0
SIDE_MARGIN, END_MARGIN = 1.6, 1.4
CONTEXT_SHARE = 0.3
"""How far from the top a place that is jumped to comes to stand, as a share of the view's height."""


class TranscriptCanvas(QAbstractScrollArea):
    """Messages in a column; the state that its parts share is kept here."""

    def __init__(self, theme: Theme, parent: QWidget | None) -> None:
        super().__init__(parent)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        # Else lines would break anew in the middle of a reply, when there is first something to scroll.
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOn)
        self.viewport().setMouseTracking(True)
        self.viewport().setBackgroundRole(QPalette.ColorRole.Window)  # The scroll bar beside it takes this ground, too.
        self.viewport().setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self._theme = theme
        self._maker = BodyMaker(theme)
        self._layout = TranscriptLayout()
        self._scrolling = Scrolling(self._layout, self.verticalScrollBar(), self)
        self._selection = TextSelection()
        self._painter = TranscriptPainter()
        self._finder = TextFinder(lambda: self._layout.items, self._first_place_in_view, self)
        self._pointer = Pointer(self.viewport(), self._layout, self._scrolling, self._selection, self)
        self._overlays = Overlays(self, self._layout, self._scrolling, self._finder, theme)
        self._ringed: int | None = None
        self._only_tail_changes = False
        self._pointer.selection_changed.connect(self.viewport().update)
        self._pointer.scrolled_sideways.connect(self.viewport().update)
        self._pointer.hover_changed.connect(self._hover_changed)
        self._finder.changed.connect(self._found)
        self._overlays.jump.clicked.connect(self.scroll_to_latest)
        self._overlays.find_bar.stepped.connect(self._step_to_hit)
        self._overlays.find_bar.closed.connect(self.close_find)
        self._take_distances()

    @property
    def messages(self) -> TranscriptLayout:
        """The messages and where they stand."""
        return self._layout

    # looks

    def apply_theme(self, theme: Theme) -> None:
        """Look different from now on: other colours, fonts, text size. What is read stays in place."""
        top = self._scrolling.offset
        first = next(iter(self._layout.messages_between(top, top)), None)
        share = 0.0
        if first is not None and self._layout.items:
            share = (top - self._layout.message_top(first)) / max(self._layout.items[first].height, 1)
        self._theme = theme
        self._maker = BodyMaker(theme)
        self._painter.forget()
        self._overlays.apply_theme(theme)
        for item in self._layout.items:
            item.set_maker(self._maker)
        self._take_distances()
        self._restack()
        if first is not None and self._layout.items and not self._scrolling.follows:
            self._scrolling.to(self._layout.message_top(first) + share * self._layout.items[first].height)

    def _take_distances(self) -> None:
        look = self._maker.look
        palette = QPalette(self.palette())
        palette.setColor(QPalette.ColorRole.Window, QColor(self._theme.colors.page))
        self.setPalette(palette)
        self.verticalScrollBar().setSingleStep(round(look.line_height))
        self._layout.set_margin(look.distance(END_MARGIN))
        self._layout.set_column(self._column())

    def _column(self) -> Column:
        look = self._maker.look
        room = self.viewport().width() - 2 * look.distance(SIDE_MARGIN)
        width = max(min(room, look.distance(COLUMN_UNITS)), look.distance(8))
        return Column(
            left=floor(max((self.viewport().width() - width) / 2, 4)),
            width=width,
            is_mirrored=self.layoutDirection() == Qt.LayoutDirection.RightToLeft,
            retry_width=self._overlays.retry.width_needed(),
            buttons_width=self._overlays.buttons.full_width(),
        )

    # layout and scrolling

    def scroll_to_latest(self) -> None:
        """Show the end, and follow it from now on."""
        self._scrolling.to_end(glide=not self._theme.reduced_motion)
        self._settle()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Lay out what is in view at the new width; the rest when it comes into view."""
        super().resizeEvent(event)
        self._layout.set_column(self._column())
        self._restack()

    def changeEvent(self, event: QEvent) -> None:
        """Follow the direction of the interface."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.LayoutDirectionChange:
            self._layout.set_column(self._column())
            self._restack()

    def scrollContentsBy(self, _dx: int, dy: int) -> None:
        """Move what is in view; lay out what comes into it."""
        if self._scrolling.is_settling:
            if self._only_tail_changes:
                self.viewport().scroll(0, dy)
            else:
                self.viewport().update()
            self._place_overlays()
            return
        self._scrolling.note_end()
        if self._scrolling.settle(self.viewport().height()):
            self.viewport().update()
        else:
            self.viewport().scroll(0, dy)
        self._place_overlays()

    def _restack(self, message: int = 0) -> None:
        """Take up that heights have changed from a message on."""
        self._layout.restack(message)
        self._settle()

    def _settle(self) -> None:
        self._scrolling.settle(self.viewport().height())
        self._place_overlays()
        self.viewport().update()

    def _place_overlays(self) -> None:
        self._overlays.place(self._message_with_buttons())

    def _message_with_buttons(self) -> int | None:
        """Return the message the pointer is at, else the one the keyboard is at, else the last."""
        items = self._layout.items
        for index in (self._pointer.hovered_message, self._ringed, len(items) - 1):
            if index is not None and 0 <= index < len(items) and items[index].stack.rows:
                return index if items[index].view.actions and not items[index].is_streaming else None
        return None

    def _reveal(self, place: TextPlace) -> None:
        """Bring a place into view, unless it is there."""
        row = self._layout.laid_out_row(place)
        if row is None:
            return
        caret = row.caret_rect(place.offset)
        top = self._layout.top_of(RowPlace(place.message, place.row)) + caret.top()
        height = self.viewport().height()
        margin = self._maker.look.line_height
        if not self._scrolling.offset + margin <= top <= self._scrolling.offset + height - caret.height() - margin:
            self._settle()
            self._scrolling.to(top - height * CONTEXT_SHARE)
        self._settle()

    # painting

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint what is in view of the part that changed."""
        painter = QPainter(self.viewport())
        painter.fillRect(event.rect(), QColor(self._theme.colors.page))
        frame = Frame(
            scroll=self._scrolling.offset,
            area=QRectF(event.rect()),
            selection_in=self._selection.span_in,
            hits_in=self._finder.hits_in,
            caret=self._layout.caret_row(),
            hovered=self._pointer.hovered,
            ringed_message=self._ringed,
            message_with_buttons=self._message_with_buttons(),
        )
        self._painter.paint(painter, self._layout, self._maker.look, frame)
        painter.end()

    def _update_below(self, top: float) -> None:
        """Paint anew what stands below `top` px of the transcript."""
        viewport = self.viewport()
        y = floor(top) - self._scrolling.offset - 2
        viewport.update(QRect(0, y, viewport.width(), viewport.height() - y))

    # the mouse

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Begin to select, or press what is painted."""
        if event.button() == Qt.MouseButton.LeftButton:
            self._ringed = None
            self._pointer.press(event)

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        """Select a word; a third press selects the paragraph."""
        self.mousePressEvent(event)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Extend the selection, or hover."""
        self._pointer.move(event)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """End the selection, or click."""
        if event.button() == Qt.MouseButton.LeftButton:
            self._pointer.release(event)

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Scroll the transcript, or a wide block sideways."""
        if not self._pointer.wheel(event):
            super().wheelEvent(event)
            self._pointer.hover(event.position())

    def leaveEvent(self, event: QEvent) -> None:
        """Forget the pointer, unless it is over one of the buttons."""
        super().leaveEvent(event)
        self._pointer.hover(None)

    def _hover_changed(self) -> None:
        self._place_overlays()
        self.viewport().update()

    def viewportEvent(self, event: QEvent) -> bool:
        """Show what the pointer rests on: where a link leads, all figures of a message on its footer."""
        if isinstance(event, QHelpEvent):
            under = self._pointer.under(QPointF(event.pos()))
            text = ""
            if under is not None and isinstance(under.row, FooterRow):
                text = self._layout.items[under.place.message].view.figures_details
            elif under is not None:
                text = under.link()
            QToolTip.showText(event.globalPos(), text, self.viewport())
            return True
        return super().viewportEvent(event)

    # selection

    def has_selection(self) -> bool:
        """Tell whether text is selected."""
        return self._selection.ordered() is not None

    def selected_text(self) -> str:
        """Return the selected text as it is read."""
        return self._selection.plain_text(self._layout.items)

    def selected_markdown(self) -> str:
        """Return the source of the blocks that are selected."""
        return self._selection.markdown(self._layout.items)

    def copy_selection(self) -> None:
        """Put the selected text on the clipboard."""
        if self.has_selection():
            QGuiApplication.clipboard().setText(self.selected_text())

    def copy_selection_as_markdown(self) -> None:
        """Put the source of the selected blocks on the clipboard."""
        if self.has_selection():
            QGuiApplication.clipboard().setText(self.selected_markdown())

    def select_all(self) -> None:
        """Select everything."""
        items = self._layout.items
        if not items:
            return
        items[-1].build()
        last = max((i for i, row in enumerate(items[-1].stack.rows) if isinstance(row, TextRow)), default=0)
        self._selection.select(TextPlace(0, 0, 0), TextPlace(len(items) - 1, last, TO_END))
        self._restack(len(items) - 1)

    # finding

    def open_find(self) -> None:
        """Open "find in page", with the selected text if it is short."""
        selected = self.selected_text() if self.has_selection() else ""
        self._overlays.find_bar.open(selected if selected and "\n" not in selected else "")
        self._place_overlays()

    def close_find(self) -> None:
        """Close it; the keyboard comes back to the transcript."""
        self._finder.stop()
        self.setFocus(Qt.FocusReason.OtherFocusReason)  # Before the bar goes, or Qt takes it for a step with Tab.
        self._overlays.find_bar.hide()

    def _found(self) -> None:
        """Show what was found; the first time, go to the hit that is nearest below the top of the view."""
        self._layout.restack()
        if self._finder.hits and self._finder.current is None:
            self._step_to_hit(1)
        else:
            self._settle()

    def _first_place_in_view(self) -> RowPlace:
        top = self._scrolling.offset
        return next((place for place, _, _ in self._layout.rows_between(top, top + 1)), RowPlace(0, 0))

    def _step_to_hit(self, by: int) -> None:
        hit: Hit | None = self._finder.step(by)
        if hit is not None:
            self._reveal(TextPlace(*hit.place, hit.span[0]))
