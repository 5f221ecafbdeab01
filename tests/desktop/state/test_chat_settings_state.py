"""A chat's settings and presets, over the real store."""

from __future__ import annotations

import pytest

from runtime.values.chat import Chat, Preset
from runtime.values.errors import InvalidRequestError
from runtime.values.sampling import SamplingParams
from tests.desktop.open_window_state import OpenState

WARM = SamplingParams(temperature=1.2, top_p=0.9, seed=7)


async def test_a_new_chat_is_stored_with_its_settings(state: OpenState) -> None:
    await state.chat_settings.apply("Answer in rhyme.", WARM)
    stored = await state.storage.run(lambda opened: opened.store.chats.get(opened.store.chats.summaries()[0].id))
    assert (stored.system_prompt, stored.sampling) == ("Answer in rhyme.", WARM)
    assert state.chat.chat == stored


async def test_a_new_chat_is_not_stored_for_nothing(state: OpenState) -> None:
    await state.chat_settings.apply("", SamplingParams())
    assert await state.storage.run(lambda opened: opened.store.chats.summaries()) == ()


async def test_a_value_out_of_range_changes_nothing(state: OpenState) -> None:
    with pytest.raises(InvalidRequestError):
        await state.chat_settings.apply("kept out", SamplingParams(top_p=0.0))
    assert state.chat.chat is None
    assert await state.storage.run(lambda opened: opened.store.chats.summaries()) == ()


async def test_presets_are_kept_replaced_and_forgotten(state: OpenState) -> None:
    await state.chat_settings.save_preset(Preset(name="  Poet ", system_prompt="Rhyme.", sampling=WARM))
    kept = await state.chat_settings.save_preset(Preset(name="Poet", system_prompt="", sampling=WARM))
    assert list(state.chat_settings.presets) == [kept]
    await state.chat_settings.delete_preset("Poet")
    assert list(state.chat_settings.presets) == []


async def test_only_another_chat_is_another_chat(state: OpenState) -> None:
    others: list[None] = []
    state.chat_settings.other_chat_opened.connect(lambda: others.append(None))
    await state.chat_settings.apply("first", WARM)
    await state.chat.change(lambda opened, chat_id: opened.store.chats.rename(chat_id, "renamed"))
    assert others == []
    second: Chat = await state.storage.run(lambda opened: opened.store.chats.create())
    await state.chat.open(second.id)
    state.chat.start_new()
    assert len(others) == 2
