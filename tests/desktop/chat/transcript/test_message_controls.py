"""What stands beside and below messages: buttons, versions, figures, notices, the menu; by mouse and by keyboard."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QEvent, QPoint, Qt
from PySide6.QtGui import QContextMenuEvent, QHelpEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QAbstractButton, QApplication, QLabel, QLineEdit, QToolTip, QWidget
from pytestqt.qtbot import QtBot

from desktop.chat.transcript.chrome_rows import FooterRow, NoticeRow, ReasoningRow
from desktop.chat.transcript.context_menu import TranscriptMenu
from desktop.chat.transcript.message_buttons import MessageButtons
from desktop.chat.transcript.message_view import REPLY_ACTIONS, USER_ACTIONS, MessageAction
from desktop.chat.transcript.transcript_view import TranscriptView
from runtime.values.chat import MessageState
from tests.desktop.chat.transcript.messages import conversation, reply, streaming, user
from tests.desktop.chat.transcript.screen import (
    box_in_view,
    caret_point,
    clipboard,
    drag,
    ink,
    painted_anew,
    place_of,
    row_point,
    rows_of,
    text_place,
)

LEFT = Qt.MouseButton.LeftButton
ALT = Qt.KeyboardModifier.AltModifier
ALL_ACTIONS = REPLY_ACTIONS | USER_ACTIONS | {MessageAction.CONTINUE, MessageAction.RETRY}


def button(view: TranscriptView, name: str) -> QAbstractButton:
    """Return the button of that name."""
    found = view.findChild(QAbstractButton, name)
    assert found is not None
    return found


def shown_buttons(view: TranscriptView) -> set[str]:
    """Return the buttons beside a message."""
    beside = view.findChild(QWidget, "messageButtons")
    assert beside is not None
    return {found.objectName() for found in beside.findChildren(QAbstractButton) if found.isVisible()}


def menu_of(view: TranscriptView) -> dict[str, str]:
    """Open the last message's menu by the keyboard; return its entries."""
    QTest.keyClick(view, Qt.Key.Key_Up, ALT)
    QTest.keyClick(view, Qt.Key.Key_Return)
    menu = view.findChildren(TranscriptMenu)[-1]
    return {action.objectName(): action.text() for action in menu.actions() if action.objectName()}


def choose(view: TranscriptView, name: str) -> None:
    """Choose an entry of the menu that is open."""
    menu = view.findChildren(TranscriptMenu)[-1]
    next(action for action in menu.actions() if action.objectName() == name).trigger()
    menu.close()


@pytest.mark.parametrize(
    ("action", "name", "signal"),
    [
        (MessageAction.EDIT, "editMessageButton", "edit_requested"),
        (MessageAction.REGENERATE, "regenerateButton", "regenerate_requested"),
        (MessageAction.CONTINUE, "continueButton", "continue_requested"),
        (MessageAction.DELETE, "deleteMessageButton", "delete_requested"),
    ],
)
def test_a_button_asks_for_what_it_says(
    view: TranscriptView, qtbot: QtBot, action: MessageAction, name: str, signal: str
) -> None:
    view.set_messages([user(1, "Question"), reply(7, "Answer", actions=frozenset({action}))])
    assert shown_buttons(view) == {name}
    with qtbot.waitSignal(getattr(view, signal)) as asked:
        QTest.mouseClick(button(view, name), LEFT)
    assert asked.args == [7]


@pytest.mark.parametrize(
    ("entry", "signal"),
    [
        ("menuEdit", "edit_requested"),
        ("menuRegenerate", "regenerate_requested"),
        ("menuContinue", "continue_requested"),
        ("menuDelete", "delete_requested"),
        ("menuRetry", "retry_requested"),
    ],
)
def test_the_menu_asks_for_the_same(view: TranscriptView, qtbot: QtBot, entry: str, signal: str) -> None:
    view.set_messages([user(1, "Question"), reply(7, "Answer", actions=ALL_ACTIONS)])
    assert entry in menu_of(view)
    with qtbot.waitSignal(getattr(view, signal)) as asked:
        choose(view, entry)
    assert asked.args == [7]


def test_copying_a_message_gives_its_source(view: TranscriptView) -> None:
    view.set_messages([reply(1, "**An** answer", reasoning="Because")])
    QTest.mouseClick(button(view, "copyMessageButton"), LEFT)
    assert clipboard() == "**An** answer"


