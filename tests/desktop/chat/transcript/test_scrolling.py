"""Following the end, letting go of it, and keeping what is read in place."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QWheelEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QAbstractButton, QApplication
from pytestqt.qtbot import QtBot

from desktop.chat.transcript.code_rows import CodeRow
from desktop.chat.transcript.transcript_view import TranscriptView
from runtime.values.chat import MessageId
from runtime.values.generation import TextKind
from tests.desktop.chat.transcript.messages import conversation, reply, streaming, user
from tests.desktop.chat.transcript.screen import caret_point, place_of, row_point, rows_of


def scroll(view: TranscriptView, notches: int, at: QPoint | None = None, *, shift: bool = False) -> None:
    """Turn the wheel; positive is up."""
    point = QPointF(at if at is not None else view.viewport().rect().center())
    modifiers = Qt.KeyboardModifier.ShiftModifier if shift else Qt.KeyboardModifier.NoModifier
    event = QWheelEvent(
        point,
        view.viewport().mapToGlobal(point),
        QPoint(),
        QPoint(0, 120 * notches),
        Qt.MouseButton.NoButton,
        modifiers,
        Qt.ScrollPhase.NoScrollPhase,
        False,  # noqa: FBT003 - not inverted
    )
    QApplication.sendEvent(view.viewport(), event)


def is_at_end(view: TranscriptView) -> bool:
    bar = view.verticalScrollBar()
    return bar.value() == bar.maximum()


def jump_button(view: TranscriptView) -> QAbstractButton:
    button = view.findChild(QAbstractButton, "jumpToLatestButton")
    assert button is not None
    return button


def stream(view: TranscriptView, qtbot: QtBot, text: str) -> None:
    with qtbot.waitSignal(view.text_shown):
        view.append_text(MessageId(1000), text, TextKind.ANSWER)


def test_a_chat_opens_at_its_end(view: TranscriptView) -> None:
    view.set_messages(conversation(30))
    assert is_at_end(view)
    assert view.verticalScrollBar().maximum() > 0


def test_lines_stay_as_they_are_broken_when_there_is_first_something_to_scroll(view: TranscriptView) -> None:
    view.set_messages(conversation(1))
    assert view.verticalScrollBar().maximum() == 0
    before = view.viewport().width()
    view.set_messages(conversation(30))
    assert view.verticalScrollBar().maximum() > 0
    assert view.viewport().width() == before


def test_streaming_is_followed_until_the_user_scrolls_up(view: TranscriptView, qtbot: QtBot) -> None:
    view.set_messages(conversation(5))
    view.add_message(streaming(1000))
    stream(view, qtbot, "line\n\n" * 30)
    assert is_at_end(view)
    assert not jump_button(view).isVisible()
    scroll(view, 3)
    place = view.verticalScrollBar().value()
    stream(view, qtbot, "line\n\n" * 30)
    assert view.verticalScrollBar().value() == place
    assert jump_button(view).isVisible()
    QTest.mouseClick(jump_button(view), Qt.MouseButton.LeftButton)
    assert is_at_end(view)
    assert not jump_button(view).isVisible()
    stream(view, qtbot, "line\n\n" * 30)
    assert is_at_end(view)


def test_scrolling_back_to_the_end_holds_on_again(view: TranscriptView, qtbot: QtBot) -> None:
    view.set_messages(conversation(5))
    view.add_message(streaming(1000))
    stream(view, qtbot, "line\n\n" * 30)
    scroll(view, 2)
    scroll(view, -5)
    stream(view, qtbot, "line\n\n" * 30)
    assert is_at_end(view)


def test_an_assistive_technology_can_scroll(view: TranscriptView, qtbot: QtBot) -> None:
    """It sets the bar's value, which no mouse or key does."""
    view.set_messages(conversation(20))
    view.verticalScrollBar().setValue(40)
    assert view.verticalScrollBar().value() == 40
    assert jump_button(view).isVisible()
    view.add_message(streaming(1000))
    stream(view, qtbot, "line\n\n" * 30)
    assert view.verticalScrollBar().value() == 40


