"""The model is asked while the question is still being stored: the first token does not wait for the disk."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from PySide6.QtCore import Qt

from runtime.client.base import Reply
from runtime.client.worker_client import WorkerReply
from runtime.store.opening import OpenedStore
from runtime.values.chat import MessageState
from runtime.values.generation import GenerateRequest
from tests.desktop.window.opened_window import PATIENCE_S, QUICK, SLOW, Home, OpenedWindow, until
from tests.desktop.window.small_disk import mounted_disk


@contextmanager
def busy_disk(window: OpenedWindow) -> Iterator[None]:
    """Hold up everything that is to be stored."""
    free = threading.Event()

    def hold_up(_: OpenedStore) -> None:
        free.wait(PATIENCE_S)

    window.states.tasks.start(window.states.storage.run(hold_up), "hold up")
    try:
        yield
    finally:
        free.set()


def note_replies(window: OpenedWindow, patch: pytest.MonkeyPatch) -> list[Reply]:
    """Return the list to which every reply is added that the worker begins from now on."""
    engine, begun = window.states.engine, list[Reply]()
    generate = engine.generate

    async def noted(request: GenerateRequest) -> Reply:
        begun.append(await generate(request))
        return begun[-1]

    patch.setattr(engine, "generate", noted)
    return begun


async def test_the_model_answers_while_the_question_is_stored(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    async with home.open_scripted(QUICK) as window:
        begun = note_replies(window, monkeypatch)
        with busy_disk(window):
            window.write("One")
            window.press(Qt.Key.Key_Return)
            await until(lambda: [one for one in begun if isinstance(one, WorkerReply) and one.ended], "whole reply")
            assert not window.path
            assert window.composer.toPlainText() == "One"
        await window.idle()
        assert window.texts == ["One", "Hello there!"]
        assert len(begun) == 1
        assert window.path[-1].state is MessageState.COMPLETE
        await until(lambda: window.desktop.metrics.figures.first_paint_ms, "first paint")


async def test_stop_while_the_question_is_stored_ends_the_reply(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    async with home.open_scripted(SLOW) as window:
        begun = note_replies(window, monkeypatch)
        with busy_disk(window):
            window.write("Count")
            window.press(Qt.Key.Key_Return)
            await until(lambda: begun, "reply")
            window.press(Qt.Key.Key_Escape)
        await window.idle()
        assert [message.state for message in window.path] == [MessageState.COMPLETE, MessageState.STOPPED]
        assert window.texts[0] == "Count"


async def test_a_reply_to_what_cannot_be_stored_is_given_up(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    text = "A long thought " * 1000
    with mounted_disk(home.paths.data) as disk:
        async with home.open_scripted(SLOW) as window:
            begun = note_replies(window, monkeypatch)
            disk.fill()
            window.composer.insertPlainText(text)
            window.press(Qt.Key.Key_Return)
            await until(lambda: begun and isinstance(begun[0], WorkerReply) and begun[0].ended, "end of the reply")
            await window.idle()
            assert window.composer.toPlainText() == text
            assert window.path == ()
            disk.free()
