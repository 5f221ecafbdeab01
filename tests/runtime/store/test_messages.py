"""The tree of messages: branches, the way back to a branch, deletion with its way back."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runtime.store.opening import FILE_NAME, Store, open_store
from runtime.values.chat import ChatId, ChatMessage, MessageId, MessageState, ReplyEnd
from runtime.values.errors import StoreError
from runtime.values.generation import TextKind
from runtime.values.prompt import Role
from tests.runtime.store.chat_examples import DONE, INT4, STATS, add_exchange, add_reply, texts
from tests.runtime.store.conftest import Clock

STOPPED = ReplyEnd(state=MessageState.STOPPED)


def test_a_message_is_read_back_as_it_was_written(store: Store) -> None:
    chat = store.chats.create().id
    asked, answered = add_exchange(store, chat, "Wie geht's? 你好 \U0001f600\n", "Gut.")

    assert store.messages.current_path(chat) == (asked, answered)
    assert (asked.role, asked.text, asked.state) == (
        Role.USER,
        "Wie geht's? 你好 \U0001f600\n",
        MessageState.COMPLETE,
    )
    assert (answered.role, answered.text, answered.reasoning) == (Role.ASSISTANT, "Gut.", "Let me think. ")
    assert (answered.model, answered.quantization, answered.reasoning_ms) == ("Qwen3-0.6B", INT4, 12.5)
    assert (answered.stop_reason, answered.parent_id) == (DONE.stop_reason, asked.id)
    assert answered.stats is not None
    assert answered.stats.token_times_ms == ()
    assert store.messages.stats_of(answered.id) == STATS
    assert store.messages.stats_of(asked.id) is None


def test_regenerating_and_editing_make_branches_that_remember_their_leaf(store: Store) -> None:
    chat = store.chats.create().id
    first, reply = add_exchange(store, chat, "q", "a1")
    add_exchange(store, chat, "q2", "b")
    again = add_reply(store, chat, first.id, "a2")
    assert texts(store.messages.current_path(chat)) == ["q", "a2"]
    assert again.sibling_ids == (reply.id, again.id)
    assert again.sibling_index == 1

    assert texts(store.messages.select(reply.id)) == ["q", "a1", "q2", "b"]
    edited = store.messages.add_user(chat, first.parent_id, "q edited")
    assert texts(store.messages.current_path(chat)) == ["q edited"]
    assert edited.sibling_ids == (first.id, edited.id)
    assert texts(store.messages.select(first.id)) == ["q", "a1", "q2", "b"]
    assert texts(store.messages.select(again.id)) == ["q", "a2"]


def test_adding_below_another_branch_leads_the_path_there(store: Store) -> None:
    chat = store.chats.create().id
    first, reply = add_exchange(store, chat, "q", "a1")
    add_reply(store, chat, first.id, "a2")
    store.messages.add_user(chat, reply.id, "on the old branch")
    assert texts(store.messages.current_path(chat)) == ["q", "a1", "on the old branch"]


def test_a_parent_must_be_of_the_chat_and_there(store: Store) -> None:
    chat, other = store.chats.create().id, store.chats.create().id
    first, reply = add_exchange(store, chat, "q", "a")
    store.messages.delete(reply.id)

    with pytest.raises(StoreError):
        store.messages.add_user(other, first.id, "x")
    with pytest.raises(StoreError):
        store.messages.add_user(chat, reply.id, "x")
    with pytest.raises(StoreError):
        store.messages.add_user(ChatId(99), None, "x")
    assert store.messages.current_path(other) == ()
    assert texts(store.messages.current_path(chat)) == ["q"]


def test_what_was_deleted_apart_is_restored_apart(store: Store) -> None:
    chat = store.chats.create().id
    first, _ = add_exchange(store, chat, "q", "a")
    third, fourth = add_exchange(store, chat, "q2", "b")
    store.messages.delete(fourth.id)
    store.messages.delete(first.id)
    assert store.messages.current_path(chat) == ()
    with pytest.raises(StoreError):
        store.messages.restore(fourth.id)

    store.messages.restore(first.id)
    assert texts(store.messages.current_path(chat)) == ["q", "a", "q2"]
    store.messages.restore(fourth.id)
    assert store.messages.current_path(chat)[-1].id == fourth.id
    assert third.id == fourth.parent_id


def test_purging_removes_deleted_messages_and_nothing_else(store: Store, clock: Clock) -> None:
    chat = store.chats.create().id
    add_exchange(store, chat, "q", "a")
    gone, _ = add_exchange(store, chat, "doomed question", "doomed answer")
    store.messages.delete(gone.id)
    store.chats.purge(deleted_before_unix_ms=clock.unix_ms + 1)

    assert texts(store.messages.current_path(chat)) == ["q", "a"]
    with pytest.raises(StoreError):
        store.messages.restore(gone.id)
    assert store.database.rows(tuple[int], "SELECT count(*) FROM messages") == [(2,)]


def check_shape(path: tuple[ChatMessage, ...]) -> None:
    """A path begins at a first message, and each message follows the one before it."""
    assert [message.parent_id for message in path] == [None, *(message.id for message in path[:-1])][: len(path)]
    assert all(message.id in message.sibling_ids for message in path)


@settings(max_examples=30)
@given(choices=st.lists(st.tuples(st.sampled_from(["add", "select", "delete"]), st.integers(0, 40)), max_size=25))
def test_any_walk_through_a_tree_keeps_its_promises(choices: list[tuple[str, int]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        store = open_store(Path(folder) / FILE_NAME, now_unix_ms=Clock()).store
        try:
            _walk(store, choices)
        finally:
            store.close()


def _walk(store: Store, choices: list[tuple[str, int]]) -> None:
    chat = store.chats.create().id
    alive = [store.messages.add_user(chat, None, "0").id]
    for action, number in choices:
        target = alive[number % len(alive)]
        before = store.messages.current_path(chat)
        if action == "add":
            parent = None if number % 7 == 0 else target
            alive.append(store.messages.add_user(chat, parent, str(number)).id)
            assert store.messages.current_path(chat)[-1].id == alive[-1]
        elif action == "select":
            path = store.messages.select(target)
            assert target in [message.id for message in path]
            here = next(message for message in path if message.id == target)
            for sibling in here.sibling_ids:
                store.messages.select(sibling)
            assert store.messages.select(target) == path
        else:
            store.messages.delete(target)
            assert target not in [message.id for message in store.messages.current_path(chat)]
            store.messages.restore(target)
            assert store.messages.current_path(chat) == before
        check_shape(store.messages.current_path(chat))


def test_a_question_and_its_reply_are_stored_together_in_a_new_chat(store: Store) -> None:
    exchange = store.exchanges.begin(None, None, "Why?", model="demo", quantization=INT4)
    assert [chat.id for chat in store.chats.summaries()] == [exchange.chat.id]
    assert exchange.chat.title == "Why?"
    question, reply = exchange.path
    assert (question.text, question.state, reply.state) == ("Why?", MessageState.COMPLETE, MessageState.STREAMING)
    assert (reply.parent_id, reply.model, reply.quantization) == (question.id, "demo", INT4)
    exchange.writer.append("So.", TextKind.ANSWER)
    assert exchange.writer.finish(STOPPED).text == "So."


def test_of_a_question_without_a_place_nothing_is_stored(store: Store) -> None:
    chat = store.chats.create().id
    for into in (None, chat):
        with pytest.raises(StoreError):
            store.exchanges.begin(into, MessageId(99), "Why?", model=None, quantization=None)
    assert [one.id for one in store.chats.summaries()] == [chat]
    assert store.messages.current_path(chat) == ()
