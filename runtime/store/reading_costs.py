"""What it takes to read a chat again, from the figures of replies: how long it is, and how fast models read."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from runtime.store.database import Database
from runtime.values.chat import ChatId

LEAST_RATED_TOKENS = 64
"""A prompt of fewer tokens says little of how fast long ones are read."""
PREFILL = "json_extract(stats, '$.ttft_parts.prefill_ms')"
EVALUATED = "(json_extract(stats, '$.prompt_tokens') - json_extract(stats, '$.cached_tokens'))"


class ReadingCosts:
    """Looks at replies. Every call may raise `StoreError`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def contexts(self, chat_ids: Iterable[ChatId]) -> dict[ChatId, int]:
        """Return how many tokens each of the chats took with its last reply; chats without figures are left out."""
        rows = self._database.rows(
            tuple[ChatId, int | None],
            "SELECT chat_id, json_extract(stats, '$.context_used_tokens') FROM messages WHERE id IN"
            " (SELECT max(id) FROM messages WHERE chat_id IN (SELECT value FROM json_each(?))"
            " AND stats IS NOT NULL AND deleted_unix_ms IS NULL GROUP BY chat_id)",
            (msgspec.json.encode(list(chat_ids)).decode(),),
        )
        return {chat_id: tokens for chat_id, tokens in rows if tokens is not None}

    def ms_per_token(self, model: str, engine: str) -> float | None:
        """Return how long `model` took last to read a token of a prompt, in ms; None if no prompt was long enough."""
        rows = self._database.rows(
            tuple[float | None],
            f"SELECT {PREFILL} / {EVALUATED} FROM messages WHERE stats IS NOT NULL"  # noqa: S608 - ours
            " AND json_extract(stats, '$.model') = ? AND json_extract(stats, '$.engine') = ?"
            f" AND {PREFILL} > 0 AND {EVALUATED} >= ? ORDER BY id DESC LIMIT 1",
            (model, engine, LEAST_RATED_TOKENS),
        )
        return rows[0][0] if rows else None
