"""Text that runs from right to left, and an interface that does."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from PySide6.QtCore import QRect, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QWidget

from desktop.chat.transcript.chrome_rows import FooterRow, NoticeRow, ReasoningRow
from desktop.chat.transcript.message_view import REPLY_ACTIONS, MessageAction
from desktop.chat.transcript.row import TextRow
from desktop.chat.transcript.transcript_view import TranscriptView
from desktop.widgets.writing_direction import runs_right_to_left
from tests.desktop.chat.transcript.messages import reply, user
from tests.desktop.chat.transcript.screen import (
    box_in_view,
    caret_point,
    drag,
    ink,
    painted_anew,
    place_of,
    row_point,
    rows_of,
    text_place,
)

HEBREW = "פריט ראשון"
ARABIC = "الاسم"


@pytest.fixture
def mirrored(view: TranscriptView) -> Iterator[TranscriptView]:
    """Return a transcript in an interface that runs from right to left."""
    application = QApplication.instance()
    assert isinstance(application, QApplication)
    application.setLayoutDirection(Qt.LayoutDirection.RightToLeft)
    yield view
    application.setLayoutDirection(Qt.LayoutDirection.LeftToRight)


def ink_of(view: TranscriptView, text: str) -> tuple[float, float]:
    """Return where what is painted in a row begins and ends, as shares of the view's width."""
    box, width = box_in_view(view, text_place(view, text)), view.viewport().width()
    columns = ink(painted_anew(view.viewport()), QRect(0, box.top(), width, box.height()))
    return columns[0] / width, columns[-1] / width


@pytest.mark.parametrize(
    ("text", "expected"),
    [("", False), ("abc", False), ("123 ?", False), (HEBREW, True), (f"1. *{ARABIC}* x", True), (f"x {ARABIC}", False)],
)
def test_the_first_letter_says_which_way_a_text_runs(text: str, expected: bool) -> None:
    assert runs_right_to_left(text) is expected


@pytest.mark.parametrize("markup", ["", "- ", "1. ", "> ", "- [x] "])
def test_a_paragraph_and_what_is_beside_it_run_as_its_text_does(view: TranscriptView, markup: str) -> None:
    view.set_messages([reply(1, f"{markup}{HEBREW}"), reply(2, f"{markup}Latin")])
    assert ink_of(view, HEBREW)[0] > 0.5
    assert ink_of(view, HEBREW)[1] > 0.9
    assert ink_of(view, "Latin")[1] < 0.5


def test_a_table_begins_at_the_side_where_its_head_does(view: TranscriptView) -> None:
    rest = "|---|---:|\n| 1 | 2 |\n"
    view.set_messages([reply(1, f"| {ARABIC} | B |\n{rest}"), reply(2, f"| Name | C |\n{rest}")])
    right, left = text_place(view, ARABIC), text_place(view, "Name")
    assert ink_of(view, ARABIC)[0] > 0.5
    assert ink_of(view, "Name")[1] < 0.5
    for place, is_mirrored in ((right, True), (left, False)):
        row = rows_of(view, place.message)[place.row + 1]
        assert isinstance(row, TextRow)
        assert row.plain_text() == "1\t2"
        assert (row.caret_rect(0).x() > row.caret_rect(2).x()) is is_mirrored


def test_the_mouse_finds_the_cells_of_a_mirrored_table(view: TranscriptView) -> None:
    view.set_messages([reply(1, f"| {ARABIC} | second |\n|---|---|\n| [there](https://e.org) | last |\n")])
    drag(view, caret_point(view, "last", 1), caret_point(view, "last", 4))
    assert view.selected_text() == "ast"
    row = rows_of(view, 0)[text_place(view, "there").row]
    assert isinstance(row, TextRow)
    assert row.link_at(row.caret_rect(2).center()) == "https://e.org"


def test_a_wide_mirrored_table_shows_its_beginning_first(view: TranscriptView) -> None:
    cells = " | ".join(f"{ARABIC} {number} " + "x" * 60 for number in range(12))
    view.set_messages([reply(1, f"| {cells} |\n{'|---' * 12}|\n")])
    place = text_place(view, ARABIC)
    row = rows_of(view, 0)[place.row]
    assert isinstance(row, TextRow)
    assert row.sideways is not None
    width = box_in_view(view, place).width()
    assert width / 2 < row.caret_rect(0).x() < width
    assert not row.sideways.scroll(100)
    assert row.sideways.scroll(-100)
    assert row.caret_rect(0).x() > width


def test_code_always_runs_from_left_to_right(view: TranscriptView) -> None:
    view.set_messages([reply(1, f"{HEBREW}\n\n```\n{ARABIC}\n```")])
    row = rows_of(view, 0)[2]
    assert isinstance(row, TextRow)
    assert row.plain_text() == ARABIC
    assert ink_of(view, HEBREW)[0] > 0.5
    columns = ink(painted_anew(view.viewport()), box_in_view(view, text_place(view, ARABIC)).adjusted(3, 0, -3, -12))
    assert columns[-1] < 200


def test_an_interface_from_right_to_left_is_mirrored(mirrored: TranscriptView) -> None:
    actions = REPLY_ACTIONS | {MessageAction.RETRY}
    view = mirrored
    view.set_messages(
        [
            user(1, "Question"),
            reply(
                2, "Answer", reasoning="Because", figures="1 ms", notice="It failed.", actions=actions, branch_count=2
            ),
        ]
    )
    assert ink_of(view, "Question")[0] < 0.1
    head = box_in_view(view, place_of(view, ReasoningRow))
    assert ink(painted_anew(view.viewport()), head)[0] > head.width() / 2
    QTest.mouseClick(view.viewport(), Qt.MouseButton.LeftButton, pos=head.center())
    assert "Because" not in view.message_text(view.message_ids()[1])
    point = row_point(view, place_of(view, ReasoningRow), head.width() - 20)
    QTest.mouseClick(view.viewport(), Qt.MouseButton.LeftButton, pos=point)
    assert "Because" in view.message_text(view.message_ids()[1])
    assert widget(view, "messageButtons").geometry().left() < view.width() / 4
    assert widget(view, "retryButton").geometry().right() < view.width() / 2
    footer = box_in_view(view, place_of(view, FooterRow))
    assert ink(painted_anew(view.viewport()), footer)[-1] > footer.width() - 4
    notice = box_in_view(view, place_of(view, NoticeRow)).adjusted(4, 6, -4, -6)
    assert ink(painted_anew(view.viewport()), notice)[-1] > notice.width() - 40


def test_a_chat_follows_when_the_interface_turns_round(view: TranscriptView) -> None:
    view.set_messages([user(1, "Question")])
    assert ink_of(view, "Question")[0] > 0.5
    view.setLayoutDirection(Qt.LayoutDirection.RightToLeft)
    assert ink_of(view, "Question")[1] < 0.5


def widget(view: TranscriptView, name: str) -> QWidget:
    """Return the visible widget of that name that lies over the transcript."""
    return next(found for found in view.findChildren(QWidget, name) if found.isVisible())
