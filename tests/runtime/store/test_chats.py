"""Chats: what is changed is read back, deleted ones can be restored until they are purged."""

from __future__ import annotations

import pytest

from runtime.store.opening import Store
from runtime.store.transfer import export_json, import_json
from runtime.values.errors import InvalidRequestError, StoreError
from runtime.values.sampling import SamplingParams
from tests.runtime.store.chat_examples import add_exchange, add_long_chat
from tests.runtime.store.conftest import Clock


def test_what_is_set_is_read_back(store: Store) -> None:
    chat = store.chats.create(system_prompt="Be brief.", sampling=SamplingParams(top_k=5), model="demo")
    store.chats.rename(chat.id, "  Two\nlines\t ")
    store.chats.set_pinned(chat.id, is_pinned=True)
    store.chats.set_system_prompt(chat.id, "Be \ud800 kind.\x00")
    store.chats.set_sampling(chat.id, SamplingParams(temperature=0.1, seed=7))
    store.chats.set_model(chat.id, "Qwen3")
    store.chats.save_draft(chat.id, "half a sent")
    changed = store.chats.get(chat.id)

    assert (chat.system_prompt, chat.sampling.top_k, chat.model, chat.draft) == ("Be brief.", 5, "demo", "")
    assert (changed.title, changed.is_pinned, changed.system_prompt) == ("Two lines", True, "Be \ufffd kind.\ufffd")
    assert changed.sampling == SamplingParams(temperature=0.1, seed=7)
    assert (changed.model, changed.draft, changed.updated_unix_ms) == ("Qwen3", "half a sent", chat.updated_unix_ms)


def test_every_chat_has_a_key_of_its_own(store: Store) -> None:
    asked = store.exchanges.begin(None, None, "question", model=None, quantization=None, uid="mine").chat
    imported = store.chats.get(import_json(store, export_json(store, [asked.id]))[0])
    made = store.chats.create()
    assert asked.uid == "mine"
    assert len({asked.uid, imported.uid, made.uid}) == 3
    assert {chat.uid for chat in store.chats.summaries()} == {asked.uid, imported.uid, made.uid}
    assert {hit.chat.uid for hit in store.search.find("question").messages} == {asked.uid, imported.uid}


def test_pinned_chats_come_first_then_the_last_updated(store: Store) -> None:
    old, middle, new = (store.chats.create(title=title).id for title in ("old", "middle", "new"))
    store.chats.set_pinned(middle, is_pinned=True)
    add_exchange(store, old, "a", "b")

    assert [chat.id for chat in store.chats.summaries()] == [middle, old, new]


def test_the_first_message_names_a_chat_and_a_user_s_title_stays(store: Store) -> None:
    unnamed, named = store.chats.create().id, store.chats.create(title="Mine").id
    for chat in (unnamed, named):
        add_exchange(store, chat, "## What is *TTFT*?\nReally", "x")
        add_exchange(store, chat, "And decode?", "y")

    assert store.chats.get(unnamed).title == "What is *TTFT*?"
    assert store.chats.get(named).title == "Mine"
    assert store.chats.set_automatic_title(unnamed, "Time to first token")
    assert not store.chats.set_automatic_title(named, "Time to first token")
    store.chats.rename(unnamed, "Ours")
    assert not store.chats.set_automatic_title(unnamed, "Again")
    assert [store.chats.get(chat).title for chat in (unnamed, named)] == ["Ours", "Mine"]


def test_a_deleted_chat_comes_back_whole_until_it_is_purged(store: Store, clock: Clock) -> None:
    chat = store.chats.create().id
    path = [message.id for message in add_exchange(store, chat, "question", "answer")]
    store.chats.delete(chat)
    deleted_unix_ms = clock.unix_ms

    assert store.chats.summaries() == ()
    with pytest.raises(StoreError):
        store.chats.get(chat)
    with pytest.raises(StoreError):
        store.chats.rename(chat, "new")
    store.chats.purge(deleted_before_unix_ms=deleted_unix_ms)
    store.chats.restore(chat)
    assert [message.id for message in store.messages.current_path(chat)] == path

    store.chats.delete(chat)
    store.chats.purge(deleted_before_unix_ms=clock.unix_ms + 1)
    with pytest.raises(StoreError, match="no longer exists"):
        store.chats.restore(chat)


def test_a_chat_of_thousands_of_messages_can_be_purged(store: Store, clock: Clock) -> None:
    chat = add_long_chat(store, [f"message {number}" for number in range(3000)])
    assert len(store.messages.current_path(chat)) == 3000
    store.chats.delete(chat)
    store.chats.purge(deleted_before_unix_ms=clock.unix_ms + 1)

    assert store.database.rows(tuple[int], "SELECT count(*) FROM messages") == [(0,)]
    assert store.database.rows(tuple[int], "SELECT count(*) FROM choices") == [(0,)]
    assert store.search.find("message").messages == ()


def test_nonsense_is_refused(store: Store) -> None:
    chat = store.chats.create().id
    with pytest.raises(InvalidRequestError):
        store.chats.rename(chat, " \n ")
    with pytest.raises(InvalidRequestError):
        store.chats.set_sampling(chat, SamplingParams(top_p=7.0))
    with pytest.raises(InvalidRequestError):
        store.chats.create(sampling=SamplingParams(temperature=float("nan")))
    assert len(store.chats.summaries()) == 1
