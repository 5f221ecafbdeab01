"""The user's own chats as a text for scoring: what is in them, and that nothing of them changes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from runtime.bench import own_chats
from runtime.bench.own_chats import LEAST_CHARACTERS, OWN_CHATS, own_chats_text
from runtime.store.opening import FILE_NAME, Store, open_store
from runtime.values.errors import InvalidRequestError, StoreError

LONG = "What does a token cost? " * 40


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "data" / FILE_NAME


@pytest.fixture
def store(file: Path) -> Iterator[Store]:
    store = open_store(file, now_unix_ms=iter(range(1, 10_000)).__next__).store
    yield store
    store.close()


def write_chat(store: Store, *texts: str) -> None:
    chat, parent = store.chats.create(), None
    for text in texts:
        parent = store.messages.add_user(chat.id, parent, text).id


def test_holds_what_was_said_in_order_the_last_chat_first(store: Store, file: Path) -> None:
    write_chat(store, LONG.strip(), "And a 日本語 one?")
    write_chat(store, "Newer", "  ", "Newest")
    text = own_chats_text(file)
    assert text.name == OWN_CHATS
    assert text.text == f"Newer\n\nNewest\n\n{LONG.strip()}\n\nAnd a 日本語 one?"


def test_reads_no_more_than_can_be_scored(store: Store, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(own_chats, "MOST_CHARACTERS", 10)
    monkeypatch.setattr(own_chats, "LEAST_CHARACTERS", 10)
    write_chat(store, "older")
    write_chat(store, "1234567", "abcdefg")
    assert own_chats_text(file).text == "1234567\n\na"


def test_changes_nothing(store: Store, file: Path) -> None:
    write_chat(store, LONG)
    store.close()
    before = file.read_bytes()
    own_chats_text(file)
    assert file.read_bytes() == before


def test_deleted_chats_stay_out(store: Store, file: Path) -> None:
    write_chat(store, LONG)
    (chat,) = store.chats.summaries()
    store.chats.delete(chat.id)
    with pytest.raises(InvalidRequestError):
        own_chats_text(file)


def test_too_few_words_are_not_scored(store: Store, file: Path) -> None:
    write_chat(store, "Hello", "?" * (LEAST_CHARACTERS - len("Hello\n\n") - 1))
    with pytest.raises(InvalidRequestError, match=f"{LEAST_CHARACTERS - 1} of {LEAST_CHARACTERS} characters"):
        own_chats_text(file)
    write_chat(store, "!")
    assert len(own_chats_text(file).text) > LEAST_CHARACTERS


def test_without_chats_there_is_nothing_to_score(file: Path) -> None:
    with pytest.raises(InvalidRequestError):
        own_chats_text(file)
    assert not file.exists()


def test_what_is_no_database_is_told(file: Path) -> None:
    file.parent.mkdir()
    file.write_bytes(b"no database" * 1000)
    with pytest.raises(StoreError):
        own_chats_text(file)
