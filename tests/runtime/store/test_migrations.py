"""Databases of every earlier schema open with all they hold; a failing step leaves everything as it was."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from runtime.store import migration_0001, migrations
from runtime.store.opening import Store, open_store
from runtime.values.chat import ChatId, MessageId, MessageState
from runtime.values.sampling import SamplingParams
from tests.runtime.store.chat_examples import STATS, texts

SCHEMA_1 = Path(__file__).with_name("schema_0001.sql").read_text(encoding="utf-8")


@pytest.fixture
def store_from_schema_1(file: Path) -> Iterator[Store]:
    """Return a store opened on a database as version 1 left it."""
    file.parent.mkdir()
    with closing(sqlite3.connect(file)) as connection:
        connection.executescript(SCHEMA_1)
    opened = open_store(file)
    assert opened.damage is None
    assert opened.interrupted_replies == 1
    yield opened.store
    opened.store.close()


def test_everything_of_schema_1_is_there(store_from_schema_1: Store) -> None:
    store = store_from_schema_1
    chat = store.chats.get(ChatId(1))
    path = store.messages.current_path(chat.id)

    assert [summary.title for summary in store.chats.summaries()] == ["Pinned", "What is TTFT?"]
    assert (chat.system_prompt, chat.sampling) == ("Be brief.", SamplingParams(temperature=0.2, seed=7))
    assert texts(path) == [
        "What is TTFT?",
        "Time to first token.",
        'And it\'s "decode"?',
        "One token\nafter another.",
    ]
    assert path[1].sibling_ids == (2, 3)
    assert store.messages.stats_of(path[1].id) == STATS
    assert store.chats.get(ChatId(3)).draft == "half a sent"
    assert store.presets.all()[0].sampling.temperature == 0.0
    assert store.ui_state.get("window/geometry") == b"\x00\x01\xff"
    cut_off = store.messages.get(MessageId(8))
    assert (cut_off.text, cut_off.state) == ("Cut off in the mid", MessageState.INTERRUPTED)


def test_a_database_of_schema_1_works_on(store_from_schema_1: Store) -> None:
    store = store_from_schema_1
    found = {hit.message_id for hit in store.search.find("token").messages}
    assert found == {2, 5}
    store.chats.restore(ChatId(2))
    store.messages.restore(MessageId(9))
    assert store.search.find("removed message").messages[0].message_id == 9
    assert store.messages.add_user(ChatId(1), MessageId(3), "on").parent_id == 3


def test_chats_of_schema_1_have_a_key_of_their_own_that_stays(store_from_schema_1: Store, file: Path) -> None:
    uids = [chat.uid for chat in store_from_schema_1.chats.summaries()]
    fresh = store_from_schema_1.chats.create()
    assert all(uids)
    assert len({*uids, fresh.uid}) == len(uids) + 1
    again = open_store(file)
    kept = {chat.id: chat.uid for chat in again.store.chats.summaries()}
    assert [kept[ChatId(3)], kept[ChatId(1)], kept[fresh.id]] == [*uids, fresh.uid]
    assert again.store.chats.get(ChatId(1)).uid == kept[ChatId(1)]
    again.store.close()


def test_steps_that_are_released_do_not_change() -> None:
    assert migration_0001.SQL.strip() in SCHEMA_1


def test_each_step_is_taken_once_and_in_order() -> None:
    steps = ["CREATE TABLE a (x);\nINSERT INTO a VALUES (1);", "INSERT INTO a SELECT x + 1 FROM a;"]
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        migrations.migrate(connection, steps[:1])
        migrations.migrate(connection, steps[:1])
        migrations.migrate(connection, steps)
        migrations.migrate(connection, steps)
        assert connection.execute("SELECT x FROM a").fetchall() == [(1,), (2,)]
        assert migrations.version_of(connection) == 2


def test_a_step_that_fails_undoes_the_steps_before_it() -> None:
    steps = ["CREATE TABLE a (x);", "CREATE TABLE b (x);\nINSERT INTO nowhere VALUES (1);"]
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        with pytest.raises(sqlite3.OperationalError, match="nowhere"):
            migrations.migrate(connection, steps)
        assert connection.execute("SELECT name FROM sqlite_master").fetchall() == []
        assert migrations.version_of(connection) == 0


def test_statements_keep_triggers_whole() -> None:
    split = migrations.statements(migration_0001.SQL)
    assert len([statement for statement in split if statement.startswith("CREATE TRIGGER")]) == 4
    with pytest.raises(ValueError, match="unfinished"):
        migrations.statements("CREATE TABLE a (x)")
