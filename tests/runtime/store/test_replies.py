"""Replies while they are written: nothing appended is lost, whatever the pieces, and whatever fails."""

from __future__ import annotations

import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runtime.store.opening import FILE_NAME, Store, open_store
from runtime.store.replies import COMMIT_INTERVAL_S, ReplyWriter
from runtime.values.chat import MessageState, ReplyEnd
from runtime.values.errors import ErrorReport, StoreError
from runtime.values.generation import TextKind
from tests.runtime.store.chat_examples import DONE, STATS, add_reply
from tests.runtime.store.conftest import Clock

STOPPED = ReplyEnd(state=MessageState.STOPPED)


class Seconds:
    """A clock in seconds that the test sets."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now


def begin(store: Store, seconds: Seconds) -> ReplyWriter:
    """Begin a reply in a new chat, written under a clock of its own."""
    writer = store.replies.begin(store.chats.create().id, None, model="demo", quantization=None)
    return ReplyWriter(store.database, store.messages, writer.message_id, store.now_unix_ms, seconds)


def committed_text(file: Path) -> str:
    """Return what another process would find of all replies being written."""
    with closing(sqlite3.connect(file)) as connection:
        return "".join(text for (text,) in connection.execute("SELECT text FROM reply_chunks ORDER BY id"))


def test_text_is_committed_half_a_second_after_it_came(store: Store) -> None:
    seconds = Seconds()
    writer = begin(store, seconds)
    assert writer.seconds_until_due() is None
    writer.append("one ", TextKind.ANSWER)
    seconds.now += 0.3
    writer.append("two ", TextKind.ANSWER)
    assert committed_text(store.file) == ""
    assert writer.seconds_until_due() == pytest.approx(COMMIT_INTERVAL_S - 0.3)

    seconds.now += 0.3
    assert writer.seconds_until_due() == 0.0
    writer.append("three ", TextKind.ANSWER)
    assert committed_text(store.file) == "one two three "
    assert writer.seconds_until_due() is None

    writer.append("four", TextKind.ANSWER)
    writer.flush()
    assert committed_text(store.file) == "one two three four"
    assert store.messages.get(writer.message_id).text == "one two three four"
    writer.finish(STOPPED)
    assert committed_text(store.file) == ""


def test_ending_notes_how_and_an_error_survives(store: Store) -> None:
    report = ErrorReport("worker-lost", "The worker\ud800 ended.", "Retry.", "stderr\x00 tail")
    writer = begin(store, Seconds())
    writer.append("half", TextKind.ANSWER)
    failed = writer.finish(ReplyEnd(state=MessageState.FAILED, error=report))

    assert (failed.text, failed.state, failed.stop_reason) == ("half", MessageState.FAILED, None)
    assert failed.error is not None
    assert (failed.error.code, failed.error.what) == ("worker-lost", "The worker\ufffd ended.")
    with pytest.raises(ValueError, match="streaming"):
        begin(store, Seconds()).finish(ReplyEnd(state=MessageState.STREAMING))


def test_a_reply_goes_on_where_it_ended(store: Store) -> None:
    chat = store.chats.create().id
    reply = add_reply(store, chat, None, "The quick")
    writer = store.replies.resume(reply.id)
    assert store.search.find("quick").messages == ()
    with pytest.raises(StoreError):
        store.replies.resume(reply.id)
    writer.append(" brown fox", TextKind.ANSWER)
    whole = writer.finish(STOPPED)

    assert (whole.text, whole.reasoning, whole.reasoning_ms) == ("The quick brown fox", "Let me think. ", 12.5)
    assert (whole.state, whole.stop_reason) == (MessageState.STOPPED, None)
    assert store.messages.stats_of(whole.id) == STATS
    assert [hit.message_id for hit in store.search.find("quick brown").messages] == [whole.id]
    question = store.messages.add_user(chat, None, "not a reply")
    with pytest.raises(StoreError):
        store.replies.resume(question.id)


def test_a_full_disk_loses_nothing(store: Store) -> None:
    seconds = Seconds()
    writer = begin(store, seconds)
    ((pages,),) = store.database.rows(tuple[int], "PRAGMA page_count")
    store.database.rows(tuple[int], f"PRAGMA max_page_count = {pages}")
    text = "long enough to need another page " * 500
    writer.append(text, TextKind.ANSWER)
    with pytest.raises(StoreError, match="disk is full"):
        writer.flush()
    assert writer.seconds_until_due() == COMMIT_INTERVAL_S
    with pytest.raises(StoreError, match="disk is full"):
        writer.finish(DONE)
    with pytest.raises(StoreError, match="disk is full"):
        store.messages.add_user(store.chats.summaries()[0].id, None, text)
    assert store.messages.get(writer.message_id).text == ""

    store.database.rows(tuple[int], "PRAGMA max_page_count = 1000000")
    assert writer.finish(DONE).text == text
    assert store.search.find("another page").messages[0].message_id == writer.message_id


def test_a_reply_deleted_for_good_says_so(store: Store, clock: Clock) -> None:
    writer = begin(store, Seconds())
    store.chats.delete(store.chats.summaries()[0].id)
    store.chats.purge(deleted_before_unix_ms=clock.unix_ms + 1)
    writer.append("text", TextKind.ANSWER)
    with pytest.raises(StoreError, match="no longer exists"):
        writer.flush()
    with pytest.raises(StoreError, match="no longer exists"):
        writer.finish(STOPPED)


def test_abandoned_replies_become_interrupted_with_their_text(file: Path, clock: Clock) -> None:
    store = open_store(file, now_unix_ms=clock).store
    writer = begin(store, Seconds())
    writer.append("thinking", TextKind.REASONING)
    writer.append("half an ans", TextKind.ANSWER)
    writer.flush()
    store.close()

    opened = open_store(file, now_unix_ms=clock)
    reply = opened.store.messages.get(writer.message_id)
    found = opened.store.search.find("half an")
    opened.store.close()
    assert opened.interrupted_replies == 1
    assert (reply.text, reply.reasoning, reply.state) == ("half an ans", "thinking", MessageState.INTERRUPTED)
    assert [hit.message_id for hit in found.messages] == [writer.message_id]
    assert committed_text(file) == ""


PIECES = st.lists(
    st.tuples(st.sampled_from(list(TextKind)), st.text(max_size=20), st.sampled_from([0.0, 0.2, 0.6])), max_size=30
)


@settings(max_examples=40)
@given(pieces=PIECES)
def test_any_pieces_give_the_whole_text(pieces: list[tuple[TextKind, str, float]]) -> None:
    seconds = Seconds()
    with tempfile.TemporaryDirectory() as folder:
        store = open_store(Path(folder) / FILE_NAME).store
        writer = begin(store, seconds)
        for kind, text, pause in pieces:
            writer.append(text, kind)
            seconds.now += pause
        reply = writer.finish(STOPPED)
        store.close()
    expected = {
        kind: "".join(text for k, text, _ in pieces if k is kind).replace("\x00", "\ufffd") for kind in TextKind
    }
    assert reply.text == expected[TextKind.ANSWER]
    assert reply.reasoning == expected[TextKind.REASONING]
