"""What a window leaves behind is there when the next one opens: drafts, the last chat, where everything stood."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QSplitter

from runtime.values.chat import MessageState
from tests.desktop.window.opened_window import QUICK, SLOW, Home, until
from tests.desktop.window.sidebar import Sidebar


async def test_each_chat_keeps_what_was_not_sent_in_it(home: Home) -> None:
    async with home.open_scripted() as window:
        await window.ask("About bees")
        window.write("half about bees")
        window.click("newChatButton")
        assert window.composer.toPlainText() == ""
        await window.ask("About moss")
        window.write("half about moss")
        await Sidebar(window).click("About bees")
        assert window.composer.toPlainText() == "half about bees"
        await Sidebar(window).click("About moss")
        assert window.composer.toPlainText() == "half about moss"
        window.click("newChatButton")
        window.write("half about nothing yet")
        await Sidebar(window).click("About bees")
        window.click("newChatButton")
        assert window.composer.toPlainText() == "half about nothing yet"
    async with home.open() as window:
        assert window.composer.toPlainText() == "half about nothing yet"
        await Sidebar(window).click("About bees")
        assert window.composer.toPlainText() == "half about bees"
        await Sidebar(window).click("About moss")
        assert window.composer.toPlainText() == "half about moss"


async def test_what_is_sent_in_a_new_chat_is_no_draft_of_the_next(home: Home) -> None:
    async with home.open_scripted(QUICK) as window:
        window.write("A long thought")
        await until(lambda: window.states.chat.new_draft, "kept draft")
        window.press(Qt.Key.Key_Return)
        await window.idle()
        window.click("newChatButton")
        await window.idle()
        assert window.composer.toPlainText() == ""
        assert window.states.preferences.memory.new_draft == ""


async def test_what_is_written_in_a_new_chat_stays_in_it_when_it_is_stored(home: Home) -> None:
    async with home.open_scripted(QUICK) as window:
        window.write("A long thought")
        await until(lambda: window.states.chat.new_draft, "kept draft")
        await window.states.chat.change(lambda opened, chat: opened.store.chats.set_system_prompt(chat, "Be brief."))
        stored = window.states.chat.chat
        assert stored is not None
        window.click("newChatButton")
        await window.idle()
        assert window.composer.toPlainText() == ""
        await window.states.chat.open(stored.id)
        assert window.composer.toPlainText() == "A long thought"


async def test_a_draft_goes_when_it_is_sent(home: Home) -> None:
    async with home.open_scripted() as window:
        await window.ask("About bees")
    async with home.open() as window:
        assert window.texts == ["About bees", "Hello there!"]
        assert window.composer.toPlainText() == ""


async def test_the_last_chat_and_the_place_of_everything_are_back(home: Home) -> None:
    async with home.open_scripted() as window:
        await window.ask("About bees")
        window.click("newChatButton")
        await window.ask("About moss")
        await Sidebar(window).click("About bees")
        window.click("metricsButton")
        window.widget.resize(780, 640)  # The screen here is 800 pixels wide.
        sidebar, before = window.find_control("sidebar"), window.find_control("sidebar").width()
        window.find(QSplitter, "mainSplitter").moveSplitter(before + 40, 1)
        await until(lambda: sidebar.width() > before, "wider sidebar")
        wider = sidebar.width()
    async with home.open() as window:
        assert window.texts == ["About bees", "Hello there!"]
        assert Sidebar(window).current == "About bees"
        assert (window.widget.width(), window.widget.height()) == (780, 640)
        assert not window.find_control("metricsPanel").isVisible()
        assert window.find_control("sidebar").width() == wider
        window.click("metricsButton")
        assert window.find_control("metricsPanel").isVisible()


async def test_a_window_that_is_closed_at_once_forgets_nothing(home: Home) -> None:
    async with home.open_scripted() as window:
        await window.ask("About bees")
        window.write("half about bees")
    async with home.open(waits=False):
        pass
    async with home.open() as window:
        assert window.texts == ["About bees", "Hello there!"]
        assert window.composer.toPlainText() == "half about bees"


async def test_closing_stops_the_reply_and_keeps_it(home: Home) -> None:
    async with home.open_scripted(SLOW) as window:
        window.write("Count")
        window.click("sendButton")
        await window.streaming()
    async with home.open() as window:
        assert window.texts[1].startswith("word0 word1 ")
        assert window.path[1].state is MessageState.STOPPED
