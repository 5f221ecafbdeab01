"""Input that is too much: pastes of megabytes, messages and chats longer than the context."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtTest import QTest

from desktop.state.engine_state import Loading, NoModel
from runtime.engine.scripted_engine import Script
from tests.desktop.window.opened_window import QUICK, Home, OpenedWindow, until

SHORT_CONTEXT = Script(context_tokens=100, prefill_tokens_per_second=1e6, decode_tokens_per_second=2000)
LONG_CONTEXT = Script(context_tokens=100_000, prefill_tokens_per_second=1e7, decode_tokens_per_second=2000)
FIVE_MEGABYTES = "word " * 1_000_000


def paste(window: OpenedWindow, text: str) -> None:
    """Press the keys that paste."""
    QGuiApplication.clipboard().setText(text)
    QTest.keySequence(window.composer, "Ctrl+V")


async def test_five_megabytes_are_refused_before_anything_is_sent(home: Home) -> None:
    async with home.open_scripted(LONG_CONTEXT) as window:
        paste(window, FIVE_MEGABYTES)
        assert window.composer.toPlainText() == ""
        assert window.text_of("pasteLabel") == "Pasted text, 5.0 MB"
        window.press(Qt.Key.Key_Return)
        await until(lambda: window.states.chat.busy, "counting")
        window.write("and this?")
        await until(lambda: window.text_of("composerNotice"), "why it is not sent")
        assert "take 1,000,001 tokens; this context holds 100,000" in window.text_of("composerNotice")
        assert "Nothing was sent." in window.text_of("composerNotice")
        assert window.composer.toPlainText() == "and this?"  # What was typed meanwhile got through.
        assert window.text_of("pasteLabel") == "Pasted text, 5.0 MB"
        assert window.path == ()
        assert window.states.chats.chats == ()
        window.click("removePasteButton")
        window.press(Qt.Key.Key_Return)
        await window.idle()
        assert window.texts == ["and this?", "Hello there!"]


async def test_what_cannot_fit_at_all_is_refused_without_being_counted(home: Home) -> None:
    async with home.open_scripted(QUICK) as window:
        paste(window, FIVE_MEGABYTES)
        window.press(Qt.Key.Key_Return)
        await until(lambda: window.text_of("composerNotice"), "why it is not sent")
        assert "take more than 9,765 tokens; this context holds 4,096" in window.text_of("composerNotice")


async def test_counting_five_megabytes_can_be_stopped(home: Home) -> None:
    async with home.open_scripted(LONG_CONTEXT) as window:
        paste(window, FIVE_MEGABYTES)
        window.press(Qt.Key.Key_Return)
        await until(lambda: window.states.chat.busy, "counting")
        window.press(Qt.Key.Key_Escape)
        await window.idle()
        assert not window.text_of("composerNotice")
        assert window.text_of("pasteLabel") == "Pasted text, 5.0 MB"
        assert window.path == ()


async def test_a_long_text_is_counted_before_it_is_stored_even_while_the_model_is_loading(home: Home) -> None:
    home.use_script(Script(load_s=0.5))
    async with home.open(waits=False) as window:
        await until(lambda: isinstance(window.status, Loading | NoModel), "loading")
        paste(window, FIVE_MEGABYTES)
        window.press(Qt.Key.Key_Return)
        await until(lambda: window.text_of("composerNotice"), "why it is not sent")
        assert window.path == ()


async def test_two_long_pastes_are_both_kept_with_what_was_typed(home: Home) -> None:
    async with home.open_scripted(LONG_CONTEXT) as window:
        window.write("Compare:")
        paste(window, "first " * 5000)
        paste(window, "second " * 5000)
        window.press(Qt.Key.Key_Return)
        await window.idle()
        words = window.path[0].text.split()
        assert words == ["Compare:", *["first"] * 5000, *["second"] * 5000]


async def test_a_message_longer_than_the_context_says_by_how_much(home: Home) -> None:
    async with home.open_scripted(SHORT_CONTEXT) as window:
        text = "word " * 120
        window.composer.insertPlainText(text)
        window.press(Qt.Key.Key_Return)
        await window.idle()
        assert "121 tokens; this context holds 100" in window.text_of("composerNotice")
        assert window.composer.toPlainText() == text
        assert window.path == ()


async def test_a_chat_that_has_grown_too_long_says_so_and_goes_on_in_a_new_one(home: Home) -> None:
    async with home.open_scripted(SHORT_CONTEXT) as window:
        await window.ask("word " * 60)
        window.composer.insertPlainText("word " * 60)
        window.press(Qt.Key.Key_Return)
        await window.idle()
        assert "start a new chat" in window.text_of("composerNotice")
        assert len(window.path) == 2
        window.click("newChatButton")
        assert not window.text_of("composerNotice")
        window.composer.insertPlainText("word " * 60)
        window.press(Qt.Key.Key_Return)
        await window.idle()
        assert window.texts[1] == "Hello there!"
