"""The transcript for a screen reader: a list of messages, each with its author and its text.

What is painted has no widgets that an assistive technology could find, so the messages are described here, one
interface each, made when it is asked for. Who makes a transcript installs this with `install_accessibility`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import cast

from PySide6.QtCore import QObject, QPoint, QRect
from PySide6.QtGui import QAccessible, QAccessibleInterface, QAccessibleObject, QAccessibleTextInterface
from PySide6.QtWidgets import QWidget
from shiboken6 import VoidPtr

from desktop.chat.transcript.row import utf16_length, utf16_slice
from desktop.chat.transcript.transcript_view import TranscriptView
from runtime.values.chat import MessageId

# The binding does not say that these functions may return nothing.
NO_OBJECT = cast("QObject", None)
NO_INTERFACE = cast("QAccessibleInterface", None)


class MessageText(QAccessibleTextInterface):
    """The text of one message, to be read by character, word and line."""

    def __init__(self, view: TranscriptView, message_id: MessageId) -> None:
        super().__init__()
        self._view = view
        self._message_id = message_id

    def content(self) -> str:
        """Return the whole text."""
        return self._view.message_text(self._message_id)

    def characterCount(self) -> int:
        """Return the length of the text."""
        return utf16_length(self.content())

    def text(self, startOffset: int, endOffset: int) -> str:  # noqa: N803 - Qt's names
        """Return a part of the text; a negative end is the text's."""
        end = self.characterCount() if endOffset < 0 else endOffset
        return utf16_slice(self.content(), startOffset, end)

    def characterRect(self, _offset: int) -> QRect:
        """Return the message's rectangle: where a character stands is known only to what is laid out."""
        return self._view.message_rect(self._message_id)

    def offsetAtPoint(self, _point: QPoint) -> int:
        """Return no place in particular."""
        return -1

    def cursorPosition(self) -> int:
        """Return 0: there is no caret."""
        return 0

    def setCursorPosition(self, position: int) -> None:
        """Do nothing: there is no caret."""

    def selectionCount(self) -> int:
        """Return 0: selections span messages and are copied by the transcript."""
        return 0

    def addSelection(self, startOffset: int, endOffset: int) -> None:  # noqa: N803 - Qt's names
        """Do nothing."""

    def removeSelection(self, selectionIndex: int) -> None:  # noqa: N803 - Qt's names
        """Do nothing."""

    def setSelection(self, selectionIndex: int, startOffset: int, endOffset: int) -> None:  # noqa: N803 - Qt's names
        """Do nothing."""

    def scrollToSubstring(self, startIndex: int, endIndex: int) -> None:  # noqa: ARG002, N803 - Qt's signature
        """Bring the message into view."""
        self._view.show_message(self._message_id)


class MessageAccessible(QAccessibleInterface):
    """One message."""

    def __init__(self, view: TranscriptView, message_id: MessageId, parent: TranscriptAccessible) -> None:
        super().__init__()
        self._view = view
        self._message_id = message_id
        self._parent = parent
        self._text = MessageText(view, message_id)

    def isValid(self) -> bool:
        """Tell whether the message is still shown."""
        return self._view.has_message(self._message_id)

    def object(self) -> QObject:
        """Return nothing: a message is painted."""
        return NO_OBJECT

    def role(self) -> QAccessible.Role:
        """Return what it is."""
        return QAccessible.Role.ListItem

    def text(self, kind: QAccessible.Text) -> str:
        """Return author and text as the name, the text alone as the value, the line below it as the description."""
        match kind:
            case QAccessible.Text.Name:
                return f"{self._view.message_author(self._message_id)}: {self._text.content()}"
            case QAccessible.Text.Value:
                return self._text.content()
            case QAccessible.Text.Description:
                return self._view.message_boundary(self._message_id)
            case _:
                return ""

    def setText(self, t: QAccessible.Text, text: str) -> None:
        """Do nothing: a message is not edited in place."""

    def state(self) -> QAccessible.State:
        """Return nothing special."""
        return QAccessible.State()

    def rect(self) -> QRect:
        """Return where it is on the screen."""
        return self._view.message_rect(self._message_id)

    def parent(self) -> QAccessibleInterface:
        """Return the transcript."""
        return self._parent

    def childCount(self) -> int:
        """Return 0."""
        return 0

    def child(self, _index: int) -> QAccessibleInterface:
        """Return none."""
        return NO_INTERFACE

    def childAt(self, _x: int, _y: int) -> QAccessibleInterface:
        """Return none."""
        return NO_INTERFACE

    def indexOfChild(self, _child: QAccessibleInterface) -> int:
        """Return that it has none."""
        return -1

    def interface_cast(self, kind: QAccessible.InterfaceType) -> int:
        """Return the text interface; for all others a null pointer, which only `VoidPtr` becomes."""
        found = self._text if kind == QAccessible.InterfaceType.TextInterface else VoidPtr(0)
        return cast("int", found)


