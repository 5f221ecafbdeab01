"""What is kept, row by row: a chat with a model, and what that takes in memory and on disk. No Qt."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from desktop.state.kv_caches_state import CacheKey, KvCachesState
from runtime.values.chat import ChatSummary


class CacheRow(msgspec.Struct, frozen=True, kw_only=True):
    """A chat as one model has read it.

    Attributes:
        key: what is kept of it.
        title: of the chat; empty where it is none of the chats here.
        memory_bytes: what it takes in memory; 0 for nothing.
        disk_bytes: what it takes on disk; 0 for nothing.
        tokens: the most tokens in any of its caches.
        used_s: when it was last used on disk, in seconds since 1970; None if it is in memory alone.
    """

    key: CacheKey
    title: str
    memory_bytes: int = 0
    disk_bytes: int = 0
    tokens: int = 0
    used_s: float | None = None


def cache_rows(caches: KvCachesState, chats: Sequence[ChatSummary]) -> tuple[CacheRow, ...]:
    """Return what is kept: first what is in memory, then what was used last."""
    titles = {chat.uid: chat.title for chat in chats}
    rows: dict[CacheKey, CacheRow] = {}

    def row_of(conversation: str, model: str) -> CacheRow:
        key = CacheKey(conversation, model)
        return rows.setdefault(key, CacheRow(key=key, title=titles.get(conversation, "")))

    for kept in caches.kept:
        row = row_of(kept.conversation, caches.model_name)
        rows[row.key] = msgspec.structs.replace(
            row, memory_bytes=row.memory_bytes + kept.nbytes, tokens=max(row.tokens, kept.tokens)
        )
    for stored in caches.stored:
        row = row_of(stored.conversation, stored.model)
        rows[row.key] = msgspec.structs.replace(
            row,
            disk_bytes=row.disk_bytes + stored.nbytes,
            tokens=max(row.tokens, stored.tokens),
            used_s=max(row.used_s or 0.0, stored.used_s),
        )
    return tuple(sorted(rows.values(), key=lambda row: (not row.memory_bytes, -(row.used_s or 0.0))))