def test_the_buttons_go_to_the_message_under_the_pointer(view: TranscriptView) -> None:
    view.set_messages([user(1, "Question"), reply(2, "Answer")])
    assert "editMessageButton" not in shown_buttons(view)
    QTest.mouseMove(view.viewport(), caret_point(view, "Question", 2))
    assert "editMessageButton" in shown_buttons(view)
    leave = QEvent(QEvent.Type.Leave)
    QApplication.sendEvent(view, leave)
    assert "editMessageButton" not in shown_buttons(view)


def test_the_buttons_stay_between_two_rows_of_a_message(view: TranscriptView) -> None:
    view.set_messages([user(1, "Question"), reply(2, "First paragraph\n\nSecond paragraph"), user(3, "Another")])
    first, second = (box_in_view(view, text_place(view, text)) for text in ("First", "Second"))
    beside = view.findChild(MessageButtons)
    assert beside is not None
    assert first.bottom() + 1 < second.top()
    for y in range(first.top(), second.bottom()):
        QTest.mouseMove(view.viewport(), QPoint(first.left() + 4, y))
        assert beside.view is not None
        assert beside.view.id == 2, y


def test_the_buttons_follow_the_keyboard(view: TranscriptView) -> None:
    view.set_messages(conversation(20))
    plain = painted_anew(view.viewport())
    for _ in range(2):
        QTest.keyClick(view, Qt.Key.Key_Up, ALT)
    assert "editMessageButton" in shown_buttons(view)
    assert painted_anew(view.viewport()) != plain  # The ring shows where the keyboard is.
    for _ in range(60):
        QTest.keyClick(view, Qt.Key.Key_Up, ALT)
    assert view.verticalScrollBar().value() < 60
    QTest.keyClick(view, Qt.Key.Key_Down, ALT)
    assert "regenerateButton" in shown_buttons(view)


def test_a_reply_under_way_has_no_buttons(view: TranscriptView) -> None:
    view.set_messages([user(1, "Question")])
    assert shown_buttons(view)
    view.add_message(streaming(2, "text"))
    assert not shown_buttons(view)


def test_arrows_walk_between_versions(view: TranscriptView, qtbot: QtBot) -> None:
    view.set_messages([reply(7, "Answer", branch_index=1, branch_count=3)])
    label = view.findChild(QLabel, "versionLabel")
    assert label is not None
    assert label.text() == "2/3"
    for name, step in (("previousVersionButton", -1), ("nextVersionButton", 1)):
        with qtbot.waitSignal(view.branch_requested) as asked:
            QTest.mouseClick(button(view, name), LEFT)
        assert asked.args == [7, step]


@pytest.mark.parametrize(("index", "back", "forth"), [(0, False, True), (2, True, False)])
def test_arrows_end_at_the_first_and_the_last_version(
    view: TranscriptView, index: int, back: bool, forth: bool
) -> None:
    view.set_messages([reply(7, "Answer", branch_index=index, branch_count=3)])
    assert button(view, "previousVersionButton").isEnabled() is back
    assert button(view, "nextVersionButton").isEnabled() is forth


def test_figures_stand_below_and_all_of_them_in_the_tooltip(view: TranscriptView, qtbot: QtBot) -> None:
    details = "Prefill 400 tok/s\ndemo, INT4"
    view.set_messages([reply(1, "Answer", figures="182 ms · 39.2 tok/s", figures_details=details)])
    place = place_of(view, FooterRow)
    assert ink(painted_anew(view.viewport()), box_in_view(view, place))[0] < 4
    at = row_point(view, place, 10)
    QApplication.sendEvent(view.viewport(), QHelpEvent(QEvent.Type.ToolTip, at, view.viewport().mapToGlobal(at)))
    assert QToolTip.text() == details
    QToolTip.hideText()
    qtbot.waitUntil(lambda: not QToolTip.isVisible())


