"""What reading a chat again costs: from the figures of its last reply, and of the model's last long prompt."""

from __future__ import annotations

import msgspec

from runtime.store.opening import Store
from runtime.values.chat import ChatId
from runtime.values.generation import GenerationStats
from tests.runtime.store.chat_examples import DONE, STATS


def reply(store: Store, chat: ChatId, stats: GenerationStats | None) -> None:
    path = store.messages.current_path(chat)
    asked = store.messages.add_user(chat, path[-1].id if path else None, "question")
    writer = store.replies.begin(chat, asked.id, model="as it was called while it was loaded", quantization=None)
    writer.finish(msgspec.structs.replace(DONE, stats=stats))


def figures(**changes: object) -> GenerationStats:
    return msgspec.structs.replace(STATS, **changes)


def test_a_chat_is_as_long_as_after_its_last_reply_that_has_figures(store: Store) -> None:
    chats = [store.chats.create().id for _ in range(4)]
    reply(store, chats[0], figures(context_used_tokens=100))
    reply(store, chats[0], figures(context_used_tokens=250))
    reply(store, chats[0], None)
    reply(store, chats[1], figures(context_used_tokens=7))
    reply(store, chats[2], None)
    assert store.costs.contexts(chats) == {chats[0]: 250, chats[1]: 7}
    assert store.costs.contexts(chats[1:2]) == {chats[1]: 7}
    assert store.costs.contexts([]) == {}
    store.messages.delete(store.messages.current_path(chats[0])[2].id)
    assert store.costs.contexts(chats[:1]) == {chats[0]: 100}


def test_a_model_reads_as_fast_as_it_read_its_last_long_prompt(store: Store) -> None:
    chat = store.chats.create().id
    parts = STATS.ttft_parts
    assert parts is not None
    for prompt, cached, prefill_ms in ((1000, 0, 500.0), (1100, 100, 2000.0), (1100, 1090, 1.0)):
        took = msgspec.structs.replace(parts, prefill_ms=prefill_ms)
        reply(store, chat, figures(prompt_tokens=prompt, cached_tokens=cached, ttft_parts=took))
    reply(store, chat, figures(ttft_parts=None))
    reply(store, chat, None)
    assert store.costs.ms_per_token("Qwen3-0.6B", "mlx") == 2.0
    assert store.costs.ms_per_token("Qwen3-0.6B", "llamacpp") is None
    assert store.costs.ms_per_token("another", "mlx") is None


def test_the_keys_of_deleted_chats_are_known(store: Store) -> None:
    kept, deleted = store.chats.create(), store.chats.create()
    store.chats.delete(deleted.id)
    assert store.chats.deleted_uids() == {deleted.uid}
    store.chats.restore(deleted.id)
    assert store.chats.deleted_uids() == frozenset()
    assert kept.uid != deleted.uid
