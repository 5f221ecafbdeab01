"""What a screen reader finds: a list of messages, each with its author and its text."""

from __future__ import annotations

import msgspec
import pytest
from PySide6.QtCore import QPoint, QRect, Qt
from PySide6.QtGui import QAccessible, QAccessibleInterface
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QWidget
from pytestqt.qtbot import QtBot

from desktop.chat.transcript.accessibility import MessageAccessible, TranscriptAccessibility, install_accessibility
from desktop.chat.transcript.transcript_view import TranscriptView
from runtime.values.chat import MessageId
from runtime.values.generation import TextKind
from tests.desktop.chat.transcript.messages import conversation, reply, streaming, user

NAME, VALUE = QAccessible.Text.Name, QAccessible.Text.Value


@pytest.fixture(scope="module", autouse=True)
def _installed() -> TranscriptAccessibility:
    """Install it as the chat panel does."""
    return install_accessibility()


def interface(widget: QWidget) -> QAccessibleInterface:
    """Return what Qt gives to a screen reader."""
    return QAccessible.queryAccessibleInterface(widget)


def message(view: TranscriptView, index: int) -> MessageAccessible:
    """Return the interface of a message."""
    child = interface(view).child(index)
    assert isinstance(child, MessageAccessible)
    return child


def text_of(view: TranscriptView, index: int, start: int = 0, end: int = -1) -> str:
    """Return a part of a message's text, read by the text interface."""
    return message(view, index).textInterface().text(start, end)


def test_a_conversation_is_a_list_of_messages(view: TranscriptView) -> None:
    view.set_messages([user(1, "A *question*"), reply(2, "**An** answer\n\n- one\n\n| a | b |\n|---|---|\n| 1 | 2 |")])
    conversation_list = interface(view)
    assert conversation_list.role() == QAccessible.Role.List
    assert conversation_list.text(NAME) == "Conversation"
    assert [message(view, index).role() for index in (0, 1)] == [QAccessible.Role.ListItem] * 2
    assert message(view, 0).text(NAME) == "You: A *question*"
    assert message(view, 1).text(NAME) == "Assistant: An answer\none\na\tb\n1\t2"
    assert message(view, 1).text(VALUE) == "An answer\none\na\tb\n1\t2"


def test_a_line_below_a_message_is_read_with_it(view: TranscriptView) -> None:
    said = "Messages up to here are not sent to the model any more"
    view.set_messages([user(1, "A question"), msgspec.structs.replace(reply(2, "An answer"), boundary=said)])

    descriptions = [message(view, index).text(QAccessible.Text.Description) for index in (0, 1)]
    assert descriptions == ["", said]


def test_messages_know_their_place(view: TranscriptView) -> None:
    view.set_messages(conversation(3))
    for index in range(6):
        child = message(view, index)
        assert child.parent() is interface(view)
        assert interface(view).indexOfChild(child) == index
        assert child.isValid()
    assert interface(view).child(99) is None
    assert interface(view).child(-1) is None


def test_the_text_is_read_in_pieces_as_qt_counts(view: TranscriptView) -> None:
    view.set_messages([reply(1, "a👩b and *more*")])
    assert message(view, 0).textInterface().characterCount() == len("a👩b and more") + 1
    assert text_of(view, 0, 3, 8) == "b and"
    assert text_of(view, 0) == "a👩b and more"


def test_text_that_streams_can_be_read(view: TranscriptView, qtbot: QtBot) -> None:
    view.add_message(streaming(1))
    for text in ("Some **wor", "ds**"):
        with qtbot.waitSignal(view.text_shown):
            view.append_text(MessageId(1), text, TextKind.ANSWER)
    assert text_of(view, 0) == "Some words"


def test_folded_reasoning_is_not_read(view: TranscriptView) -> None:
    view.set_messages([reply(1, "Answer", reasoning="Because")])
    assert text_of(view, 0) == "Answer"
    view.fold_reasoning(0)
    assert text_of(view, 0) == "Because\nAnswer"


def test_a_point_leads_to_the_message_or_the_button_there(view: TranscriptView) -> None:
    view.set_messages([user(1, "Question"), reply(2, "Answer")])
    listed = interface(view)
    for index in (0, 1):
        center = message(view, index).rect().center()
        assert listed.childAt(center.x(), center.y()) is message(view, index)
    button = view.findChild(QWidget, "copyMessageButton")
    assert button is not None
    point = button.mapToGlobal(button.rect().center())
    found: QAccessibleInterface | None = listed
    while found is not None and (deeper := found.childAt(point.x(), point.y())) is not None:
        found = deeper
    assert found is not None
    assert found.text(NAME) == "Copy"


def test_reading_on_brings_a_message_into_view(view: TranscriptView) -> None:
    view.set_messages(conversation(50))
    screen = QRect(view.viewport().mapToGlobal(QPoint(0, 0)), view.viewport().size())
    assert not message(view, 20).rect().intersects(screen)
    message(view, 20).textInterface().scrollToSubstring(0, 1)
    assert screen.contains(message(view, 20).rect())


def test_a_message_that_is_gone_is_not_valid(view: TranscriptView) -> None:
    view.set_messages([user(1, "One"), reply(2, "Two")])
    gone = message(view, 0)
    view.set_messages([reply(2, "Two")])
    assert not gone.isValid()
    assert gone.text(VALUE) == ""
    assert message(view, 0).text(VALUE) == "Two"


def test_the_buttons_are_found_after_the_messages(view: TranscriptView) -> None:
    view.set_messages(conversation(30))
    QTest.keyClick(view, Qt.Key.Key_Home)
    children = [interface(view).child(index) for index in range(interface(view).childCount())]
    names = {child.text(NAME) for child in children[60:]}
    assert "Jump to latest" in names


def test_every_button_has_a_name(view: TranscriptView) -> None:
    view.set_messages(conversation(30))
    view.open_find()
    for button in view.findChildren(QWidget):
        if button.focusPolicy() & Qt.FocusPolicy.TabFocus and button.isVisible():
            assert interface(button).text(NAME), button.objectName()
