"""The sidebar: titles, pins, deletion with a way back, search, and chats side by side."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QLabel, QPlainTextEdit

from runtime.values.chat import MessageState
from tests.desktop.window.opened_window import QUICK, SLOW, Home, OpenedWindow, until
from tests.desktop.window.sidebar import Sidebar


async def chats_about(window: OpenedWindow, *subjects: str) -> Sidebar:
    """Begin a chat about each subject."""
    for subject in subjects:
        window.click("newChatButton")
        await window.ask(f"Tell me about {subject}")
    return Sidebar(window)


async def test_a_chat_is_listed_by_its_first_words_while_the_reply_is_still_written(home: Home) -> None:
    async with home.open_scripted(SLOW) as window:
        window.write("How do trees drink?")
        window.press(Qt.Key.Key_Return)
        await window.streaming()
        sidebar = Sidebar(window)
        await until(lambda: sidebar.titles == ["How do trees drink?"], "title in the list")
        assert sidebar.rows[0] == "Today"
        assert sidebar.current == "How do trees drink?"
        window.click("stopButton")
        await window.idle()


async def test_a_new_chat_is_empty_and_stored_with_its_first_message(home: Home) -> None:
    async with home.open_scripted() as window:
        sidebar = await chats_about(window, "bees")
        window.click("newChatButton")
        await window.idle()
        assert window.path == ()
        assert window.find_control("welcome").isVisible()
        assert sidebar.titles == ["Tell me about bees"]
        assert sidebar.current == ""
        await window.ask("Another one")
        assert sidebar.titles == ["Another one", "Tell me about bees"]


async def test_a_chat_is_opened_by_a_click_and_by_the_keyboard(home: Home) -> None:
    async with home.open_scripted() as window:
        sidebar = await chats_about(window, "bees", "moss")
        await sidebar.click("Tell me about bees")
        assert window.texts[0] == "Tell me about bees"
        assert sidebar.current == "Tell me about bees"
        window.press(Qt.Key.Key_Up, where=sidebar.list)
        window.press(Qt.Key.Key_Return, where=sidebar.list)
        await window.idle()
        assert window.texts[0] == "Tell me about moss"


async def test_a_title_that_was_given_stays(home: Home) -> None:
    async with home.open_scripted() as window:
        sidebar = await chats_about(window, "bees")
        await sidebar.rename_current("Insects")
        assert sidebar.titles == ["Insects"]
        await window.ask("And wasps?")
        assert sidebar.titles == ["Insects"]
        await sidebar.rename_current("   ")
        assert sidebar.titles == ["Insects"]
        assert "empty title" in window.notice


async def test_a_pinned_chat_stands_above_the_others(home: Home) -> None:
    async with home.open_scripted() as window:
        sidebar = await chats_about(window, "bees", "moss")
        await sidebar.choose("Tell me about bees", "pinChatAction")
        assert sidebar.rows == ["Pinned", "Tell me about bees", "Today", "Tell me about moss"]
        await sidebar.choose("Tell me about bees", "pinChatAction")
        assert sidebar.titles == ["Tell me about moss", "Tell me about bees"]


async def test_a_deleted_chat_comes_back_as_it_was(home: Home) -> None:
    async with home.open_scripted() as window:
        sidebar = await chats_about(window, "bees", "moss")
        await sidebar.click("Tell me about bees")
        window.press(Qt.Key.Key_Delete, where=sidebar.list)
        await until(lambda: window.notice, "offer to undo")
        await window.idle()
        assert sidebar.titles == ["Tell me about moss"]
        assert window.path == ()
        window.click("noticeActionButton")
        await window.idle()
        assert sorted(sidebar.titles) == ["Tell me about bees", "Tell me about moss"]
        assert window.texts == ["Tell me about bees", "Hello there!"]


async def test_search_shows_where_it_found_something_and_opens_it(home: Home) -> None:
    async with home.open_scripted() as window:
        sidebar = await chats_about(window, "bees", "moss", "the tides")
        await window.ask("And what of bees at the sea?")
        await window.beside(2, "editMessageButton")
        window.composer.selectAll()
        window.write("Something else")
        window.press(Qt.Key.Key_Return)
        await window.idle()
        await sidebar.look_for("bees sea")
        assert sidebar.rows == ["Messages", "Tell me about the tides: And what of bees at the sea?"]
        await sidebar.click(sidebar.titles[0])
        assert window.texts[2] == "And what of bees at the sea?"
        assert window.find(QLabel, "findCount").text().startswith("1 of")
        await sidebar.look_for("nothing like this")
        assert sidebar.rows == ["Nothing found"]
        await sidebar.look_for("")
        assert len(sidebar.titles) == 3


async def test_a_reply_goes_on_in_its_own_chat_while_another_is_read(home: Home) -> None:
    async with home.open_scripted(SLOW) as window:
        window.write("First chat")
        window.press(Qt.Key.Key_Return)
        await window.streaming()
        window.click("newChatButton")
        assert window.texts == []
        before = window.tokens
        await until(lambda: window.tokens > before + 20, "more tokens")
        sidebar = Sidebar(window)
        sidebar.list.clicked.emit(sidebar.list.model().index(1, 0))
        await until(lambda: window.texts, "the first chat")
        shown = window.texts[1].split()
        assert shown == [f"word{number}" for number in range(len(shown))]
        await window.streaming(len(window.texts[1]) + 50)
        window.click("stopButton")
        await window.idle()
        words = window.path[-1].text.split()
        assert words == [f"word{number}" for number in range(len(words))]
        assert window.texts[1].split() == words
        assert window.path[-1].state is MessageState.STOPPED


async def test_deleting_a_chat_stops_the_reply_in_it(home: Home) -> None:
    async with home.open_scripted(SLOW) as window:
        window.write("First chat")
        window.press(Qt.Key.Key_Return)
        await window.streaming()
        sidebar = Sidebar(window)
        await until(lambda: sidebar.titles, "the chat in the list")
        await sidebar.choose("First chat", "deleteChatAction")
        assert not window.states.chat.busy
        window.click("noticeActionButton")
        await window.idle()
        assert window.path[-1].state is MessageState.STOPPED


async def test_the_system_prompt_of_a_chat_is_told_to_the_model(home: Home) -> None:
    async with home.open_scripted(QUICK) as window:
        reply = await window.ask("one two three")
        assert reply.stats is not None
        assert reply.stats.prompt_tokens == 4  # the role counts as a token here
        window.click("newChatButton")
        window.click("chatSettingsButton")
        await window.idle()
        window.find(QPlainTextEdit, "systemPromptField").insertPlainText("Be brief.")
        window.click("saveChatSettingsButton")
        await window.idle()
        reply = await window.ask("one two three")
        assert reply.stats is not None
        assert reply.stats.prompt_tokens == 4 + 3
        window.click("chatSettingsButton")
        await window.idle()
        assert window.find(QPlainTextEdit, "systemPromptField").toPlainText() == "Be brief."
        window.click("cancelChatSettingsButton")
