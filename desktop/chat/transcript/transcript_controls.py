"""What the user asks for in the transcript: by its buttons, its menu and the keyboard."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QPoint, QPointF, Qt, Signal
from PySide6.QtGui import (
    QAccessible,
    QAccessibleAnnouncementEvent,
    QContextMenuEvent,
    QFocusEvent,
    QGuiApplication,
    QKeyEvent,
    QKeySequence,
)
from PySide6.QtWidgets import QWidget

from desktop.chat.transcript.context_menu import MenuSubject, TranscriptMenu
from desktop.chat.transcript.keyboard import message_step, moved_place
from desktop.chat.transcript.message_view import MessageAction
from desktop.chat.transcript.places import RowPlace
from desktop.chat.transcript.row import RowControl
from desktop.chat.transcript.row_text import code_blocks, links
from desktop.chat.transcript.transcript_canvas import TranscriptCanvas
from desktop.theme.theme import Theme
from runtime.values.chat import MessageId


class TranscriptControls(TranscriptCanvas):
    """The canvas with all its controls.

    Signals:
        edit_requested, regenerate_requested, continue_requested, delete_requested, retry_requested,
            explanation_requested: carry a message id.
        branch_requested: message id, and 1 for the next version of it or -1 for the previous one.
        link_activated: an address that the user wants to open; where it leads has not been shown yet.
    """

    edit_requested = Signal(int)
    regenerate_requested = Signal(int)
    continue_requested = Signal(int)
    delete_requested = Signal(int)
    retry_requested = Signal(int)
    explanation_requested = Signal(int)
    branch_requested = Signal(int, int)
    link_activated = Signal(str)

    def __init__(self, theme: Theme, parent: QWidget | None) -> None:
        super().__init__(theme, parent)
        self._pointer.link_clicked.connect(self.link_activated)
        self._pointer.control_clicked.connect(self._press_control)
        self._overlays.buttons.action_requested.connect(self._act)
        self._overlays.buttons.branch_requested.connect(self.branch_requested)
        self._overlays.retry.clicked.connect(self.retry_requested)

    def _index_of(self, message_id: MessageId) -> int | None:
        items = self._layout.items
        return next((i for i in range(len(items) - 1, -1, -1) if items[i].view.id == message_id), None)

    def _announce(self, text: str) -> None:
        """Have a screen reader say `text`."""
        if QAccessible.isActive():
            QAccessible.updateAccessibility(QAccessibleAnnouncementEvent(self, text))

    # what the user asks for

    def _act(self, message_id: MessageId, action: MessageAction) -> None:
        match action:
            case MessageAction.COPY:
                index = self._index_of(message_id)
                if index is not None:
                    QGuiApplication.clipboard().setText(self._layout.items[index].answer())
                    self._overlays.buttons.show_copied()
            case MessageAction.EDIT:
                self.edit_requested.emit(message_id)
            case MessageAction.REGENERATE:
                self.regenerate_requested.emit(message_id)
            case MessageAction.CONTINUE:
                self.continue_requested.emit(message_id)
            case MessageAction.DELETE:
                self.delete_requested.emit(message_id)
            case MessageAction.RETRY:
                self.retry_requested.emit(message_id)
            case MessageAction.EXPLAIN_WAIT:
                self.explanation_requested.emit(message_id)

    def _press_control(self, place: RowPlace, control: RowControl) -> None:
        item = self._layout.items[place.message]
        match control:
            case RowControl.COPY_CODE:
                for block in code_blocks([item.stack.rows[place.row]]):
                    QGuiApplication.clipboard().setText(block.text)
            case RowControl.FOLD_REASONING:
                self.fold_reasoning(place.message)
            case RowControl.SHOW_MORE:
                self._fold(place.message, item.fold_text)

    def fold_reasoning(self, index: int) -> None:
        """Show the reasoning of a message, or hide it."""
        self._fold(index, self._layout.items[index].fold_reasoning)

    def _fold(self, index: int, fold: Callable[[], None]) -> None:
        """Fold or unfold a part of a message, whose rows then are others."""
        self._selection.clear()
        self._scrolling.follows = False
        fold()
        self._restack(index)
        self._finder.restart()

    # the keyboard

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Copy, select, find; go from message to message; open a message's menu."""
        if event.matches(QKeySequence.StandardKey.Copy):
            self.copy_selection()
        elif event.matches(QKeySequence.StandardKey.SelectAll):
            self.select_all()
        elif event.matches(QKeySequence.StandardKey.Find):
            self.open_find()
        elif step := message_step(event):
            self._go_to_message(step)
        elif event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and self._ringed is not None:
            self._open_menu_of(self._ringed)
        elif event.modifiers() & Qt.KeyboardModifier.ShiftModifier and self._extend_selection(Qt.Key(event.key())):
            return
        elif event.key() == Qt.Key.Key_Home:
            self._scrolling.to(0)
        elif event.key() == Qt.Key.Key_End:
            self.scroll_to_latest()
        elif event.key() == Qt.Key.Key_Escape and self.has_selection():
            self._selection.clear()
            self.viewport().update()
        else:
            super().keyPressEvent(event)

    def focusInEvent(self, event: QFocusEvent) -> None:
        """Ring the last message in view when the keyboard comes here."""
        super().focusInEvent(event)
        keys = (Qt.FocusReason.TabFocusReason, Qt.FocusReason.BacktabFocusReason, Qt.FocusReason.ShortcutFocusReason)
        if event.reason() in keys and self._ringed is None and self._layout.items:
            self._ring(self._last_in_view())

    def focusOutEvent(self, event: QFocusEvent) -> None:
        """Take the ring away, unless the keyboard goes to the message's buttons or menu."""
        super().focusOutEvent(event)
        focused = QGuiApplication.focusObject()
        stays = isinstance(focused, QWidget) and self.isAncestorOf(focused)
        if not stays and event.reason() is not Qt.FocusReason.PopupFocusReason:
            self._ring(None)

    def _go_to_message(self, step: int) -> None:
        items = self._layout.items
        if not items:
            return
        index = self._last_in_view() if self._ringed is None else self._ringed + step
        self._ring(min(max(index, 0), len(items) - 1))
        top = self._layout.message_top(self._ringed or 0)
        bottom = top + items[self._ringed or 0].height
        if top < self._scrolling.offset or bottom > self._scrolling.offset + self.viewport().height():
            self._scrolling.to(top - self._maker.look.line_height)
            self._settle()

    def _last_in_view(self) -> int:
        top, height = self._scrolling.offset, self.viewport().height()
        return self._layout.messages_between(top, top + height)[-1]

    def _ring(self, index: int | None) -> None:
        self._ringed = index
        self._place_overlays()
        self.viewport().update()

    def _extend_selection(self, key: Qt.Key) -> bool:
        head = self._selection.head
        place = moved_place(self._layout, head, key) if head is not None else None
        if place is None:
            return False
        self._selection.head = place
        self._reveal(place)
        return True

    # the menu

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        """Open the menu for what is under the pointer, or for the message that the keyboard is at."""
        if event.reason() == QContextMenuEvent.Reason.Keyboard:
            self._open_menu_of(self._ringed)
            return
        point = QPointF(self.viewport().mapFromGlobal(event.globalPos()))
        under = self._pointer.under(point)
        subject = self._subject(under.place.message if under is not None else None)
        subject.link = under.link() if under is not None else ""
        self._menu(subject).popup(event.globalPos())

    def _open_menu_of(self, index: int | None) -> None:
        if index is None:
            at = QPoint(self.viewport().rect().center())
        else:
            outline = self._layout.items[index].outline()
            top = self._layout.message_top(index) - self._scrolling.offset
            at = QPoint(round(outline.center().x()), round(max(top, 0)))
        self._menu(self._subject(index)).popup(self.viewport().mapToGlobal(at))

    def _subject(self, index: int | None) -> MenuSubject:
        item = self._layout.items[index] if index is not None else None
        subject = MenuSubject(item.view if item is not None else None, has_selection=self.has_selection())
        if item is not None:
            subject.links, subject.code = links(item.stack.rows), code_blocks(item.stack.rows)
            subject.shows_reasoning = item.shows_reasoning if item.reasoning() else None
            subject.shows_all = item.shows_all if item.is_long else None
        return subject

    def _menu(self, subject: MenuSubject) -> TranscriptMenu:
        menu = TranscriptMenu(subject, self)
        menu.setFont(self._theme.fonts.text())
        menu.copy_requested.connect(self.copy_selection)
        menu.copy_markdown_requested.connect(self.copy_selection_as_markdown)
        menu.copy_text_requested.connect(lambda text: QGuiApplication.clipboard().setText(text))
        menu.link_requested.connect(self.link_activated)
        menu.select_all_requested.connect(self.select_all)
        menu.find_requested.connect(self.open_find)
        menu.action_requested.connect(self._act)
        index = self._index_of(subject.view.id) if subject.view is not None else None
        if index is not None:
            item = self._layout.items[index]
            menu.fold_reasoning_requested.connect(lambda: self.fold_reasoning(index))
            menu.fold_text_requested.connect(lambda: self._fold(index, item.fold_text))
        return menu