@pytest.mark.parametrize("state", [MessageState.FAILED, MessageState.INTERRUPTED])
def test_a_notice_says_what_happened_and_can_be_acted_on(
    view: TranscriptView, qtbot: QtBot, state: MessageState
) -> None:
    notice = "The model process ended. Choose a smaller model, then try again. " * 4
    view.set_messages([reply(7, "Half", state=state, notice=notice, actions=ALL_ACTIONS)])
    row = rows_of(view, 0)[place_of(view, NoticeRow).row]
    assert isinstance(row, NoticeRow)
    assert row.text == notice
    assert row.height > 3 * row.button_box(700).height() / 2
    with qtbot.waitSignal(view.retry_requested) as asked:
        QTest.mouseClick(button(view, "retryButton"), LEFT)
    assert asked.args == [7]


@pytest.mark.parametrize("name", ["retryButton", "copyMessageButton"])
def test_the_keyboard_stays_in_the_transcript_when_its_button_goes(
    view: TranscriptView, qtbot: QtBot, name: str
) -> None:
    elsewhere = QLineEdit(view.window())
    qtbot.addWidget(elsewhere)
    elsewhere.show()
    failed = reply(1000, "Half", state=MessageState.FAILED, notice="It failed.", actions=ALL_ACTIONS)
    view.set_messages([user(1, "Hi"), failed])
    button(view, name).setFocus()
    assert QApplication.focusWidget() is button(view, name)
    view.set_messages([user(1, "Hi"), streaming(1000)])
    assert QApplication.focusWidget() is view


def test_no_retry_where_there_is_nothing_to_retry(view: TranscriptView) -> None:
    view.set_messages([reply(7, "Half", state=MessageState.INTERRUPTED, notice="Interrupted.")])
    assert not [found for found in view.findChildren(QWidget, "retryButton") if found.isVisible()]


def test_a_notice_scrolled_out_has_no_button(view: TranscriptView) -> None:
    failed = reply(1000, "Half", state=MessageState.FAILED, notice="It failed.", actions=ALL_ACTIONS)
    view.set_messages([*conversation(20), failed])
    assert button(view, "retryButton").isVisible()
    QTest.keyClick(view, Qt.Key.Key_Home)
    assert not [found for found in view.findChildren(QWidget, "retryButton") if found.isVisible()]


def test_reasoning_says_how_long_it_took_and_unfolds(view: TranscriptView) -> None:
    view.set_messages([reply(1, "Answer", reasoning="Because", reasoning_label="Thought for 3.2 s")])
    head = rows_of(view, 0)[0]
    assert isinstance(head, ReasoningRow)
    assert (head.label, head.is_open) == ("Thought for 3.2 s", False)
    for is_open in (True, False):
        QTest.mouseClick(view.viewport(), LEFT, pos=row_point(view, place_of(view, ReasoningRow), 20))
        head = rows_of(view, 0)[0]
        assert isinstance(head, ReasoningRow)
        assert head.is_open is is_open
        assert ("Because" in view.message_text(view.message_ids()[0])) is is_open


def test_reasoning_unfolds_by_the_keyboard(view: TranscriptView) -> None:
    view.set_messages([reply(1, "Answer", reasoning="Because")])
    assert menu_of(view)["menuReasoning"] == "Show reasoning"
    choose(view, "menuReasoning")
    assert "Because" in view.message_text(view.message_ids()[0])
    assert menu_of(view)["menuReasoning"] == "Hide reasoning"


def test_the_pointers_menu_is_for_what_is_under_it(view: TranscriptView) -> None:
    view.set_messages([user(1, "Question"), reply(2, "An [answer](https://e.org)")])
    drag(view, caret_point(view, "Question"), caret_point(view, "Question", 4))
    found = [entries(view, caret_point(view, text, 4)) for text in ("Question", "answer")]
    assert {"menuCopy", "menuCopyMarkdown", "menuEdit"} <= found[0]
    assert {"menuOpenLink", "menuCopyLink", "menuRegenerate"} <= found[1]
    assert "menuOpenLink" not in found[0]
    assert {"menuSelectAll", "menuFind", "menuCopy"} <= entries(view, QPoint(2, view.viewport().height() - 2))


def entries(view: TranscriptView, at: QPoint) -> set[str]:
    """Open the menu at a point and close it; return its entries."""
    event = QContextMenuEvent(QContextMenuEvent.Reason.Mouse, at, view.viewport().mapToGlobal(at))
    QApplication.sendEvent(view.viewport(), event)
    menu = view.findChildren(TranscriptMenu)[-1]
    names = {action.objectName() for action in menu.actions()}
    menu.close()
    return names
