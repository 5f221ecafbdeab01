"""Sending and stopping: by key and by button, and what is never sent."""

from __future__ import annotations

import pytest
from PySide6.QtCore import Qt

from runtime.values.chat import MessageState
from runtime.values.prompt import Role
from tests.desktop.window.opened_window import SLOW, Home, until


async def test_enter_sends_and_the_reply_is_shown(home: Home) -> None:
    async with home.open_scripted() as window:
        reply = await window.ask("What is a token?")
        assert [message.role for message in window.path] == [Role.USER, Role.ASSISTANT]
        assert window.texts == ["What is a token?", "Hello there!"]
        assert reply.state is MessageState.COMPLETE
        assert window.composer.toPlainText() == ""


async def test_the_button_sends(home: Home) -> None:
    async with home.open_scripted() as window:
        window.write("What is a token?")
        window.click("sendButton")
        await window.idle()
        assert window.texts == ["What is a token?", "Hello there!"]


async def test_shift_and_enter_begin_a_new_line(home: Home) -> None:
    async with home.open_scripted() as window:
        window.write("one")
        window.press(Qt.Key.Key_Return, Qt.KeyboardModifier.ShiftModifier)
        window.write("two")
        assert window.path == ()
        assert window.composer.toPlainText() == "one\ntwo"


@pytest.mark.parametrize("text", ["", "   ", "\n\n", " \u00a0\t\n "])
async def test_white_space_is_not_sent(home: Home, text: str) -> None:
    async with home.open_scripted() as window:
        window.composer.insertPlainText(text)
        assert not window.send_button.isEnabled()
        window.press(Qt.Key.Key_Return)
        await window.idle()
        assert window.path == ()
        assert window.states.chats.chats == ()


async def test_enter_pressed_twice_sends_once(home: Home) -> None:
    async with home.open_scripted() as window:
        window.write("What is a token?")
        window.press(Qt.Key.Key_Return)
        window.press(Qt.Key.Key_Return)
        await window.idle()
        assert window.texts == ["What is a token?", "Hello there!"]


@pytest.mark.parametrize("by_key", [True, False])
async def test_what_there_is_of_a_stopped_reply_stays(home: Home, by_key: bool) -> None:
    async with home.open_scripted(SLOW) as window:
        window.write("Go on for ever")
        window.press(Qt.Key.Key_Return)
        await window.streaming()
        if by_key:
            window.press(Qt.Key.Key_Escape)
        else:
            window.click("stopButton")
        await window.idle()
        reply = window.path[-1]
        assert reply.state is MessageState.STOPPED
        assert reply.text.startswith("word0 word1 ")
        assert window.texts[-1].split() == reply.text.split()
        assert window.send_button.isVisible()
    async with home.open() as window:
        await until(lambda: window.path, "the chat of before")
        assert window.path[-1].text == reply.text
