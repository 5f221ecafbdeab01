"""Text that streams in: what is on the screen is what painting everything anew would show, at every moment."""

from __future__ import annotations

import random

import pytest
from PySide6.QtCore import QTimer
from pytestqt.qtbot import QtBot

from desktop.chat.transcript.chrome_rows import ReasoningRow, StatusRow
from desktop.chat.transcript.code_rows import CodeHeaderRow
from desktop.chat.transcript.transcript_view import TranscriptView
from runtime.values.chat import MessageId, MessageState
from runtime.values.generation import TextKind
from tests.desktop.chat.transcript.messages import EVERYTHING, conversation, reply, streaming, user
from tests.desktop.chat.transcript.screen import differing_lines, painted_anew, place_of, rows_of, shown

REPLY = MessageId(100)
TALL = EVERYTHING + "**\n\n```python\n" + "value = 1  # one\n" * 60 + "```\n\n" + "A long line of words. " * 80
DOCSTRINGS = (
    "```python\n" + "x = 1\n" * 12 + "'''A docstring\n" + "over several rows, 1\n" * 70 + "ends'''\ny = '''1\n2'''\n```"
)


def show_text(view: TranscriptView, qtbot: QtBot, text: str, kind: TextKind = TextKind.ANSWER) -> None:
    """Stream text and wait until it is shown."""
    with qtbot.waitSignal(view.text_shown):
        view.append_text(REPLY, text, kind)


@pytest.mark.parametrize("seed", range(3))
def test_screen_is_what_painting_anew_shows(view: TranscriptView, qtbot: QtBot, seed: int) -> None:
    chance = random.Random(seed)
    view.set_messages(conversation(2))
    view.add_message(streaming(100))
    position = 0
    while position < len(TALL):
        step = chance.randint(1, 120)
        show_text(view, qtbot, TALL[position : position + step])
        position += step
        if chance.random() < 0.15:
            assert differing_lines(shown(view), painted_anew(view)) == []
    view.update_message(reply(100, TALL, figures="done"))
    assert differing_lines(shown(view), painted_anew(view)) == []


@pytest.mark.parametrize("text", [EVERYTHING, DOCSTRINGS], ids=["everything", "docstrings"])
@pytest.mark.parametrize("height", [600, 1400])
def test_streamed_message_looks_as_the_finished_one(view: TranscriptView, qtbot: QtBot, text: str, height: int) -> None:
    """Also where rows above the view are only estimated: they move what is below by whole pixels, if at all."""
    view.resize(900, height)
    view.set_messages([user(1, "Question")])
    view.add_message(streaming(100))
    for start in range(0, len(text), 37):
        show_text(view, qtbot, text[start : start + 37])
    view.update_message(reply(100, text))
    streamed = painted_anew(view.viewport())
    view.set_messages([])
    view.set_messages([user(1, "Question"), reply(100, text)])
    assert differing_lines(streamed, painted_anew(view.viewport())) == []


def test_rows_above_stay_while_text_streams(view: TranscriptView, qtbot: QtBot) -> None:
    view.add_message(streaming(100))
    show_text(view, qtbot, "First.\n\n```\ncode\n```\n\nlast")
    before = rows_of(view, 0)[:3]
    show_text(view, qtbot, " words")
    assert rows_of(view, 0)[:3] == before
    assert isinstance(before[1], CodeHeaderRow)


def test_text_of_another_message_is_ignored(view: TranscriptView, qtbot: QtBot) -> None:
    view.set_messages([reply(1, "Done")])
    view.append_text(MessageId(1), " more", TextKind.ANSWER)
    view.add_message(streaming(100))
    show_text(view, qtbot, "New")
    assert [view.message_text(number) for number in view.message_ids()] == ["Done", "New"]


def test_status_gives_way_to_text(view: TranscriptView, qtbot: QtBot) -> None:
    view.add_message(streaming(100, status="Reading the prompt"))
    assert isinstance(rows_of(view, 0)[0], StatusRow)
    view.update_message(streaming(100, status="Reading the prompt · 40 %"))
    status = rows_of(view, 0)[0]
    assert isinstance(status, StatusRow)
    assert status.text == "Reading the prompt · 40 %"
    show_text(view, qtbot, "Text")
    assert not any(isinstance(row, StatusRow) for row in rows_of(view, 0))


def test_reasoning_is_folded_until_it_is_asked_for(view: TranscriptView, qtbot: QtBot) -> None:
    view.add_message(streaming(100, reasoning_label="Thinking"))
    show_text(view, qtbot, "First I think.\n\n- a\n- b", TextKind.REASONING)
    assert view.message_text(REPLY) == ""
    place = place_of(view, ReasoningRow)
    view.fold_reasoning(place.message)
    assert view.message_text(REPLY) == "First I think.\na\nb"
    show_text(view, qtbot, "\n\nThen", TextKind.REASONING)
    show_text(view, qtbot, "The answer", TextKind.ANSWER)
    assert view.message_text(REPLY) == "First I think.\na\nb\nThen\nThe answer"
    view.update_message(reply(100, "The answer", reasoning="First I think.\n\n- a\n- b\n\nThen", reasoning_label="2 s"))
    head = rows_of(view, 0)[0]
    assert isinstance(head, ReasoningRow)
    assert (head.label, head.is_open) == ("2 s", True)


def test_what_is_stored_wins_over_what_streamed(view: TranscriptView, qtbot: QtBot) -> None:
    view.add_message(streaming(100))
    show_text(view, qtbot, "Half a wo")
    view.update_message(reply(100, "A whole sentence.", state=MessageState.STOPPED))
    assert view.message_text(REPLY) == "A whole sentence."


def test_a_finished_reply_can_be_continued(view: TranscriptView, qtbot: QtBot) -> None:
    view.set_messages([reply(100, "Begun, ")])
    view.update_message(streaming(100, "Begun, "))
    show_text(view, qtbot, "**done**.")
    view.update_message(reply(100, "Begun, **done**."))
    assert view.message_text(REPLY) == "Begun, done."


def test_first_painted_text_is_reported_once(view: TranscriptView, qtbot: QtBot) -> None:
    reported: list[int] = []
    view.first_text_painted.connect(lambda number, _time_ns: reported.append(number))
    view.add_message(streaming(100, status="Reading"))
    view.grab()
    assert reported == []
    show_text(view, qtbot, "A")
    show_text(view, qtbot, "B")
    view.grab()
    assert reported == [REPLY]


def test_no_timer_runs_when_nothing_happens(view: TranscriptView, qtbot: QtBot) -> None:
    view.set_messages(conversation(3))
    view.add_message(streaming(100))
    show_text(view, qtbot, "text")
    assert not any(timer.isActive() for timer in view.findChildren(QTimer))