class TranscriptAccessible(QAccessibleObject):
    """The transcript: its messages, then the widgets that lie over them."""

    def __init__(self, view: TranscriptView) -> None:
        super().__init__(view)
        self._view = view
        self._messages: dict[MessageId, MessageAccessible] = {}

    def role(self) -> QAccessible.Role:
        """Return what it is."""
        return QAccessible.Role.List

    def text(self, kind: QAccessible.Text) -> str:
        """Return the widget's name."""
        return self._view.accessibleName() if kind == QAccessible.Text.Name else ""

    def state(self) -> QAccessible.State:
        """Return nothing special."""
        return QAccessible.State()

    def parent(self) -> QAccessibleInterface:
        """Return what the transcript lies in."""
        around = self._view.parentWidget()
        return QAccessible.queryAccessibleInterface(around) if around is not None else NO_INTERFACE

    def childCount(self) -> int:
        """Return how many messages and visible widgets there are."""
        return len(self._view.message_ids()) + len(list(self._widgets()))

    def child(self, index: int) -> QAccessibleInterface:
        """Return a message, or one of the widgets after them."""
        ids = self._view.message_ids()
        self._forget_all_but(ids)
        if index < 0:
            return NO_INTERFACE
        if index < len(ids):
            return self._messages.setdefault(ids[index], MessageAccessible(self._view, ids[index], self))
        widgets = list(self._widgets())
        widget = widgets[index - len(ids)] if index - len(ids) < len(widgets) else None
        return QAccessible.queryAccessibleInterface(widget) if widget is not None else NO_INTERFACE

    def childAt(self, x: int, y: int) -> QAccessibleInterface:
        """Return what is at a point of the screen."""
        viewport = self._view.viewport()
        for index in range(self.childCount() - 1, -1, -1):
            child = self.child(index)
            # The viewport lies over all messages, and is what is meant only where one of its buttons is.
            if child.rect().contains(x, y) and (child.object() is not viewport or child.childAt(x, y) is not None):
                return child
        return NO_INTERFACE

    def indexOfChild(self, child: QAccessibleInterface) -> int:
        """Return the place of a child; -1 if it is none."""
        return next((i for i in range(self.childCount()) if self.child(i) is child or self.child(i) == child), -1)

    def _widgets(self) -> Iterator[QWidget]:
        return (w for w in self._view.children() if isinstance(w, QWidget) and w.isVisible())

    def _forget_all_but(self, ids: list[MessageId]) -> None:
        for message_id in self._messages.keys() - set(ids):
            QAccessible.deleteAccessibleInterface(QAccessible.uniqueId(self._messages.pop(message_id)))


class TranscriptAccessibility:
    """Makes the interfaces of transcripts, and keeps them as long as their widgets live."""

    def __init__(self) -> None:
        self._made: dict[int, TranscriptAccessible] = {}

    def interface_for(self, _class_name: str, widget: QObject) -> QAccessibleInterface | None:
        """Return the interface of a transcript; none for every other object, which Qt describes itself."""
        if not isinstance(widget, TranscriptView):
            return None
        made = TranscriptAccessible(widget)
        key = id(widget)
        self._made[key] = made
        widget.destroyed.connect(lambda: self._made.pop(key, None))
        return made


def install_accessibility() -> TranscriptAccessibility:
    """Have Qt describe transcripts to assistive technologies; keep what is returned while the application runs."""
    accessibility = TranscriptAccessibility()
    QAccessible.installFactory(accessibility.interface_for)
    return accessibility
