"""What is kept of the chats, as the window knows and shows it."""

from __future__ import annotations

import re

import msgspec
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QDialog, QListView, QTableView, QTabWidget

from runtime.engine.scripted_engine import Script
from tests.desktop.window.opened_window import Home, OpenedWindow, until
from tests.desktop.window.sidebar import Sidebar
from tests.runtime.kv_store.caches import content_of, store_in

REMEMBERS = Script(remembers_prompt=True, prefill_tokens_per_second=1e6, decode_tokens_per_second=2000)


async def test_what_is_kept_of_a_chat_is_labelled_with_its_key(home: Home) -> None:
    async with home.open_scripted(REMEMBERS) as window:
        uids = []
        for _ in range(2):
            window.click("newChatButton")
            await window.ask("one two three")
            await window.ask("four five")
            chat = window.states.chat.chat
            assert chat is not None
            uids.append(chat.uid)
            (kept,) = await window.states.engine.kept_caches()
            assert kept.conversation == chat.uid
        assert uids[0] != uids[1]


async def edit(window: OpenedWindow, number: int, text: str) -> None:
    """Write other words in place of a message of the user's, and wait for the reply."""
    await window.beside(number, "editMessageButton")
    window.composer.selectAll()
    window.write(text)
    window.press(Qt.Key.Key_Return)
    await window.idle("reply to the edited message")


async def explained(window: OpenedWindow, number: int = -1) -> dict[str, str]:
    """Ask why a reply was slow; return what the dialog says, and close it."""
    await window.beside(number, "explainWaitButton")
    dialog = window.find(QDialog, "waitDialog")
    await until(dialog.isVisible, "the explanation")
    said = {name: window.text_of(name) for name in ("waitHeadline", "waitCause", "waitPrompt", "waitMissed")}
    said["parts"] = window.find_control("waitWaterfall").accessibleDescription()
    said["waitAdvice"] = window.text_of("waitAdvice")
    window.click("waitCloseButton")
    await until(lambda: not window.widget.findChildren(QDialog, "waitDialog"), "end of the dialog")
    return said


async def test_why_a_reply_was_slow_is_told_also_after_a_restart(home: Home) -> None:
    async with home.open_scripted(REMEMBERS) as window:
        await window.ask("one two three")
        assert "first message" in (await explained(window))["waitAdvice"]
        await window.ask("four five six")
        assert window.message_view(-1).figures.endswith("cached")
        went_on = await explained(window)
        assert went_on["waitMissed"] == ""
        await edit(window, 2, "four nine")
        shown = await explained(window)
        assert shown["waitHeadline"].startswith("The first token came after ")
        assert shown["waitCause"].startswith("Most of the wait: ")
        assert "First token" in shown["parts"]
        assert "(in memory)" in shown["waitPrompt"]
        assert "is “n”; kept was “f”. From “four nine” on" in shown["waitMissed"]
        assert "was edited" in shown["waitAdvice"]
    async with home.open() as window:
        await until(lambda: len(window.path) == 4, "the chat of before")
        assert await explained(window) == shown


def warmth_of(window: OpenedWindow, title: str) -> str:
    """Return what the list of chats says of a chat to a screen reader, beside its title."""
    list_view = window.find(QListView, "chatList")
    model = list_view.model()
    (index,) = [model.index(row, 0) for row in range(model.rowCount()) if model.index(row, 0).data() == title]
    read_out = str(index.data(Qt.ItemDataRole.AccessibleTextRole))
    assert str(index.data(Qt.ItemDataRole.ToolTipRole)).splitlines() == [
        title,
        *filter(None, [read_out[len(title) + 2 :]]),
    ]
    return read_out[len(title) + 2 :]


LONG = " ".join(f"word{number}" for number in range(200))
READS = Script(remembers_prompt=True, prefill_tokens_per_second=2000, decode_tokens_per_second=2000)


async def test_a_badge_says_how_warm_a_chat_is_and_what_a_reply_would_wait_for(home: Home) -> None:
    async with home.open_scripted(READS) as window:
        await window.ask(LONG)
        title = window.states.chats.chats[0].title
        await until(lambda: warmth_of(window, title) == "Warm in memory: the next reply begins at once", "warm chat")
        window.click("newChatButton")
        await window.ask("another chat")
        await until(lambda: warmth_of(window, title).startswith("Cold: "), "cold chat")
        assert re.fullmatch(
            r"Cold: the next reply begins after about \d+ ms, for 20\d tokens to read", warmth_of(window, title)
        )
        assert warmth_of(window, "another chat").startswith("Warm in memory")
        window.choose("unloadModelAction")
        await until(lambda: warmth_of(window, "another chat") == "", "nothing to say without a model")


async def test_what_is_on_disk_of_a_deleted_chat_goes_when_it_cannot_come_back(home: Home) -> None:
    async with home.open_scripted(REMEMBERS) as window:
        await window.ask("one two three")
        chat = window.states.chat.chat
        assert chat is not None
        caches = window.states.caches
        store = store_in(home.paths.kv_caches)
        store.write(msgspec.structs.replace(content_of((1, 2, 3)), conversation=chat.uid))
        store.write(msgspec.structs.replace(content_of((4, 5, 6)), conversation="of the command line"))
        await until(lambda: {one.conversation for one in caches.stored} == {chat.uid, "of the command line"}, "both")
        await until(lambda: caches.kept, "what is in memory")
        await Sidebar(window).choose(chat.title, "deleteChatAction")
        window.click("noticeActionButton")
        await window.idle("the chat is back")
        await caches.refresh()
        assert {one.conversation for one in caches.stored} == {chat.uid, "of the command line"}
        await Sidebar(window).choose(chat.title, "deleteChatAction")
        await caches.refresh()
        assert len(caches.stored) == 2
        window.click("noticeCloseButton")
        await until(lambda: not caches.kept, "memory without the deleted chat")
        await until(lambda: [one.conversation for one in caches.stored] == ["of the command line"], "disk without it")
        assert [entry.record.conversation for entry in store.entries()] == ["of the command line"]


async def test_what_is_left_of_a_chat_that_was_deleted_before_the_end_goes_at_the_next_start(home: Home) -> None:
    async with home.open_scripted(REMEMBERS) as window:
        await window.ask("one two three")
        chat = window.states.chat.chat
        assert chat is not None
        store_in(home.paths.kv_caches).write(msgspec.structs.replace(content_of((1, 2, 3)), conversation=chat.uid))
        await Sidebar(window).choose(chat.title, "deleteChatAction")
    async with home.open() as window:
        await until(lambda: not store_in(home.paths.kv_caches).entries(), "an empty folder")


async def test_the_settings_list_what_is_in_memory_and_have_the_worker_forget_it(home: Home) -> None:
    async with home.open_scripted(REMEMBERS) as window:
        await window.ask("one two three")
        title = window.states.chats.chats[0].title
        window.choose("settingsAction")
        window.find(QTabWidget, "settingsTabs").setCurrentIndex(3)
        table = window.find(QTableView, "cacheTable")
        model = table.model()
        await until(lambda: model.rowCount() == 1, "the chat in the list")
        chat, by, memory, disk = (str(model.index(0, column).data()) for column in range(4))
        assert (chat, by, disk) == (title, "scripted", "–")
        assert memory.endswith(" kB")
        table.selectRow(0)
        window.click("forgetCachesButton")
        await until(lambda: not table.isVisible(), "an empty list")
        assert await window.states.engine.kept_caches() == ()
        await until(lambda: warmth_of(window, title).startswith("Cold"), "a cold chat")
        window.click("closeSettingsButton")
