"""What is kept of the chats, as the window knows and shows it."""

from __future__ import annotations

from runtime.engine.scripted_engine import Script
from tests.desktop.window.opened_window import Home

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
