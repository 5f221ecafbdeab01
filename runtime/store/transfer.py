"""Chats out to a JSON file with every branch, and in again."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec

from runtime.config.atomic_file import replace_file
from runtime.store import failures
from runtime.store.chats import sampling_json
from runtime.store.message_rows import COLUMNS, MessageRow, encoded, packed_times, with_chunks, without_token_times
from runtime.store.messages import chunks_of
from runtime.store.opening import Store
from runtime.store.stored_text import storable, title_line
from runtime.store.transfer_format import MAX_FILE_BYTES, ChatExport, ExportedChat, ExportedMessage, parsed
from runtime.store.tree import FIRST_MESSAGES, ChatTree
from runtime.values.chat import ChatId, MessageId, MessageState, new_uid


def export_json(store: Store, chat_ids: Sequence[ChatId]) -> bytes:
    """Return chats with all their branches as a JSON file. A reply being written is in it as interrupted.

    Raises:
        StoreError: a chat is gone, or the database cannot be read.
    """
    export = ChatExport(
        exported_unix_ms=store.now_unix_ms(), chats=tuple(_exported_chat(store, chat_id) for chat_id in chat_ids)
    )
    return msgspec.json.format(msgspec.json.encode(export), indent=1)


def import_json(store: Store, content: bytes) -> tuple[ChatId, ...]:
    """Add the chats of an exported file as new chats, all of them or none, and return them.

    Raises:
        StoreError: the file is not such an export or holds something impossible, or the database cannot be written.
    """
    export = parsed(content)
    with store.database.transaction():
        return tuple(_import_chat(store, chat) for chat in export.chats)


def read_file(file: Path) -> bytes:
    """Return the content of a file to import.

    Raises:
        StoreError: it cannot be read; one that is too large is cut and then refused by `import_json`.
    """
    with failures.files_translated(file), file.open("rb") as stream:
        return stream.read(MAX_FILE_BYTES + 1)


def write_file(file: Path, content: bytes) -> None:
    """Write an export, all of it or nothing: what was there stays until the new content is on the disk.

    Raises:
        StoreError: it cannot be written.
    """
    with failures.files_translated(file):
        replace_file(file, content)


def _exported_chat(store: Store, chat_id: ChatId) -> ExportedChat:
    chat = store.chats.get(chat_id)
    tree = store.messages.tree(chat_id)
    rows = store.database.rows(
        MessageRow,
        f"SELECT {COLUMNS} FROM messages WHERE chat_id = ? AND deleted_unix_ms IS NULL ORDER BY id",  # noqa: S608
        (chat_id,),
    )
    places = {row.id: place for place, row in enumerate(rows)}
    return ExportedChat(
        title=chat.title,
        title_is_automatic=chat.title_is_automatic,
        is_pinned=chat.is_pinned,
        created_unix_ms=chat.created_unix_ms,
        updated_unix_ms=chat.updated_unix_ms,
        system_prompt=chat.system_prompt,
        sampling=chat.sampling,
        model=chat.model,
        messages=tuple(_exported_message(store, row, tree, places) for row in rows),
    )


def _exported_message(store: Store, row: MessageRow, tree: ChatTree, places: dict[MessageId, int]) -> ExportedMessage:
    is_streaming = row.state == MessageState.STREAMING.value
    whole = with_chunks(row, chunks_of(store.database, row.id)) if is_streaming else row
    message = whole.message(())
    return ExportedMessage(
        parent=None if row.parent_id is None else places.get(row.parent_id),
        is_chosen=tree.chosen_child(row.parent_id or FIRST_MESSAGES) == row.id,
        role=message.role,
        text=message.text,
        state=MessageState.INTERRUPTED if is_streaming else message.state,
        created_unix_ms=message.created_unix_ms,
        reasoning=message.reasoning,
        reasoning_ms=message.reasoning_ms,
        stop_reason=message.stop_reason,
        error=message.error,
        model=message.model,
        quantization=message.quantization,
        stats=message.stats and store.messages.stats_of(row.id),
    )


def _import_chat(store: Store, chat: ExportedChat) -> ChatId:
    number = store.database.insert(
        "INSERT INTO chats (title, title_is_automatic, is_pinned, created_unix_ms, updated_unix_ms, model, sampling,"
        " system_prompt, draft, uid) VALUES (?, ?, ?, ?, ?, ?, ?, ?, '', ?)",
        (
            title_line(chat.title),
            int(chat.title_is_automatic),
            int(chat.is_pinned),
            chat.created_unix_ms,
            chat.updated_unix_ms,
            None if chat.model is None else storable(chat.model),
            sampling_json(chat.sampling),
            storable(chat.system_prompt),
            new_uid(),
        ),
    )
    chat_id = ChatId(number)
    message_ids: list[MessageId] = []
    for message in chat.messages:
        parent_id = None if message.parent is None else message_ids[message.parent]
        message_ids.append(_import_message(store, chat_id, parent_id, message))
    return chat_id


def _import_message(store: Store, chat_id: ChatId, parent_id: MessageId | None, message: ExportedMessage) -> MessageId:
    number = store.database.insert(
        "INSERT INTO messages (chat_id, parent_id, role, state, stop_reason, created_unix_ms, reasoning_ms, model,"
        " quantization, error, stats, reasoning, text) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            chat_id,
            parent_id,
            message.role.value,
            message.state.value,
            None if message.stop_reason is None else message.stop_reason.value,
            message.created_unix_ms,
            message.reasoning_ms,
            None if message.model is None else storable(message.model),
            encoded(message.quantization),
            encoded(message.error),
            encoded(without_token_times(message.stats)),
            storable(message.reasoning),
            storable(message.text),
        ),
    )
    if message.stats is not None:
        store.database.write("INSERT INTO token_times VALUES (?, ?)", (number, packed_times(message.stats)))
    if message.is_chosen:
        store.database.write(
            "INSERT OR REPLACE INTO choices (chat_id, parent_id, child_id) VALUES (?, ?, ?)",
            (chat_id, parent_id or FIRST_MESSAGES, number),
        )
    return MessageId(number)
