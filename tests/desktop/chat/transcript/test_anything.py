"""Anything a person can do to the transcript, in any order, while a reply comes in."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest
from PySide6.QtCore import QEvent, QPoint, Qt, QTimer
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QScrollBar
from pytestqt.qtbot import QtBot

from desktop.chat.transcript.message_view import MessageView
from desktop.chat.transcript.transcript_view import TranscriptView
from desktop.theme.colors import DARK, LIGHT
from desktop.theme.theme import Theme
from runtime.values.chat import MessageId, MessageState
from runtime.values.generation import TextKind
from tests.desktop.chat.transcript.messages import EVERYTHING, conversation, reply, streaming, user
from tests.desktop.chat.transcript.screen import differing_lines, painted_anew, shown
from tests.desktop.looks import make_theme

STEPS = 120
SHIFT, ALT = Qt.KeyboardModifier.ShiftModifier, Qt.KeyboardModifier.AltModifier
KEYS = (Qt.Key.Key_Up, Qt.Key.Key_Down, Qt.Key.Key_Home, Qt.Key.Key_End, Qt.Key.Key_PageUp, Qt.Key.Key_Escape)
BAR_ACTIONS = (
    QScrollBar.SliderAction.SliderSingleStepSub,
    QScrollBar.SliderAction.SliderPageStepSub,
    QScrollBar.SliderAction.SliderPageStepAdd,
    QScrollBar.SliderAction.SliderToMinimum,
    QScrollBar.SliderAction.SliderToMaximum,
)


class Person:
    """Does one thing after the other."""

    def __init__(self, view: TranscriptView, chance: random.Random) -> None:
        self.view = view
        self.chance = chance
        self.messages: list[MessageView] = conversation(6)
        self.streaming_id: MessageId | None = None
        self.next_id = 1000
        self.streamed = ""
        view.set_messages(self.messages)

    def act(self) -> None:
        """Do something."""
        often = (self.scroll, self.press_key, self.drag, self.hover)
        rarely = (self.fold, self.resize, self.dress, self.find, self.begin, self.end, self.change_messages)
        actions: tuple[Callable[[], None], ...] = (*(self.stream,) * 6, *often * 2, *rarely, self.select_all)
        self.chance.choice(actions)()

    def begin(self) -> None:
        """Begin a reply."""
        if self.streaming_id is None:
            self.streaming_id, self.streamed = MessageId(self.next_id), ""
            self.view.add_message(streaming(self.next_id, status="Reading"))
            self.next_id += 1

    def stream(self) -> None:
        """Take more of it."""
        self.begin()
        start = self.chance.randrange(len(EVERYTHING))
        text = EVERYTHING[start : start + self.chance.randint(1, 300)]
        kind = TextKind.REASONING if self.chance.random() < 0.2 else TextKind.ANSWER
        self.streamed += text if kind is TextKind.ANSWER else ""
        assert self.streaming_id is not None
        self.view.append_text(self.streaming_id, text, kind)

    def end(self) -> None:
        """End it."""
        if self.streaming_id is not None:
            state = self.chance.choice((MessageState.COMPLETE, MessageState.FAILED))
            finished = reply(self.streaming_id, self.streamed, state=state, figures="1 ms", notice="It ended.")
            self.view.update_message(finished)
            self.messages.append(finished)
            self.streaming_id = None

    def change_messages(self) -> None:
        """Go back in the chat, and on with another message."""
        self.end()
        if self.chance.random() < 0.5:
            del self.messages[self.chance.randrange(len(self.messages)) :]
        self.messages.append(user(self.next_id, "New\n" * self.chance.randint(1, 60)))
        self.next_id += 1
        self.view.set_messages(self.messages)

    def scroll(self) -> None:
        """Move the scroll bar."""
        self.view.verticalScrollBar().triggerAction(self.chance.choice(BAR_ACTIONS))

    def press_key(self) -> None:
        """Press a key."""
        modifier = self.chance.choice((SHIFT, ALT, Qt.KeyboardModifier.NoModifier))
        QTest.keyClick(self.view, self.chance.choice(KEYS), modifier)

    def point(self) -> QPoint:
        """Return any point."""
        area = self.view.viewport().rect()
        return QPoint(self.chance.randrange(area.width()), self.chance.randrange(area.height()))

    def drag(self) -> None:
        """Select something and copy it."""
        QTest.mousePress(self.view.viewport(), Qt.MouseButton.LeftButton, pos=self.point())
        QTest.mouseMove(self.view.viewport(), self.point())
        QTest.mouseRelease(self.view.viewport(), Qt.MouseButton.LeftButton, pos=self.point())
        self.copy()

    def hover(self) -> None:
        """Move the pointer."""
        if self.chance.random() < 0.3:
            QApplication.sendEvent(self.view, QEvent(QEvent.Type.Leave))
        else:
            QTest.mouseMove(self.view.viewport(), self.point())

    def fold(self) -> None:
        """Fold or unfold some reasoning."""
        index = self.chance.randrange(len(self.view.message_ids()))
        if self.view.messages.items[index].reasoning():
            self.view.fold_reasoning(index)

    def resize(self) -> None:
        """Resize the window."""
        self.view.resize(self.chance.randint(300, 1000), self.chance.randint(200, 700))

    def dress(self) -> None:
        """Choose other looks."""
        scale = self.chance.choice((0.8, 1.0, 1.5))
        theme = make_theme(self.chance.choice((DARK, LIGHT)), text_scale=scale)
        self.view.apply_theme(Theme(theme.colors, theme.fonts, theme.icons, reduced_motion=True))

    def find(self) -> None:
        """Look for something, or stop."""
        if self.chance.random() < 0.5:
            self.view.show_hit(self.chance.choice(self.view.message_ids()), self.chance.choice(("words", "x", "a")))
        else:
            self.view.close_find()

    def select_all(self) -> None:
        """Select and copy everything."""
        self.view.select_all()
        self.copy()

    def copy(self) -> None:
        """Copy what is selected, and select nothing: Qt paints selected line ends of growing text now so, now so."""
        QApplication.processEvents()
        self.view.copy_selection()
        self.view.copy_selection_as_markdown()
        QTest.keyClick(self.view, Qt.Key.Key_Escape)


@pytest.mark.parametrize("seed", range(6))
def test_the_screen_is_always_what_painting_anew_shows(view: TranscriptView, qtbot: QtBot, seed: int) -> None:
    person = Person(view, random.Random(seed))
    for step in range(STEPS):
        person.act()
        if step % 3 == 0:
            QApplication.processEvents()
        if step % 10 == 0:
            qtbot.waitUntil(lambda: not any(timer.isActive() for timer in view.findChildren(QTimer)))
            assert differing_lines(shown(view), painted_anew(view)) == [], step
    person.end()
    assert view.message_ids() == [message.id for message in person.messages]