def test_what_the_user_sends_comes_into_view(view: TranscriptView) -> None:
    view.set_messages(conversation(10))
    scroll(view, 20)
    view.add_message(user(500, "New question"))
    assert is_at_end(view)


def test_what_is_read_stays_in_place_while_heights_become_exact(view: TranscriptView) -> None:
    """Scrolling up through messages never seen before moves the text by what the wheel says."""
    view.set_messages([reply(n, f"Number {n}\n\n" + "- item\n" * (n % 7) + "word " * (n % 40)) for n in range(1, 120)])
    for _ in range(60):
        before = caret_point(view, first_text_in_view(view)).y(), first_text_in_view(view)
        value = view.verticalScrollBar().value()
        scroll(view, 1)
        if value == 0:
            break
        moved = caret_point(view, before[1]).y() - before[0]
        assert 0 < moved <= 200
    assert view.verticalScrollBar().value() < view.verticalScrollBar().maximum()


def first_text_in_view(view: TranscriptView) -> str:
    """Return the first "Number n" that is in view."""
    top = view.verticalScrollBar().value()
    layout = view.messages
    for place, box, _ in layout.rows_between(top, top + view.viewport().height()):
        if place.row == 0 and box.top() >= top:
            return layout.items[place.message].view.text.split("\n")[0]
    raise AssertionError


def test_resizing_keeps_the_first_row_in_place(view: TranscriptView) -> None:
    view.set_messages(conversation(40))
    scroll(view, 30)
    before = first_row(view)
    view.resize(520, 600)
    QApplication.processEvents()
    assert first_row(view) == before


def first_row(view: TranscriptView) -> tuple[int, int]:
    top = view.verticalScrollBar().value()
    place, _, _ = next(iter(view.messages.rows_between(top + 2, top + view.viewport().height())))
    return place


def test_messages_that_stay_keep_their_place(view: TranscriptView) -> None:
    messages = conversation(20)
    view.set_messages(messages)
    scroll(view, 20)
    top = view.verticalScrollBar().value()
    before = first_row(view)
    view.set_messages(messages[:-2])
    assert (first_row(view), view.verticalScrollBar().value()) == (before, top)
    view.set_messages([reply(900, "Another chat")])
    assert is_at_end(view)


def test_a_message_that_goes_leaves_the_rest_in_place(view: TranscriptView) -> None:
    view.set_messages(conversation(20))
    scroll(view, 20)
    top = view.verticalScrollBar().value()
    view.remove_message(MessageId(40))
    assert view.verticalScrollBar().value() == top
    assert MessageId(40) not in view.message_ids()


@pytest.mark.parametrize("shift", [True, False])
def test_wide_code_scrolls_sideways(view: TranscriptView, *, shift: bool) -> None:
    view.set_messages([reply(1, "```\n" + "wide " * 100 + "\n```")])
    place = place_of(view, CodeRow)
    row = rows_of(view, 0)[place.row]
    assert row.sideways is not None
    assert row.sideways.hidden > 0
    scroll(view, -2, row_point(view, place), shift=shift)
    assert (row.sideways.offset > 0) == shift


def test_the_sideways_bar_can_be_dragged(view: TranscriptView) -> None:
    view.set_messages([reply(1, "```\n" + "wide " * 100 + "\n```")])
    place = place_of(view, CodeRow)
    row = rows_of(view, 0)[place.row]
    assert isinstance(row, CodeRow)
    assert row.sideways is not None
    handle = row.bar(view.messages.items[0].box_of(place.row).width())
    start = row_point(view, place, handle.center().x(), handle.center().y())
    QTest.mousePress(view.viewport(), Qt.MouseButton.LeftButton, pos=start)
    QTest.mouseMove(view.viewport(), start + QPoint(5000, 0))
    QTest.mouseRelease(view.viewport(), Qt.MouseButton.LeftButton, pos=start + QPoint(5000, 0))
    assert row.sideways.offset == row.sideways.hidden
    assert not view.has_selection()
