"""Versions of messages: asked for again, edited, continued, walked through, deleted and brought back."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication

from runtime.engine.scripted_engine import Script
from runtime.values.chat import MessageState
from tests.desktop.window.opened_window import QUICK, SLOW, Home, until

REPLIES = Script(
    replies=(("First ", "answer"), ("Second ", "answer"), ("Third ", "answer")),
    prefill_tokens_per_second=1e6,
    decode_tokens_per_second=2000,
)


async def test_regenerating_adds_a_version_and_the_arrows_walk_between_them(home: Home) -> None:
    async with home.open_scripted(REPLIES) as window:
        await window.ask("Why?")
        await window.beside(-1, "regenerateButton")
        await window.idle()
        assert window.texts == ["Why?", "Second answer"]
        assert len(window.path[-1].sibling_ids) == 2
        await window.beside(-1, "previousVersionButton")
        await window.idle()
        assert window.texts == ["Why?", "First answer"]
        await until(lambda: window.text_of("versionLabel") == "1/2", "number of the version")
        await window.beside(-1, "nextVersionButton")
        await window.idle()
        assert window.texts == ["Why?", "Second answer"]
        assert window.find_control("nextVersionButton").isEnabled() is False


async def test_an_edited_message_begins_another_branch(home: Home) -> None:
    async with home.open_scripted(REPLIES) as window:
        await window.ask("Why?")
        window.write("half a thought")
        await window.beside(0, "editMessageButton")
        assert window.composer.toPlainText() == "Why?"
        assert window.text_of("editLabel")
        window.write(" not")
        window.press(Qt.Key.Key_Return)
        await window.idle()
        assert window.texts == ["Why? not", "Second answer"]
        assert window.composer.toPlainText() == "half a thought"
        assert not window.text_of("editLabel")
        await window.beside(0, "previousVersionButton")
        await window.idle()
        assert window.texts == ["Why?", "First answer"]


async def test_escape_gives_an_edit_up_and_what_was_written_before_is_back(home: Home) -> None:
    async with home.open_scripted(REPLIES) as window:
        await window.ask("Why?")
        window.write("half a thought")
        await window.beside(0, "editMessageButton")
        window.press(Qt.Key.Key_Escape)
        await window.idle()
        assert window.composer.toPlainText() == "half a thought"
        assert window.texts == ["Why?", "First answer"]


async def test_a_stopped_reply_goes_on_after_its_last_character(home: Home) -> None:
    async with home.open_scripted(SLOW) as window:
        window.write("Count")
        window.press(Qt.Key.Key_Return)
        await window.streaming()
        window.press(Qt.Key.Key_Escape)
        await window.idle()
        beginning = window.path[-1].text
        await window.beside(-1, "continueButton")
        await window.streaming(len(beginning) + 20)
        assert window.texts[-1].startswith(beginning.strip())
        window.press(Qt.Key.Key_Escape)
        await window.idle()
        reply = window.path[-1]
        assert reply.state is MessageState.STOPPED
        assert reply.text.startswith(beginning)
        assert reply.sibling_ids == (reply.id,)
        assert len(reply.text) > len(beginning)


async def test_a_message_is_copied_as_it_was_written(home: Home) -> None:
    script = Script(
        replies=(("**bold** ", "and `code`"),), prefill_tokens_per_second=1e6, decode_tokens_per_second=2000
    )
    async with home.open_scripted(script) as window:
        await window.ask("Format")
        await window.beside(-1, "copyMessageButton")
        assert QGuiApplication.clipboard().text() == "**bold** and `code`"


async def test_a_deleted_message_can_be_brought_back(home: Home) -> None:
    async with home.open_scripted(QUICK) as window:
        await window.ask("One")
        await window.ask("Two")
        before = window.texts
        await window.beside(2, "deleteMessageButton")
        await until(lambda: window.notice, "offer to undo")
        assert window.texts == ["One", "Hello there!"]
        window.click("noticeActionButton")
        await window.idle()
        assert window.texts == before
        assert not window.notice


async def test_nothing_but_stop_is_done_to_a_chat_in_which_a_reply_is_written(home: Home) -> None:
    async with home.open_scripted(SLOW) as window:
        window.write("Count")
        window.press(Qt.Key.Key_Return)
        await window.streaming()
        await window.beside(0, "deleteMessageButton")
        await until(lambda: window.notice, "why it is not deleted")
        assert "stop it" in window.notice
        assert len(window.path) == 2
        window.click("stopButton")
        await window.idle()
