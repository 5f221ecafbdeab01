"""Chats without their messages: make, list, rename, pin, delete and restore; settings and draft of each."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from runtime.store import failures
from runtime.store.database import Database, Parameters
from runtime.store.stored_text import storable, title_line
from runtime.values.chat import Chat, ChatId, ChatSummary, new_uid
from runtime.values.errors import InvalidRequestError
from runtime.values.sampling import SamplingParams, checked

SUMMARY_COLUMNS = "chats.id, chats.title, chats.is_pinned, chats.created_unix_ms, chats.updated_unix_ms, chats.uid"


class SummaryRow(msgspec.Struct, array_like=True, frozen=True):
    """`SUMMARY_COLUMNS` of a chat."""

    id: ChatId
    title: str
    is_pinned: int
    created_unix_ms: int
    updated_unix_ms: int
    uid: str

    def summary(self) -> ChatSummary:
        """Return the row as a value."""
        return ChatSummary(
            id=self.id,
            title=self.title,
            is_pinned=bool(self.is_pinned),
            created_unix_ms=self.created_unix_ms,
            updated_unix_ms=self.updated_unix_ms,
            uid=uid_of(self.uid, self.id, self.created_unix_ms),
        )


class _ChatRow(msgspec.Struct, array_like=True, frozen=True):
    id: ChatId
    title: str
    title_is_automatic: int
    is_pinned: int
    created_unix_ms: int
    updated_unix_ms: int
    system_prompt: str
    sampling: str
    model: str | None
    draft: str
    uid: str


class Chats:
    """The chats of a database. Every call may raise `StoreError`; a call that fails has changed nothing."""

    def __init__(self, database: Database, now_unix_ms: Callable[[], int]) -> None:
        self._database = database
        self._now_unix_ms = now_unix_ms

    def create(
        self,
        *,
        title: str = "",
        system_prompt: str = "",
        sampling: SamplingParams | None = None,
        model: str | None = None,
    ) -> Chat:
        """Make a chat. Without a title it takes one from its first message.

        Raises:
            InvalidRequestError: a sampler value is out of range.
        """
        with self._database.transaction():
            chat_id = self.insert(title=title, system_prompt=system_prompt, sampling=sampling, model=model)
        return self.get(chat_id)

    def insert(
        self,
        *,
        title: str = "",
        system_prompt: str = "",
        sampling: SamplingParams | None = None,
        model: str | None = None,
        uid: str = "",
    ) -> ChatId:
        """Do what `create` does, within a transaction, and return the chat's id. `uid` is new if it is not given."""
        now = self._now_unix_ms()
        chosen = checked(sampling or SamplingParams())
        line = title_line(title)
        number = self._database.insert(
            "INSERT INTO chats (title, title_is_automatic, is_pinned, created_unix_ms, updated_unix_ms, model,"
            " sampling, system_prompt, draft, uid) VALUES (?, ?, 0, ?, ?, ?, ?, ?, '', ?)",
            (
                *(line, int(not line), now, now, _name(model), sampling_json(chosen), storable(system_prompt)),
                storable(uid) or new_uid(),
            ),
        )
        return ChatId(number)

    def get(self, chat_id: ChatId) -> Chat:
        """Return a chat that is not deleted.

        Raises:
            StoreError: there is no such chat.
        """
        rows = self._database.rows(
            _ChatRow,
            "SELECT id, title, title_is_automatic, is_pinned, created_unix_ms, updated_unix_ms, system_prompt,"
            " sampling, model, draft, uid FROM chats WHERE id = ? AND deleted_unix_ms IS NULL",
            (chat_id,),
        )
        if not rows:
            raise failures.gone(f"chat {chat_id}")
        return _chat(rows[0])

    def summaries(self) -> tuple[ChatSummary, ...]:
        """Return all chats that are not deleted: the pinned ones first, each part last updated first."""
        rows = self._database.rows(
            SummaryRow,
            f"SELECT {SUMMARY_COLUMNS} FROM chats WHERE deleted_unix_ms IS NULL"  # noqa: S608 - columns are constant
            " ORDER BY is_pinned DESC, updated_unix_ms DESC, id DESC",
        )
        return tuple(row.summary() for row in rows)

    def deleted_uids(self) -> frozenset[str]:
        """Return the keys of the chats that are deleted and not purged."""
        rows = self._database.rows(
            tuple[str, ChatId, int], "SELECT uid, id, created_unix_ms FROM chats WHERE deleted_unix_ms IS NOT NULL"
        )
        return frozenset(uid_of(*row) for row in rows)

    def rename(self, chat_id: ChatId, title: str) -> None:
        """Give a chat the user's title; an empty one is refused.

        Raises:
            InvalidRequestError: the title is empty.
        """
        line = title_line(title)
        if not line:
            raise InvalidRequestError("A chat cannot have an empty title.", "Write a title, or keep the present one.")
        self._change("title = ?, title_is_automatic = 0", (line,), chat_id)

    def set_automatic_title(self, chat_id: ChatId, title: str) -> bool:
        """Give a chat a title found for it; return False, and change nothing, if the user has named it."""
        with self._database.transaction():
            changed = self._database.write(
                "UPDATE chats SET title = ? WHERE id = ? AND title_is_automatic = 1 AND deleted_unix_ms IS NULL",
                (title_line(title), chat_id),
            )
        return changed > 0

    def set_pinned(self, chat_id: ChatId, *, is_pinned: bool) -> None:
        """Pin a chat to the top of the list, or let it go."""
        self._change("is_pinned = ?", (int(is_pinned),), chat_id)

    def set_system_prompt(self, chat_id: ChatId, system_prompt: str) -> None:
        """Change what precedes the conversation."""
        self._change("system_prompt = ?", (storable(system_prompt),), chat_id)

    def set_sampling(self, chat_id: ChatId, sampling: SamplingParams) -> None:
        """Change how tokens are chosen.

        Raises:
            InvalidRequestError: a value is out of range.
        """
        self._change("sampling = ?", (sampling_json(checked(sampling)),), chat_id)

    def set_model(self, chat_id: ChatId, model: str | None) -> None:
        """Note the model chosen for a chat."""
        self._change("model = ?", (_name(model),), chat_id)

    def save_draft(self, chat_id: ChatId, draft: str) -> None:
        """Keep what stands in the composer."""
        self._change("draft = ?", (storable(draft),), chat_id)

    def delete(self, chat_id: ChatId) -> None:
        """Take a chat out of lists and searches; `restore` brings it back until it is purged."""
        self._change("deleted_unix_ms = ?", (self._now_unix_ms(),), chat_id)

    def restore(self, chat_id: ChatId) -> None:
        """Bring a deleted chat back.

        Raises:
            StoreError: it has been purged.
        """
        with self._database.transaction():
            changed = self._database.write("UPDATE chats SET deleted_unix_ms = NULL WHERE id = ?", (chat_id,))
            if not changed:
                raise failures.gone(f"chat {chat_id}")

    def purge(self, *, deleted_before_unix_ms: int) -> None:
        """Remove for good the chats and messages that were deleted before a time."""
        with self._database.transaction():
            self._database.write("DELETE FROM chats WHERE deleted_unix_ms < ?", (deleted_before_unix_ms,))
            self._database.write("DELETE FROM messages WHERE deleted_unix_ms < ?", (deleted_before_unix_ms,))

    def _change(self, assignments: str, values: tuple[object, ...], chat_id: ChatId) -> None:
        parameters: Parameters = (*values, chat_id)
        with self._database.transaction():
            changed = self._database.write(
                f"UPDATE chats SET {assignments} WHERE id = ? AND deleted_unix_ms IS NULL",  # noqa: S608 - ours
                parameters,
            )
            if not changed:
                raise failures.gone(f"chat {chat_id}")


