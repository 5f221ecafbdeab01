"""Search: substrings of any script, titles, every branch; no syntax that a query could break out of."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.store.opening import FILE_NAME, Store, open_store
from runtime.values.errors import StoreError
from runtime.values.generation import TextKind
from tests.runtime.store.chat_examples import add_exchange, add_long_chat, add_reply

TEXTS = {
    "english": "Time to First Token (TTFT) includes the prefill; downloading does not count.",
    "chinese": "量化可以减少内存占用。推理速度更快。",
    "japanese": "トークンの生成速度を測ります。",
    "german": "Größenordnung: Überraschung, ÄRGER und Öl 100 % günstig.",
    "code": 'def f(x):\n    return "a_b%c" * 2  # \\n NEAR("x" OR y)',
    "greek": "ΛΟΓΟΣ και λόγος",
    "emoji": "done 🎉🎉 with it",
}
FOUND = [
    ("ttft", {"english"}),
    ("load", {"english"}),
    ("PREFILL token", {"english"}),
    ('"first token"', {"english"}),
    ('"token first"', set[str]()),
    ("推理速度", {"chinese"}),
    ("速度", {"chinese", "japanese"}),
    ("速", {"chinese", "japanese"}),
    ("量化 更快", {"chinese"}),
    ("量化 トークン", set[str]()),
    ("überr", {"german"}),
    ("ärger", {"german"}),
    ("är", {"german"}),
    ("öL", {"german"}),
    ("%", {"german", "code"}),
    ("0 %", {"german"}),
    ("a_b%c", {"code"}),
    ("_b", {"code"}),
    ("a_b_c", set[str]()),
    ("\\n", {"code"}),
    ('NEAR("x" OR', {"code"}),
    ("ΛΟΓΟΣ", {"greek"}),
    ("λόγος", {"greek"}),
    ("🎉", {"emoji"}),
    ("🎉🎉 with", {"emoji"}),
    ("AND OR NOT", set[str]()),
]


@pytest.fixture
def labels(store: Store) -> dict[int, str]:
    """Put `TEXTS` into the store and return which message is which."""
    chat = store.chats.create(title="-").id
    return {add_reply(store, chat, None, text).id: label for label, text in TEXTS.items()}


@pytest.mark.parametrize(("query", "expected"), FOUND)
def test_what_a_query_finds(store: Store, labels: dict[int, str], query: str, expected: set[str]) -> None:
    assert {labels[hit.message_id] for hit in store.search.find(query).messages} == expected


def test_hits_say_where(store: Store) -> None:
    chat = store.chats.create(title="The KV cache").id
    _, reply = add_exchange(store, chat, "?", "x" * 500 + " the\nKV Cache grows; cache it " + "y" * 500)
    found = store.search.find("cache")

    (hit,) = found.messages
    marked = [hit.snippet.text[mark.start : mark.end] for mark in hit.snippet.highlights]
    assert (hit.message_id, hit.chat.id, hit.chat.title) == (reply.id, chat, "The KV cache")
    assert marked == ["Cache", "cache"]
    assert "the KV Cache grows" in hit.snippet.text
    (title,) = found.titles
    assert (title.chat.id, title.title.text, title.title.highlights[0].start) == (chat, "The KV cache", 7)


def test_newest_first_and_no_more_than_asked_for(store: Store) -> None:
    add_long_chat(store, [f"needle {number}" for number in range(30)])
    found = store.search.find("needle", limit=10)

    assert [hit.snippet.text for hit in found.messages] == [f"needle {number}" for number in range(29, 19, -1)]
    assert found.is_truncated
    assert not store.search.find("needle", limit=30).is_truncated
    assert len(store.search.find("le", limit=7).messages) == 7


def test_deleted_branches_and_chats_are_left_out_until_they_are_back(store: Store) -> None:
    chat = store.chats.create(title="needle title").id
    asked, _ = add_exchange(store, chat, "needle one", "needle two")
    store.messages.add_user(chat, None, "needle on another branch")
    assert len(store.search.find("needle").messages) == 3

    store.messages.delete(asked.id)
    assert len(store.search.find("needle").messages) == 1
    store.messages.restore(asked.id)
    store.chats.delete(chat)
    assert store.search.find("needle") == store.search.find("")
    store.chats.restore(chat)
    found = store.search.find("ne")
    assert (len(found.titles), len(found.messages)) == (1, 3)


def test_a_reply_is_found_once_it_has_ended(store: Store) -> None:
    writer = store.replies.begin(store.chats.create(title="-").id, None, model=None, quantization=None)
    writer.append("needle", TextKind.ANSWER)
    writer.flush()
    assert store.search.find("needle").messages == store.search.find("ne").messages == ()


def test_a_damaged_index_is_made_anew_and_the_same_call_then_works(file: Path) -> None:
    store = open_store(file).store
    chat = store.chats.create().id
    add_exchange(store, chat, "needle one", "needle two")
    store.database.rows(tuple[int], "UPDATE message_index_data SET block = zeroblob(3)")
    store.close()

    damaged = open_store(file)
    assert damaged.damage is None
    with pytest.raises(StoreError, match="search index"):
        damaged.store.messages.add_user(chat, None, "needle three")
    damaged.store.messages.add_user(chat, None, "needle three")
    damaged.store.database.rows(tuple[int], "UPDATE message_index_data SET block = zeroblob(3) WHERE id > 10")
    damaged.store.close()

    damaged = open_store(file)
    found = damaged.store.search.find("needle").messages
    damaged.store.close()
    assert len(found) == 3


@pytest.fixture(scope="module")
def empty_store() -> Iterator[Store]:
    """Return a store that holds one chat; the property tests below put in and take out their own messages."""
    with tempfile.TemporaryDirectory() as folder:
        store = open_store(Path(folder) / FILE_NAME).store
        store.chats.create(title="-")
        yield store
        store.close()


@given(text=st.text(max_size=60), data=st.data())
def test_every_piece_of_a_text_finds_it(empty_store: Store, text: str, data: st.DataObject) -> None:
    message = empty_store.messages.add_user(empty_store.chats.summaries()[0].id, None, text)
    start = data.draw(st.integers(0, len(text)))
    piece = message.text[start : start + data.draw(st.integers(1, 12))]
    query = " ".join(piece.replace('"', " ").split())
    found = [hit.message_id for hit in empty_store.search.find(f'"{query}"').messages]
    empty_store.messages.delete(message.id)
    assert not query or query not in message.text or found == [message.id]


@given(query=st.text() | st.text(alphabet='"*():^-+ANDORNT {}\\%_a1'))
def test_no_query_breaks_the_search(empty_store: Store, query: str) -> None:
    empty_store.search.find(query)
