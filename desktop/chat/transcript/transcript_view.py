"""The transcript: the widget that shows a chat's messages while they are written, and all that is done with them.

It costs the same after ten messages and after a thousand: text is split into blocks that never change again
(`desktop.chat.markdown`), blocks into rows, and only the rows in view are laid out. It knows nothing of models and
storage; it is told what to show, and says what the user asks for.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from time import perf_counter_ns

from PySide6.QtCore import QRect, Signal
from PySide6.QtGui import (
    QPaintEvent,
)
from PySide6.QtWidgets import QWidget

from desktop.chat.transcript.delta_batch import Delta, DeltaBatch
from desktop.chat.transcript.message_item import MessageItem
from desktop.chat.transcript.message_view import MessageView
from desktop.chat.transcript.places import RowPlace
from desktop.chat.transcript.row_text import plain_text
from desktop.chat.transcript.transcript_controls import TranscriptControls
from desktop.theme.theme import Theme
from runtime.values.chat import MessageId
from runtime.values.generation import TextKind


class TranscriptView(TranscriptControls):
    """Shows a chat.

    Signals:
        text_shown: text that was appended is laid out and will be painted.
        first_text_painted: message id, and when the first character of a reply was painted (`perf_counter_ns`).
    """

    text_shown = Signal()
    first_text_painted = Signal(int, object)

    def __init__(
        self, theme: Theme, parent: QWidget | None = None, clock_ns: Callable[[], int] = perf_counter_ns
    ) -> None:
        super().__init__(theme, parent)
        self.setObjectName("transcript")
        self.setAccessibleName(self.tr("Conversation"))
        self._clock_ns = clock_ns
        self._batch = DeltaBatch(self._take_deltas, self, clock_ns)
        self._streaming: MessageItem | None = None
        self._unpainted: MessageItem | None = None

    # messages

    def set_messages(self, messages: Sequence[MessageView]) -> None:
        """Show other messages: the end of another chat, or what was in view where some of the messages stay."""
        self._batch.flush()
        known = {item.view.id: item for item in self._layout.items}
        anchor = self._anchor({view.id for view in messages})
        column = self._column()
        items = []
        for view in messages:
            item = known.get(view.id)
            if item is None:
                item = MessageItem(view, self._maker, column)
            elif item.view != view:
                item.update(view)
            items.append(item)
        self._selection.clear()
        self._ringed = None
        self._pointer.forget_hover()
        self._layout.set_items(items)
        self._streaming = next((item for item in reversed(items) if item.is_streaming), None)
        if self._unpainted not in items:
            self._unpainted = None
        if anchor is None:
            self._painter.forget()
            self._scrolling.follows = True
        elif not self._scrolling.follows:
            message_id, on_screen = anchor
            self._scrolling.to(self._layout.message_top(self._index_of(message_id) or 0) - on_screen)
        self._settle()
        self._finder.restart()

    def add_message(self, view: MessageView) -> None:
        """Show one more message at the end. The user's own scrolls into view; text of a streaming one may follow."""
        self._batch.flush()
        item = MessageItem(view, self._maker, self._column())
        self._layout.items.append(item)
        if item.is_streaming:
            self._streaming = self._unpainted = item
        if item.is_user:
            self._scrolling.follows = True
        self._restack(len(self._layout.items) - 1)

    def append_text(self, message_id: MessageId, text: str, kind: TextKind) -> None:
        """Take more text of the streaming message; it is shown with the next frame."""
        if self._streaming is not None and self._streaming.view.id == message_id:
            self._batch.add(text, kind)

    def update_message(self, view: MessageView) -> None:
        """Show what is known of a message now. While it streams its text stays; when it ends `view` has all of it."""
        self._batch.flush()
        index = self._index_of(view.id)
        if index is None:
            return
        item = self._layout.items[index]
        was_streaming = item.is_streaming
        item.update(view)
        if item.is_streaming:
            self._streaming = item
        elif was_streaming:
            self._streaming = None
            self._announce(self.tr("Reply finished"))
        self._restack(index)
        if not item.is_streaming:
            self._finder.restart()

    def remove_message(self, message_id: MessageId) -> None:
        """Show a message no longer."""
        rest = [item.view for item in self._layout.items if item.view.id != message_id]
        self.set_messages(rest)

    def show_hit(self, message_id: MessageId, query: str) -> None:
        """Bring a message into view, unfolded, with `query` marked in it."""
        index = self._index_of(message_id)
        if index is None:
            return
        self._layout.items[index].unfold()
        self._layout.items[index].build()
        self._layout.restack(index)
        self._scrolling.to(self._layout.message_top(index))
        self._settle()
        self._overlays.find_bar.show_query(query)
        self._finder.start(query)

    def _anchor(self, ids: Collection[MessageId]) -> tuple[MessageId, float] | None:
        """Return the first message in view that is one of `ids`, and where on the screen it is."""
        top = self._scrolling.offset
        for index in self._layout.messages_between(top, self._layout.height):
            view = self._layout.items[index].view
            if view.id in ids:
                return view.id, self._layout.message_top(index) - top
        return None

    # for assistive technologies

    def message_ids(self) -> list[MessageId]:
        """Return the messages in order."""
        return [item.view.id for item in self._layout.items]

    def has_message(self, message_id: MessageId) -> bool:
        """Tell whether a message is shown."""
        return self._index_of(message_id) is not None

    def message_author(self, message_id: MessageId) -> str:
        """Return who wrote a message, in words."""
        index = self._index_of(message_id)
        is_user = index is not None and self._layout.items[index].is_user
        return self.tr("You") if is_user else self.tr("Assistant")

    def message_text(self, message_id: MessageId) -> str:
        """Return a message's text as it is read; nothing for a message that is not shown."""
        index = self._index_of(message_id)
        if index is None:
            return ""
        self._layout.items[index].build()
        return plain_text(self._layout.items[index].stack.rows)

    def message_boundary(self, message_id: MessageId) -> str:
        """Return what the line below a message says of everything above it; nothing where there is none."""
        index = self._index_of(message_id)
        return self._layout.items[index].view.boundary if index is not None else ""

    def message_rect(self, message_id: MessageId) -> QRect:
        """Return where a message is on the screen."""
        index = self._index_of(message_id)
        if index is None:
            return QRect()
        top = self._layout.message_top(index) - self._scrolling.offset
        box = self._layout.items[index].outline().translated(0, top).toRect()
        return QRect(self.viewport().mapToGlobal(box.topLeft()), box.size())

    def show_message(self, message_id: MessageId) -> None:
        """Bring a message into view."""
        index = self._index_of(message_id)
        if index is not None:
            self._scrolling.to(self._layout.message_top(index))
            self._settle()

    # streaming

    def _take_deltas(self, deltas: list[Delta]) -> None:
        """Show the text of a frame: only the rows from the first changed one on are laid out and painted."""
        item = self._streaming
        if item is None:
            return
        index = self._layout.items.index(item)
        caret = self._layout.caret_row()
        caret_top = self._layout.top_of(caret) if caret is not None else 0.0
        first = min(item.append(text, kind) for kind, text in deltas)
        self._layout.restack(index)
        row, place = item.stack.rows[first], RowPlace(index, first)
        row_top = self._layout.top_of(place)
        top = row_top + (row.dirty_top or -row.gap_above)
        if caret != self._layout.caret_row():
            top = min(top, caret_top)
        self._only_tail_changes = True
        self._scrolling.settle(self.viewport().height())
        self._only_tail_changes = False
        self._place_overlays()
        if self._layout.top_of(place) == row_top:
            self._update_below(top)
        else:  # Something above has become exact, and so moved what is below it.
            self.viewport().update()
        self.text_shown.emit()

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint, and say so when that showed the first text of a reply."""
        started_ns = self._clock_ns()
        super().paintEvent(event)
        ended_ns = self._clock_ns()
        self._batch.add_cost(ended_ns - started_ns)
        item = self._unpainted
        if item is not None and (item.answer() or item.reasoning()):
            self._unpainted = None
            self.first_text_painted.emit(item.view.id, ended_ns)
