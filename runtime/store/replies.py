"""Replies while they are written: text is on the disk within a second of its coming, whatever happens to the process.

Text goes into small rows of its own (`reply_chunks`), gathered so that a stream costs two commits a second and not one
a token; when the reply ends it is folded into the message and indexed. A reply whose writer was killed is folded at the
next start, in state `interrupted`.
"""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic

from runtime.store import failures
from runtime.store.database import Database
from runtime.store.message_rows import COLUMNS, MessageRow, encoded, packed_times, with_chunks, without_token_times
from runtime.store.messages import Messages, chunks_of
from runtime.store.stored_text import storable
from runtime.values.chat import ChatId, ChatMessage, MessageId, MessageState, ReplyEnd
from runtime.values.generation import TextKind
from runtime.values.model import Quantization

COMMIT_INTERVAL_S = 0.5


class Replies:
    """Begins replies and ends those that nobody writes any more."""

    def __init__(self, database: Database, messages: Messages, now_unix_ms: Callable[[], int]) -> None:
        self._database = database
        self._messages = messages
        self._now_unix_ms = now_unix_ms

    def begin(
        self, chat_id: ChatId, parent_id: MessageId | None, *, model: str | None, quantization: Quantization | None
    ) -> ReplyWriter:
        """Add an empty reply after `parent_id`, make it the leaf looked at, and return what writes it.

        Asking again for a reply is beginning another one after the same parent.

        Raises:
            StoreError: nothing was added.
        """
        with self._database.transaction():
            return self.insert(chat_id, parent_id, model=model, quantization=quantization)

    def insert(
        self, chat_id: ChatId, parent_id: MessageId | None, *, model: str | None, quantization: Quantization | None
    ) -> ReplyWriter:
        """Do what `begin` does, within a transaction."""
        name = None if model is None else storable(model)
        message_id = self._messages.add_reply(chat_id, parent_id, model=name, quantization=encoded(quantization))
        return ReplyWriter(self._database, self._messages, message_id, self._now_unix_ms)

    def resume(self, message_id: MessageId) -> ReplyWriter:
        """Open an ended reply again, to go on after its last character.

        Raises:
            StoreError: it does not exist, is deleted, or is being written.
        """
        with self._database.transaction():
            changed = self._database.write(
                "UPDATE messages SET state = 'streaming', stop_reason = NULL, error = NULL"
                " WHERE id = ? AND role = 'assistant' AND state <> 'streaming' AND deleted_unix_ms IS NULL",
                (message_id,),
            )
            if not changed:
                raise failures.gone(f"reply {message_id}")
        return ReplyWriter(self._database, self._messages, message_id, self._now_unix_ms)

    def end_abandoned(self) -> tuple[MessageId, ...]:
        """Mark every reply in state `streaming` as interrupted, with the text it had, and return them.

        For the start, when no other process has the database open.
        """
        with self._database.transaction():
            rows = self._database.rows(
                tuple[MessageId], "SELECT id FROM messages WHERE state = 'streaming' ORDER BY id"
            )
            for (message_id,) in rows:
                fold(self._database, message_id, ReplyEnd(state=MessageState.INTERRUPTED))
        return tuple(message_id for (message_id,) in rows)


class ReplyWriter:
    """Writes one reply. Nothing given to it is lost by a failed write: it stays here for the next one to take along.

    Whoever appends must also see to it that `flush` is called after `seconds_until_due`, or text that is followed by
    silence would stay in memory.
    """

    def __init__(
        self,
        database: Database,
        messages: Messages,
        message_id: MessageId,
        now_unix_ms: Callable[[], int],
        clock_s: Callable[[], float] = monotonic,
    ) -> None:
        self.message_id = message_id
        self._database = database
        self._messages = messages
        self._now_unix_ms = now_unix_ms
        self._clock_s = clock_s
        self._pending: list[tuple[TextKind, str]] = []
        self._due_s: float | None = None

    def append(self, text: str, kind: TextKind) -> None:
        """Take new text; write what has gathered if the oldest of it has waited half a second.

        Raises:
            StoreError: it could not be written, and is kept for the next attempt.
        """
        if not text:
            return
        self._pending.append((kind, storable(text)))
        if self._due_s is None:
            self._due_s = self._clock_s() + COMMIT_INTERVAL_S
        if self._clock_s() >= self._due_s:
            self.flush()

    def seconds_until_due(self) -> float | None:
        """Return in how many seconds `flush` has to be called, 0 for now; None if nothing waits."""
        return None if self._due_s is None else max(0.0, self._due_s - self._clock_s())

    def flush(self) -> None:
        """Write what has gathered; it is durable when this returns.

        Raises:
            StoreError: it could not be written, and is kept; it is due again half a second from now.
        """
        if not self._pending:
            return
        self._due_s = self._clock_s() + COMMIT_INTERVAL_S
        with self._database.transaction():
            self._insert_pending()
        self._forget_pending()

    def finish(self, end: ReplyEnd) -> ChatMessage:
        """Write the rest, fold the pieces into the message, index it, and return it.

        Raises:
            StoreError: nothing of this was done; call again.
        """
        if end.state is MessageState.STREAMING:
            raise ValueError("a reply cannot end in state streaming")
        with self._database.transaction():
            self._insert_pending()
            fold(self._database, self.message_id, end)
            self._database.write(
                "UPDATE chats SET updated_unix_ms = ? WHERE id = (SELECT chat_id FROM messages WHERE id = ?)",
                (self._now_unix_ms(), self.message_id),
            )
        self._forget_pending()
        return self._messages.get(self.message_id)

    def _insert_pending(self) -> None:
        for kind, text in _runs(self._pending):
            self._database.insert(
                "INSERT INTO reply_chunks (message_id, kind, text) VALUES (?, ?, ?)",
                (self.message_id, kind.value, text),
            )

    def _forget_pending(self) -> None:
        self._pending = []
        self._due_s = None


def _runs(pieces: list[tuple[TextKind, str]]) -> list[tuple[TextKind, str]]:
    """Join neighbours of one kind: a row for each run, not for each token."""
    runs: list[tuple[TextKind, list[str]]] = []
    for kind, text in pieces:
        if not runs or runs[-1][0] is not kind:
            runs.append((kind, []))
        runs[-1][1].append(text)
    return [(kind, "".join(texts)) for kind, texts in runs]


def fold(database: Database, message_id: MessageId, end: ReplyEnd) -> None:
    """Move a reply's pieces into its message and note how it ended, within a transaction."""
    rows = database.rows(
        MessageRow,
        f"SELECT {COLUMNS} FROM messages WHERE id = ?",  # noqa: S608 - columns are constant
        (message_id,),
    )
    if not rows:
        raise failures.gone(f"reply {message_id}")
    row = with_chunks(rows[0], chunks_of(database, message_id))
    reasoning_ms = row.reasoning_ms if end.reasoning_ms is None else end.reasoning_ms
    stop_reason = None if end.stop_reason is None else end.stop_reason.value
    stats = encoded(without_token_times(end.stats))
    database.write(
        "UPDATE messages SET text = ?, reasoning = ?, reasoning_ms = ?, state = ?, stop_reason = ?, error = ?,"
        " stats = coalesce(?, stats) WHERE id = ?",
        (row.text, row.reasoning, reasoning_ms, end.state.value, stop_reason, encoded(end.error), stats, message_id),
    )
    database.write("DELETE FROM reply_chunks WHERE message_id = ?", (message_id,))
    if end.stats is not None:
        database.write("INSERT OR REPLACE INTO token_times VALUES (?, ?)", (message_id, packed_times(end.stats)))
