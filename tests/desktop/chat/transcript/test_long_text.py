"""Text of any length: what is not in view costs nothing, and long text of the user is folded."""

from __future__ import annotations

import gc

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QScrollBar

from desktop.chat.transcript.chrome_rows import ShowMoreRow
from desktop.chat.transcript.document import RunsDocument
from desktop.chat.transcript.plain_blocks import MAX_BLOCK_CHARACTERS, MAX_BLOCK_LINES, plain_blocks
from desktop.chat.transcript.transcript_view import TranscriptView
from runtime.values.chat import MessageId
from tests.desktop.chat.transcript.messages import conversation, reply, user
from tests.desktop.chat.transcript.screen import layout_of, painted_anew, place_of, row_point, rows_of

plain = st.text(alphabet="ab \n👩", max_size=200).map(lambda text: text * 40)


def measured(view: TranscriptView) -> int:
    """Return how many rows have been laid out."""
    items = layout_of(view).items
    return sum(row.is_measured(item.width_of(row)) for item in items for row in item.stack.rows)


@given(plain)
def test_pieces_of_a_text_are_the_text(text: str) -> None:
    blocks = list(plain_blocks(text))
    assert "".join(text[block.start : block.end] for block in blocks) == text
    assert "".join(block.text for block in blocks).replace("\n", "") == text.replace("\n", "")
    assert all(len(block.text) <= MAX_BLOCK_CHARACTERS for block in blocks)
    assert all(block.text.count("\n") <= MAX_BLOCK_LINES for block in blocks)


def test_messages_out_of_view_are_not_even_split(view: TranscriptView) -> None:
    view.set_messages(conversation(500))
    assert sum(bool(item.stack.rows) for item in layout_of(view).items) < 20


def test_only_what_is_in_view_of_a_long_reply_is_laid_out(view: TranscriptView) -> None:
    view.set_messages([reply(1, "A paragraph.\n\n" * 2000)])
    assert len(rows_of(view, 0)) > 2000
    assert measured(view) < 60


@pytest.mark.parametrize("text", ["word " * 1_000_000, "x" * 5_000_000, "line\n" * 1_000_000], ids=len)
def test_five_megabytes_are_folded_and_can_be_unfolded(view: TranscriptView, text: str) -> None:
    view.set_messages([user(1, text)])
    assert layout_of(view).height < 2000
    assert len(view.message_text(MessageId(1))) < 2000
    QTest.mouseClick(view.viewport(), Qt.MouseButton.LeftButton, pos=row_point(view, place_of(view, ShowMoreRow), 20))
    assert measured(view) < 20
    assert layout_of(view).height > 100_000
    QTest.keyClick(view, Qt.Key.Key_End)
    painted_anew(view)
    assert measured(view) < 40
    assert len(view.message_text(MessageId(1)).replace("\n", "")) == len(text.replace("\n", ""))


def test_a_short_text_is_not_folded(view: TranscriptView) -> None:
    view.set_messages([user(1, "line\n" * 10)])
    assert not any(isinstance(row, ShowMoreRow) for row in rows_of(view, 0))


def test_text_is_unfolded_by_the_keyboard_too(view: TranscriptView) -> None:
    view.set_messages([user(1, "line\n" * 100)])
    before = layout_of(view).height
    view.messages.items[0].fold_text()
    view.messages.restack()
    assert layout_of(view).height > 2 * before


@pytest.mark.parametrize(
    "piece", ["[", "*a ", "> ", "- ", "|", "`", "$", "\\(", "\ufdd0\ufffc\u2028", "\u202e", "\u0301"], ids=ascii
)
def test_hostile_text_is_shown(view: TranscriptView, piece: str) -> None:
    view.set_messages([reply(1, piece * 10_000)])
    painted_anew(view)
    assert layout_of(view).height > 0


def test_documents_of_rows_out_of_view_are_given_back(view: TranscriptView) -> None:
    """Memory follows what is seen, not what was seen."""
    before = documents()
    view.set_messages([reply(1, "A paragraph of words.\n\n" * 3000)])
    QTest.keyClick(view, Qt.Key.Key_Home)
    for _ in range(60):
        view.verticalScrollBar().triggerAction(QScrollBar.SliderAction.SliderPageStepAdd)
        painted_anew(view)
    assert measured(view) > 800
    assert documents() - before < 500


def documents() -> int:
    """Return how many documents there are, other tests' included."""
    gc.collect()
    return sum(isinstance(found, RunsDocument) for found in gc.get_objects())
