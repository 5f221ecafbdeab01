"""Find in page: every hit in every message, marked, counted, and brought into view one after the other."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QKeySequence
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QAbstractButton, QLabel, QLineEdit, QWidget
from pytestqt.qtbot import QtBot

from desktop.chat.transcript.finder import TextFinder
from desktop.chat.transcript.places import RowPlace
from desktop.chat.transcript.row import TextRow
from desktop.chat.transcript.transcript_view import TranscriptView
from runtime.values.chat import MessageId
from runtime.values.generation import TextKind
from tests.desktop.chat.transcript.messages import conversation, reply, streaming, user
from tests.desktop.chat.transcript.screen import caret_point, drag, painted_anew

SHIFT = Qt.KeyboardModifier.ShiftModifier


def child(view: TranscriptView, kind: type[QWidget], name: str) -> QWidget:
    """Return a part of the bar."""
    found = view.findChild(kind, name)
    assert isinstance(found, kind)
    return found


def find(view: TranscriptView, qtbot: QtBot, query: str) -> None:
    """Open the bar by its key and type a query."""
    QTest.keySequence(view, QKeySequence(QKeySequence.StandardKey.Find))
    field = child(view, QLineEdit, "findField")
    assert isinstance(field, QLineEdit)
    field.clear()
    QTest.keyClicks(field, query)
    qtbot.waitUntil(lambda: not finder(view).is_searching)


def finder(view: TranscriptView) -> TextFinder:
    """Return what looks for text."""
    found = view.findChild(TextFinder)
    assert found is not None
    return found


def count_of(view: TranscriptView) -> str:
    """Return what the bar says of its hits."""
    label = child(view, QLabel, "findCount")
    assert isinstance(label, QLabel)
    return label.text()


def current(view: TranscriptView) -> tuple[int, int]:
    """Return message and offset of the hit that the user is at."""
    hit = finder(view).current
    assert hit is not None
    return hit.place.message, hit.span[0]


def is_in_view(view: TranscriptView) -> bool:
    """Tell whether the current hit is in view."""
    hit = finder(view).current
    assert hit is not None
    row = view.messages.items[hit.place.message].stack.rows[hit.place.row]
    assert isinstance(row, TextRow)
    top = view.messages.top_of(hit.place) - view.verticalScrollBar().value()
    return 0 <= top + row.caret_rect(hit.span[0]).top() < view.viewport().height()


@pytest.mark.parametrize(
    ("query", "hits"),
    [
        ("word", "1 of 4"),
        ("WORD", "1 of 4"),
        ("two words", "1 of 2"),  # over a line's end, through markup
        ("x = word", "1 of 1"),
        ("cell | other", "No hits"),
        ("a/b", "1 of 1"),
        ("nowhere", "No hits"),
        ("   ", "No hits"),
        ("", ""),
        ("(.*", "No hits"),
    ],
)
def test_hits_are_counted_as_they_are_read(view: TranscriptView, qtbot: QtBot, query: str, hits: str) -> None:
    text = "Two\nwords, two **wo**rds.\n\n```\nx = word\n```\n\n| cell | other |\n|---|---|\n| word | $\\frac{a}{b}$ |"
    view.set_messages([user(1, "Question"), reply(2, text)])
    find(view, qtbot, query)
    assert count_of(view) == hits


def test_keys_and_buttons_go_from_hit_to_hit_and_round(view: TranscriptView, qtbot: QtBot) -> None:
    view.set_messages([user(1, "cat"), reply(2, "cat and cat"), user(3, "dog")])
    find(view, qtbot, "cat")
    field = child(view, QLineEdit, "findField")
    hits = [(0, 0), (1, 0), (1, 8)]
    assert current(view) == hits[0]
    for hit in (hits[1], hits[2], hits[0]):
        QTest.keyClick(field, Qt.Key.Key_Return)
        assert current(view) == hit
    QTest.keyClick(field, Qt.Key.Key_Return, SHIFT)
    assert (current(view), count_of(view)) == (hits[2], "3 of 3")
    QTest.mouseClick(child(view, QAbstractButton, "findPreviousButton"), Qt.MouseButton.LeftButton)
    assert current(view) == hits[1]
    QTest.mouseClick(child(view, QAbstractButton, "findNextButton"), Qt.MouseButton.LeftButton)
    assert current(view) == hits[2]


def test_a_hit_in_a_message_never_seen_comes_into_view(view: TranscriptView, qtbot: QtBot) -> None:
    view.set_messages([reply(1, "first needle " + "word " * 500), *conversation(60), reply(500, "last needle")])
    find(view, qtbot, "needle")
    assert count_of(view) == "2 of 2"  # The one in view comes first.
    QTest.keyClick(child(view, QLineEdit, "findField"), Qt.Key.Key_Return)
    assert count_of(view) == "1 of 2"
    assert view.verticalScrollBar().value() == 0
    assert is_in_view(view)


def test_hits_are_marked(view: TranscriptView, qtbot: QtBot) -> None:
    view.set_messages([reply(1, "one two one")])
    before = painted_anew(view.viewport())
    find(view, qtbot, "one")
    marked = painted_anew(view.viewport())
    QTest.keyClick(child(view, QLineEdit, "findField"), Qt.Key.Key_Return)
    stepped = painted_anew(view.viewport())
    QTest.keyClick(child(view, QLineEdit, "findField"), Qt.Key.Key_Escape)
    assert before != marked != stepped != before
    assert painted_anew(view.viewport()) == before
    assert not child(view, QWidget, "findBar").isVisible()


def test_the_bar_begins_with_what_is_selected(view: TranscriptView, qtbot: QtBot) -> None:
    view.set_messages([reply(1, "one two one")])
    drag(view, caret_point(view, "two"), caret_point(view, "two", 3))
    QTest.keySequence(view, QKeySequence(QKeySequence.StandardKey.Find))
    qtbot.waitUntil(lambda: count_of(view) == "1 of 1")


def test_text_that_comes_in_is_found_when_it_is_complete(view: TranscriptView, qtbot: QtBot) -> None:
    view.set_messages([user(1, "needle")])
    find(view, qtbot, "needle")
    view.add_message(streaming(2))
    with qtbot.waitSignal(view.text_shown):
        view.append_text(MessageId(2), "a needle", TextKind.ANSWER)
    view.update_message(reply(2, "a needle"))
    qtbot.waitUntil(lambda: count_of(view) == "1 of 2")


def test_folded_reasoning_is_not_searched_until_it_is_unfolded(view: TranscriptView, qtbot: QtBot) -> None:
    view.set_messages([reply(1, "Answer", reasoning="a needle")])
    find(view, qtbot, "needle")
    assert count_of(view) == "No hits"
    view.fold_reasoning(0)
    qtbot.waitUntil(lambda: count_of(view) == "1 of 1")


def test_a_hit_of_the_search_over_all_chats_is_unfolded_and_marked(view: TranscriptView, qtbot: QtBot) -> None:
    long = "\n".join(f"line {number}" for number in range(200)) + "\nthe needle"
    view.set_messages([user(1, long), *[reply(number, "word " * 900) for number in range(2, 40)]])
    view.show_hit(MessageId(1), "needle")
    qtbot.waitUntil(lambda: not finder(view).is_searching)
    assert count_of(view) == "1 of 1"
    assert is_in_view(view)
    view.show_hit(MessageId(99), "needle")  # gone meanwhile


def test_searching_a_long_chat_does_not_hold_the_window_up(view: TranscriptView) -> None:
    """Looked at after each slice of time, it has gone on a little further."""
    items = [reply(number, f"needle {number}") for number in range(50)]
    view.set_messages(items)
    ticks = count(0, 3_000_000)
    slow = TextFinder(lambda: view.messages.items, lambda: RowPlace(0, 0), view, clock_ns=lambda: next(ticks))
    found = []
    slow.changed.connect(lambda: found.append(len(slow.hits)))
    slow.start("needle")
    assert slow.is_searching
    assert 0 < len(slow.hits) < 50
    for _ in until_done(slow):
        QTest.qWait(0)
    assert found[-1] == 50
    assert len(found) > 10


def until_done(looking: TextFinder) -> Iterator[int]:
    """Yield while it is searching, a bounded number of times."""
    return (turn for turn in range(1000) if looking.is_searching)
