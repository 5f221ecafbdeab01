"""Selecting with the mouse and the keyboard, across blocks and messages, and what copying gives."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QEvent, QPoint, QPointF, Qt
from PySide6.QtGui import QGuiApplication, QKeySequence, QMouseEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from desktop.chat.transcript.context_menu import TranscriptMenu
from desktop.chat.transcript.transcript_view import TranscriptView
from runtime.values.chat import MessageId
from runtime.values.generation import TextKind
from tests.desktop.chat.transcript.messages import conversation, reply, streaming, user
from tests.desktop.chat.transcript.screen import caret_point, clipboard, drag, painted_anew

LEFT = Qt.MouseButton.LeftButton
NO_BUTTON, NO_MODIFIER = Qt.MouseButton.NoButton, Qt.KeyboardModifier.NoModifier
FIRST_PRESS_MS = 1_000_000_000
SHIFT = Qt.KeyboardModifier.ShiftModifier
BLOCKS = """First **bold** words.

1. one
   - [x] two

```python
x = 1
    y = 2
```

| a | b |
|---|---|
| 1 | `2` |

$$
x^2
$$

> Last *words*."""
AS_READ = "bold words.\n\n1. one\n  ☑ two\n\nx = 1\n    y = 2\n\na\tb\n1\t2\n\nx²\n\nLast"


@pytest.fixture
def blocks(view: TranscriptView) -> TranscriptView:
    """Return a transcript with every kind of block in view."""
    view.resize(900, 900)
    view.set_messages([user(1, "Question?"), reply(2, BLOCKS)])
    return view


def press(view: TranscriptView, at: QPoint, time_ms: int) -> None:
    """Press and release the left button at a time of one's own."""
    for kind, buttons in ((QEvent.Type.MouseButtonPress, LEFT), (QEvent.Type.MouseButtonRelease, NO_BUTTON)):
        place = QPointF(at)
        event = QMouseEvent(kind, place, view.viewport().mapToGlobal(place), LEFT, buttons, NO_MODIFIER)
        event.setTimestamp(time_ms)
        QApplication.sendEvent(view.viewport(), event)


def copy(view: TranscriptView, *, as_markdown: bool = False) -> str:
    """Return what copying puts on the clipboard: by the key, or as markdown by the menu."""
    QGuiApplication.clipboard().clear()
    if as_markdown:
        QTest.keyClick(view, Qt.Key.Key_Up, Qt.KeyboardModifier.AltModifier)
        QTest.keyClick(view, Qt.Key.Key_Return)
        menu = view.findChild(TranscriptMenu)
        assert menu is not None
        next(action for action in menu.actions() if action.objectName() == "menuCopyMarkdown").trigger()
        menu.close()
    else:
        QTest.keySequence(view, QKeySequence(QKeySequence.StandardKey.Copy))
    return clipboard()


@pytest.mark.parametrize("backwards", [True, False])
def test_a_drag_selects_across_blocks(blocks: TranscriptView, backwards: bool) -> None:
    ends = caret_point(blocks, "First", len("First ")), caret_point(blocks, "Last", len("Last"))
    drag(blocks, *(ends[::-1] if backwards else ends))
    assert copy(blocks) == AS_READ


def test_copying_as_markdown_gives_the_source_of_whole_blocks(blocks: TranscriptView) -> None:
    drag(blocks, caret_point(blocks, "First", 8), caret_point(blocks, "Last", 2))
    assert copy(blocks, as_markdown=True) == BLOCKS
    drag(blocks, caret_point(blocks, "one", 1), caret_point(blocks, "y = 2", 1))
    assert copy(blocks, as_markdown=True) == BLOCKS[BLOCKS.index("1. one") : BLOCKS.index("| a") - 2]


def test_a_drag_selects_across_messages(blocks: TranscriptView) -> None:
    drag(blocks, caret_point(blocks, "Question?", 3), caret_point(blocks, "First", 5))
    assert copy(blocks) == "stion?\n\nFirst"
    assert copy(blocks, as_markdown=True) == "Question?\n\nFirst **bold** words."


def test_everything_is_selected_by_key(blocks: TranscriptView) -> None:
    QTest.keySequence(blocks, QKeySequence(QKeySequence.StandardKey.SelectAll))
    assert copy(blocks) == f"Question?\n\nFirst {AS_READ} words."
    assert copy(blocks, as_markdown=True) == f"Question?\n\n{BLOCKS}"


def test_selecting_everything_reaches_messages_never_seen(view: TranscriptView) -> None:
    view.set_messages(conversation(100))
    QTest.keySequence(view, QKeySequence(QKeySequence.StandardKey.SelectAll))
    copied = copy(view)
    assert copied.startswith("Question 0\n\nAnswer 0\n\nSome words that")
    assert copied.count("Question") == 100


