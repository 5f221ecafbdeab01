"""Whatever a person does in whatever order, and however fast: nothing breaks, and what is shown is what is stored."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from contextlib import suppress

import psutil
import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QWidget

from runtime.engine.scripted_engine import Script
from runtime.values.chat import ChatId, ChatMessage, MessageState
from tests.desktop.window.opened_window import Home, OpenedWindow
from tests.desktop.window.sidebar import Sidebar

STEPS = 120
BUSY = Script(
    replies=tuple(tuple(f"{letter}{number} " for number in range(60)) for letter in "abcde"),
    prefill_tokens_per_second=1e5,
    decode_tokens_per_second=500,
)
BUTTONS = (
    "regenerateButton",
    "continueButton",
    "deleteMessageButton",
    "previousVersionButton",
    "nextVersionButton",
    "copyMessageButton",
    "editMessageButton",
    "retryButton",
    "noticeActionButton",
    "stopButton",
    "newChatButton",
)


class Person:
    """Does things at random, without waiting for any of them."""

    def __init__(self, window: OpenedWindow, seed: int) -> None:
        self._window = window
        self._random = random.Random(seed)
        self._sidebar = Sidebar(window)
        self._model = window.states.settings.settings.default_model

    def do_something(self) -> None:
        """Do one thing."""
        things: tuple[Callable[[], None], ...] = (self._send, self._send, self._press, self._press, self._open)
        self._random.choice((*things, self._escape, self._seldom))()

    def pause_s(self) -> float:
        """Return how long to wait until the next thing: mostly not at all, at times for most of a reply."""
        return self._random.choice((0.0, 0.0, 0.0, 0.005, 0.03, 0.1))

    def _send(self) -> None:
        self._window.write(f"question {self._random.randrange(100)}")
        self._window.press(Qt.Key.Key_Return)

    def _press(self) -> None:
        buttons = [
            button
            for name in BUTTONS
            for button in self._window.widget.findChildren(QWidget, name)
            if button.isVisible() and button.isEnabled()
        ]
        if buttons:
            QTest.mouseClick(self._random.choice(buttons), Qt.MouseButton.LeftButton)

    def _open(self) -> None:
        model = self._sidebar.list.model()
        if model.rowCount():
            self._sidebar.list.clicked.emit(model.index(self._random.randrange(model.rowCount()), 0))

    def _escape(self) -> None:
        self._window.press(Qt.Key.Key_Escape)

    def _seldom(self) -> None:
        things = (self._delete_chat, self._look_for_something, self._kill_worker, self._unload, self._load)
        self._random.choice(things)()

    def _delete_chat(self) -> None:
        self._window.press(Qt.Key.Key_Delete, where=self._sidebar.list)

    def _look_for_something(self) -> None:
        self._sidebar.search.setText(self._random.choice(("question", "a1", "nothing", "", "")))

    def _kill_worker(self) -> None:
        for worker in self._window.workers():
            with suppress(psutil.NoSuchProcess):
                worker.kill()

    def _unload(self) -> None:
        self._window.desktop.model_button.unload_requested.emit()

    def _load(self) -> None:
        self._window.desktop.model_button.load_requested.emit(self._model)


@pytest.mark.parametrize("seed", [1, 2, 3, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(4, 20))])
async def test_nothing_breaks_and_what_is_shown_is_stored(
    home: Home, seed: int, caplog: pytest.LogCaptureFixture
) -> None:
    async with home.open_scripted(BUSY) as window:
        person = Person(window, seed)
        for _ in range(STEPS):
            person.do_something()
            await asyncio.sleep(person.pause_s())
        window.states.chat.stop()
        await window.idle("end of everything")
        shown = window.states.chat.path
        stored = await stored_paths(window)
        chat = window.states.chat.chat
        assert shown == (stored[chat.id] if chat is not None else ())
        assert [(view.id, view.text) for view in window.shown_views()] == [(one.id, one.text) for one in shown]
        everything = [message for path in stored.values() for message in path]
        assert [message for message in everything if message.state is MessageState.STREAMING] == []
    assert [record.getMessage() for record in caplog.records if "bug" in record.getMessage()] == []


async def stored_paths(window: OpenedWindow) -> dict[ChatId, tuple[ChatMessage, ...]]:
    """Return the messages of every chat as they are in the database."""
    return await window.states.storage.run(
        lambda opened: {chat.id: opened.store.messages.current_path(chat.id) for chat in opened.store.chats.summaries()}
    )
