"""What is kept of the chats, as the window knows and shows it."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QDialog

from runtime.engine.scripted_engine import Script
from tests.desktop.window.opened_window import Home, OpenedWindow, until

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