def test_two_presses_select_a_word_and_three_a_paragraph(blocks: TranscriptView) -> None:
    at = caret_point(blocks, "bold", 2)
    for number, selected in enumerate(("", "bold", "First bold words.")):
        press(blocks, at, FIRST_PRESS_MS + 100 * number)
        assert blocks.selected_text() == selected
    press(blocks, at, FIRST_PRESS_MS + 5000)
    assert blocks.selected_text() == ""


def test_three_presses_in_code_select_a_line(blocks: TranscriptView) -> None:
    for number in range(3):
        press(blocks, caret_point(blocks, "y = 2", 1), FIRST_PRESS_MS + 100 * number)
    assert blocks.selected_text() == "    y = 2"


def test_a_press_with_shift_moves_the_end(blocks: TranscriptView) -> None:
    QTest.mouseClick(blocks.viewport(), LEFT, pos=caret_point(blocks, "First"))
    QTest.mouseClick(blocks.viewport(), LEFT, SHIFT, pos=caret_point(blocks, "bold", 4))
    assert blocks.selected_text() == "First bold"


def test_shift_and_arrows_move_the_end(blocks: TranscriptView) -> None:
    drag(blocks, caret_point(blocks, "First"), caret_point(blocks, "First", 2))
    for key in (Qt.Key.Key_Right, Qt.Key.Key_Right, Qt.Key.Key_Left):
        QTest.keyClick(blocks, key, SHIFT)
    assert blocks.selected_text() == "Fir"
    drag(blocks, caret_point(blocks, "First"), caret_point(blocks, "bold", 4))
    QTest.keyClick(blocks, Qt.Key.Key_Down, SHIFT)
    assert blocks.selected_text() == "First bold words.\n\n1. one"
    QTest.keyClick(blocks, Qt.Key.Key_Up, SHIFT)
    assert "\n" not in blocks.selected_text()


def test_shift_and_arrows_keep_composed_characters_whole(view: TranscriptView) -> None:
    view.set_messages([reply(1, "a👩‍👩‍👧é\u0301z")])
    drag(view, caret_point(view, "a👩"), caret_point(view, "a👩", 1))
    for selected in ("a👩‍👩‍👧", "a👩‍👩‍👧é\u0301"):
        QTest.keyClick(view, Qt.Key.Key_Right, SHIFT)
        assert view.selected_text() == selected


@pytest.mark.parametrize("by_key", [True, False])
def test_escape_and_a_click_select_nothing(blocks: TranscriptView, by_key: bool) -> None:
    drag(blocks, caret_point(blocks, "First"), caret_point(blocks, "bold"))
    assert blocks.has_selection()
    if by_key:
        QTest.keyClick(blocks, Qt.Key.Key_Escape)
    else:
        QTest.mouseClick(blocks.viewport(), LEFT, pos=caret_point(blocks, "two", 1))
    assert not blocks.has_selection()


def test_what_is_selected_is_painted(blocks: TranscriptView) -> None:
    before = painted_anew(blocks.viewport())
    drag(blocks, caret_point(blocks, "First"), caret_point(blocks, "bold"))
    assert painted_anew(blocks.viewport()) != before


def test_a_drag_beyond_the_edge_scrolls_on(view: TranscriptView, qtbot: QtBot) -> None:
    view.set_messages(conversation(20))
    bar = view.verticalScrollBar()
    start = view.viewport().rect().center()
    QTest.mousePress(view.viewport(), LEFT, pos=start)
    QTest.mouseMove(view.viewport(), QPoint(start.x(), -200))
    qtbot.waitUntil(lambda: bar.value() == 0)
    QTest.mouseRelease(view.viewport(), LEFT, pos=QPoint(start.x(), -200))
    assert "Question 1\n" in view.selected_text()
    assert len(view.selected_text()) > 4000


def test_a_selection_stays_while_text_comes_in(view: TranscriptView, qtbot: QtBot) -> None:
    view.set_messages([user(1, "Question?")])
    view.add_message(streaming(2))
    with qtbot.waitSignal(view.text_shown):
        view.append_text(MessageId(2), "Some words\n\nand", TextKind.ANSWER)
    drag(view, caret_point(view, "Question?"), caret_point(view, "Some", 4))
    with qtbot.waitSignal(view.text_shown):
        view.append_text(MessageId(2), " more\n\n# of them", TextKind.ANSWER)
    assert view.selected_text() == "Question?\n\nSome"


def test_the_users_own_text_is_copied_as_written(view: TranscriptView) -> None:
    written = "# no *heading*\n\n  indented\n" + "\n".join(f"line {number}" for number in range(100))
    view.set_messages([user(1, written)])
    view.messages.items[0].fold_text()
    QTest.keySequence(view, QKeySequence(QKeySequence.StandardKey.SelectAll))
    assert copy(view) == written
    assert copy(view, as_markdown=True) == written
