"""Other colours and sizes of text, taken up while the transcript is open."""

from __future__ import annotations

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QColor
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QScrollBar
from pytestqt.qtbot import QtBot

from desktop.chat.transcript.transcript_view import TranscriptView
from desktop.theme.colors import DARK, HIGH_CONTRAST, LIGHT, Colors
from runtime.values.chat import MessageId
from runtime.values.generation import TextKind
from tests.desktop.chat.transcript.messages import EVERYTHING, conversation, reply, streaming, user
from tests.desktop.chat.transcript.screen import differing_lines, layout_of, painted_anew
from tests.desktop.looks import make_theme


@pytest.mark.parametrize("colors", [DARK, HIGH_CONTRAST, LIGHT], ids=["dark", "high contrast", "light"])
def test_other_colours_are_taken_up_by_everything(view: TranscriptView, qtbot: QtBot, colors: Colors) -> None:
    """A transcript that changed looks as one that was made so."""
    messages = [user(1, "Question"), reply(2, EVERYTHING, figures="182 ms", reasoning="Because")]
    view.resize(900, 1300)
    view.set_messages(messages)
    view.open_find()
    painted_anew(view)
    view.apply_theme(make_theme(colors))
    view.close_find()
    changed = painted_anew(view)
    assert QColor(changed.pixel(1, changed.height() - 1)) == QColor(colors.page)
    fresh = TranscriptView(make_theme(colors))
    qtbot.addWidget(fresh)
    fresh.resize(view.size())
    fresh.show()
    fresh.set_messages(messages)
    assert differing_lines(changed, painted_anew(fresh)) == []


@pytest.mark.parametrize("scale", [0.8, 1.6])
def test_another_size_of_text_keeps_what_is_read_in_place(view: TranscriptView, scale: float) -> None:
    view.set_messages(conversation(60))
    QTest.keyClick(view, Qt.Key.Key_Home)
    for _ in range(5):
        view.verticalScrollBar().triggerAction(QScrollBar.SliderAction.SliderPageStepAdd)
    before, height = message_in_view(view), layout_of(view).items[message_in_view(view)].height
    view.apply_theme(make_theme(text_scale=scale))
    assert message_in_view(view) == before
    assert (layout_of(view).items[before].height > height) == (scale > 1)


def message_in_view(view: TranscriptView) -> int:
    """Return the first message in view."""
    top = view.verticalScrollBar().value()
    return layout_of(view).messages_between(top, top)[0]


def test_a_reply_goes_on_through_a_change_of_looks(view: TranscriptView, qtbot: QtBot) -> None:
    view.set_messages([user(1, "Question")])
    view.add_message(streaming(2))
    for number, colors in enumerate((DARK, LIGHT)):
        for text in ("Some **wor", "ds**\n\n```py\ndef", " x\n```\n\n"):
            with qtbot.waitSignal(view.text_shown):
                view.append_text(MessageId(2), text, TextKind.ANSWER)
        assert view.message_text(MessageId(2)).count("Some words\ndef x") == number + 1
        view.apply_theme(make_theme(colors))
    assert view.message_text(MessageId(2)).count("Some words\ndef x") == 2


def test_a_chat_read_at_its_end_stays_there(view: TranscriptView) -> None:
    view.set_messages(conversation(60))
    view.apply_theme(make_theme(text_scale=1.6))
    assert view.verticalScrollBar().value() == view.verticalScrollBar().maximum()
