"""Both real engines, in the window: no chat is read twice, and where one had to be, the window says why."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import pytest
from PySide6.QtCore import Qt

from runtime.values.chat import MessageState
from runtime.values.generation import GenerationStats
from runtime.values.kv_cache import CacheOrigin
from runtime.values.model import EngineName
from runtime.values.prompt import Role
from tests.desktop.window.opened_window import Home, OpenedWindow, until
from tests.desktop.window.test_kv_caches import explained, warmth_of
from tests.runtime.client.real_models import write_model

LONG = "What is the time to first token? " * 40
"""So long that it is kept on disk."""
HERE = pytest.mark.skipif(find_spec("mlx_lm") is None, reason="no MLX here")
ENGINES = [
    pytest.param(EngineName.LLAMACPP, id="llama.cpp"),
    pytest.param(EngineName.MLX, id="MLX", marks=HERE),
]


async def answered(window: OpenedWindow, text: str) -> GenerationStats:
    """Send a message and stop the reply after a few words: on a CPU, MLX writes slowly."""
    before = len(window.path)
    window.composer.insertPlainText(text)
    window.press(Qt.Key.Key_Return)
    await until(lambda: len(window.path) == before + 2, "the message and the reply to it")
    return await stopped(window)


async def stopped(window: OpenedWindow) -> GenerationStats:
    """Stop the reply under way when there is a little of it, unless it has ended by itself, and return its figures."""

    def has_begun() -> bool:
        reply = window.path[-1]
        return reply.state is not MessageState.STREAMING or len(window.texts[-1].strip()) >= 8

    await until(has_begun, "some of the reply")
    window.press(Qt.Key.Key_Escape)
    await window.idle("end of the reply")
    stats = window.path[-1].stats
    assert stats is not None
    return stats


@pytest.mark.parametrize("engine", ENGINES)
async def test_a_chat_with_the_demo_model_is_read_once_and_an_edit_is_told(home: Home, engine: EngineName) -> None:
    home.use(engine, "demo")
    async with home.open() as window:
        first = await answered(window, "What is decode?")
        second = await answered(window, "And the cache?")
        assert (first.cached_tokens, first.prefix_break) == (0, None)
        assert second.cached_tokens >= first.prompt_tokens - 1
        assert second.cache_origin is CacheOrigin.MEMORY
        assert window.message_view(-1).figures.endswith(f"{second.cached_tokens:,} cached")
        title = window.states.chats.chats[0].title
        await until(lambda: warmth_of(window, title).startswith("Warm in memory"), "a warm chat")

        await window.beside(2, "editMessageButton")
        window.composer.selectAll()
        window.write("What is prefill?")
        window.press(Qt.Key.Key_Return)
        await until(lambda: len(window.path) == 4 and window.path[2].text == "What is prefill?", "the edited message")
        edited = await stopped(window)
        found = edited.prefix_break
        assert found is not None
        assert (found.role, found.message_index, found.messages_after) == (Role.USER, 2, 0)
        assert first.prompt_tokens - 1 <= edited.cached_tokens <= found.token_index
        assert "From “What is prefill?” on" in (await explained(window))["waitMissed"]


@pytest.mark.parametrize("engine", ENGINES)
async def test_a_long_chat_goes_on_from_disk_after_a_restart(home: Home, tmp_path: Path, engine: EngineName) -> None:
    home.use(engine, str(write_model(tmp_path, engine)))
    async with home.open() as window:
        first = await answered(window, LONG)
        title = window.states.chats.chats[0].title
        await until(lambda: window.states.caches.stored, "the chat on disk")
        assert warmth_of(window, title).startswith("Warm in memory")
    async with home.open() as window:
        await until(lambda: warmth_of(window, title).startswith("On disk"), "a chat on disk")
        await until(lambda: len(window.path) == 2, "the chat of before")
        resumed = await answered(window, "Go on.")
        assert resumed.cache_origin is CacheOrigin.DISK
        assert resumed.cached_tokens >= first.prompt_tokens - 1
        assert "(on disk)" in (await explained(window))["waitPrompt"]
        await until(lambda: warmth_of(window, title).startswith("Warm in memory"), "a chat that is warm again")
