"""The messages of a chat: read the current path, add, switch between versions, delete and restore."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from runtime.store import failures
from runtime.store.database import Database
from runtime.store.message_rows import COLUMNS, ChunkRow, MessageRow, decoded, unpacked_times, with_chunks
from runtime.store.stored_text import automatic_title, storable
from runtime.store.tree import ChatTree, ChoiceRow, TreeRow
from runtime.values.chat import ChatId, ChatMessage, MessageId, MessageState
from runtime.values.generation import GenerationStats
from runtime.values.prompt import Role


class _NewMessage(msgspec.Struct, frozen=True, kw_only=True):
    role: Role
    state: MessageState
    text: str
    model: str | None = None
    quantization: str | None = None


class Messages:
    """The messages of a database. Every call may raise `StoreError`; a call that fails has changed nothing."""

    def __init__(self, database: Database, now_unix_ms: Callable[[], int]) -> None:
        self._database = database
        self._now_unix_ms = now_unix_ms

    def current_path(self, chat_id: ChatId) -> tuple[ChatMessage, ...]:
        """Return the messages from the first to the leaf last looked at, each with its siblings."""
        tree = self.tree(chat_id)
        return self._read(list(tree.current_path()), tree)

    def get(self, message_id: MessageId) -> ChatMessage:
        """Return one message.

        Raises:
            StoreError: it does not exist or is deleted.
        """
        found = self._read([message_id], self.tree(self._chat_of(message_id)))
        if not found:
            raise failures.gone(f"message {message_id}")
        return found[0]

    def stats_of(self, message_id: MessageId) -> GenerationStats | None:
        """Return the figures of a reply with the time of every token; None if there are none."""
        rows = self._database.rows(
            tuple[str | None, bytes | None],
            "SELECT stats, times_ms FROM messages LEFT JOIN token_times ON message_id = id WHERE id = ?",
            (message_id,),
        )
        if not rows:
            raise failures.gone(f"message {message_id}")
        content, times = rows[0]
        stats = decoded(GenerationStats, content)
        return stats and msgspec.structs.replace(stats, token_times_ms=unpacked_times(times or b""))

    def add_user(self, chat_id: ChatId, parent_id: MessageId | None, text: str) -> ChatMessage:
        """Add what the user wrote after `parent_id` (None: as a first message) and make it the leaf looked at.

        Editing a message is adding another one after the same parent. The first message names an unnamed chat.
        """
        with self._database.transaction():
            message_id = self.insert_user(chat_id, parent_id, text)
        return self.get(message_id)

    def insert_user(self, chat_id: ChatId, parent_id: MessageId | None, text: str) -> MessageId:
        """Do what `add_user` does, within a transaction, and return the message's id."""
        text = storable(text)
        message_id = self._insert(
            chat_id, parent_id, _NewMessage(role=Role.USER, state=MessageState.COMPLETE, text=text)
        )
        self._database.write(
            "UPDATE chats SET title = ? WHERE id = ? AND title = '' AND title_is_automatic = 1",
            (automatic_title(text), chat_id),
        )
        return message_id

    def add_reply(
        self, chat_id: ChatId, parent_id: MessageId | None, *, model: str | None, quantization: str | None = None
    ) -> MessageId:
        """Add an empty reply in state `streaming`, within a transaction; see `Replies.begin`."""
        reply = _NewMessage(
            role=Role.ASSISTANT, state=MessageState.STREAMING, text="", model=model, quantization=quantization
        )
        return self._insert(chat_id, parent_id, reply)

    def select(self, message_id: MessageId) -> tuple[ChatMessage, ...]:
        """Lead the current path through a message, down to the leaf last looked at below it, and return the path."""
        chat_id = self._chat_of(message_id)
        with self._database.transaction():
            self._lead_to(chat_id, message_id)
        return self.current_path(chat_id)

    def delete(self, message_id: MessageId) -> None:
        """Take a message and everything below it out of the chat; `restore` brings them back until they are purged."""
        chat_id = self._chat_of(message_id)
        with self._database.transaction():
            doomed = self.tree(chat_id).subtree(message_id)
            self._database.write(
                "UPDATE messages SET deleted_unix_ms = ? WHERE id IN (SELECT value FROM json_each(?))",
                (self._now_unix_ms(), _id_list(doomed)),
            )

    def restore(self, message_id: MessageId) -> None:
        """Bring a deleted message back, with what was deleted with it.

        Raises:
            StoreError: it has been purged, or what it follows is deleted.
        """
        with self._database.transaction():
            rows = self._database.rows(
                tuple[ChatId, int | None, int | None],
                "SELECT message.chat_id, message.deleted_unix_ms, parent.deleted_unix_ms FROM messages AS message"
                " LEFT JOIN messages AS parent ON parent.id = message.parent_id WHERE message.id = ?",
                (message_id,),
            )
            if not rows or rows[0][2] is not None:
                raise failures.gone(f"message {message_id}")
            chat_id, deleted_unix_ms, _ = rows[0]
            tree = ChatTree(
                self._database.rows(
                    TreeRow,
                    "SELECT id, parent_id FROM messages WHERE chat_id = ? AND deleted_unix_ms = ?",
                    (chat_id, deleted_unix_ms),
                ),
                (),
            )
            self._database.write(
                "UPDATE messages SET deleted_unix_ms = NULL WHERE id IN (SELECT value FROM json_each(?))",
                (_id_list(tree.subtree(message_id)),),
            )

    def _insert(self, chat_id: ChatId, parent_id: MessageId | None, new: _NewMessage) -> MessageId:
        if parent_id is not None and self._chat_of(parent_id) != chat_id:
            raise failures.gone(f"message {parent_id} in chat {chat_id}")
        now = self._now_unix_ms()
        if not self._database.write("UPDATE chats SET updated_unix_ms = ? WHERE id = ?", (now, chat_id)):
            raise failures.gone(f"chat {chat_id}")
        message_id = MessageId(
            self._database.insert(
                "INSERT INTO messages (chat_id, parent_id, role, state, created_unix_ms, model, quantization,"
                " reasoning, text) VALUES (?, ?, ?, ?, ?, ?, ?, '', ?)",
                (chat_id, parent_id, new.role.value, new.state.value, now, new.model, new.quantization, new.text),
            )
        )
        self._lead_to(chat_id, message_id)
        return message_id

    def _lead_to(self, chat_id: ChatId, message_id: MessageId) -> None:
        """Make the current path pass through a message."""
        for choice in self.tree(chat_id).choices_leading_to(message_id):
            self._choose(chat_id, choice)

    def _choose(self, chat_id: ChatId, choice: ChoiceRow) -> None:
        self._database.write(
            "INSERT OR REPLACE INTO choices (chat_id, parent_id, child_id) VALUES (?, ?, ?)",
            (chat_id, choice.parent_id, choice.child_id),
        )

    def _chat_of(self, message_id: MessageId) -> ChatId:
        rows = self._database.rows(
            tuple[ChatId], "SELECT chat_id FROM messages WHERE id = ? AND deleted_unix_ms IS NULL", (message_id,)
        )
        if not rows:
            raise failures.gone(f"message {message_id}")
        return rows[0][0]

    def tree(self, chat_id: ChatId) -> ChatTree:
        """Return the shape of a chat, deleted messages left out."""
        return ChatTree(
            self._database.rows(
                TreeRow,
                "SELECT id, parent_id FROM messages WHERE chat_id = ? AND deleted_unix_ms IS NULL ORDER BY id",
                (chat_id,),
            ),
            self._database.rows(ChoiceRow, "SELECT parent_id, child_id FROM choices WHERE chat_id = ?", (chat_id,)),
        )

    def _read(self, message_ids: Sequence[MessageId], tree: ChatTree) -> tuple[ChatMessage, ...]:
        rows = self._database.rows(
            MessageRow,
            f"SELECT {COLUMNS} FROM messages WHERE id IN (SELECT value FROM json_each(?))",  # noqa: S608 - constant
            (_id_list(message_ids),),
        )
        by_id = {row.id: self._whole(row) for row in rows}
        return tuple(by_id[number].message(tree.siblings(number)) for number in message_ids if number in by_id)

    def _whole(self, row: MessageRow) -> MessageRow:
        if row.state != MessageState.STREAMING.value:
            return row
        return with_chunks(row, chunks_of(self._database, row.id))


def chunks_of(database: Database, message_id: MessageId) -> list[ChunkRow]:
    """Return the pieces of a reply that is being written, in their order."""
    return database.rows(
        ChunkRow, "SELECT message_id, kind, text FROM reply_chunks WHERE message_id = ? ORDER BY id", (message_id,)
    )


def _id_list(message_ids: Sequence[MessageId]) -> str:
    return msgspec.json.encode(message_ids).decode()