def uid_of(stored: str, chat_id: ChatId, created_unix_ms: int) -> str:
    """Return the key of a chat: what is stored, or for a chat of schema 1 what never changes of it."""
    return stored or f"{created_unix_ms:x}-{chat_id:x}"


def sampling_json(sampling: SamplingParams) -> str:
    """Return sampler settings as the database holds them."""
    return msgspec.json.encode(sampling).decode()


def sampling_from(content: str) -> SamplingParams:
    """Return stored sampler settings; the defaults where they do not make sense any more."""
    try:
        return checked(msgspec.json.decode(content, type=SamplingParams))
    except (msgspec.MsgspecError, InvalidRequestError):
        return SamplingParams()


def _name(model: str | None) -> str | None:
    return None if model is None else storable(model)


def _chat(row: _ChatRow) -> Chat:
    return Chat(
        id=row.id,
        title=row.title,
        title_is_automatic=bool(row.title_is_automatic),
        is_pinned=bool(row.is_pinned),
        created_unix_ms=row.created_unix_ms,
        updated_unix_ms=row.updated_unix_ms,
        system_prompt=row.system_prompt,
        sampling=sampling_from(row.sampling),
        model=row.model,
        draft=row.draft,
        uid=uid_of(row.uid, row.id, row.created_unix_ms),
    )
