"""A message as the database holds it, and as a value."""

from __future__ import annotations

import json
from array import array
from typing import TypeVar

import msgspec

from runtime.store.stored_text import storable
from runtime.values.chat import ChatId, ChatMessage, MessageId, MessageState
from runtime.values.errors import ErrorReport
from runtime.values.generation import GenerationStats, StopReason, TextKind
from runtime.values.model import Quantization
from runtime.values.prompt import Role

COLUMNS = (
    "messages.id, messages.chat_id, messages.parent_id, messages.role, messages.state, messages.stop_reason,"
    " messages.created_unix_ms, messages.reasoning_ms, messages.model, messages.quantization, messages.error,"
    " messages.stats, messages.reasoning, messages.text"
)
STATES = {state.value: state for state in MessageState}
STOP_REASONS = {reason.value: reason for reason in StopReason}
Stored = TypeVar("Stored")


class MessageRow(msgspec.Struct, array_like=True, frozen=True):
    """`COLUMNS` of a message."""

    id: MessageId
    chat_id: ChatId
    parent_id: MessageId | None
    role: str
    state: str
    stop_reason: str | None
    created_unix_ms: int
    reasoning_ms: float | None
    model: str | None
    quantization: str | None
    error: str | None
    stats: str | None
    reasoning: str
    text: str

    def message(self, sibling_ids: tuple[MessageId, ...]) -> ChatMessage:
        """Return the row as a value. What this version cannot make sense of is left out; the text never is."""
        return ChatMessage(
            id=self.id,
            chat_id=self.chat_id,
            parent_id=self.parent_id,
            sibling_ids=sibling_ids,
            role=Role.USER if self.role == Role.USER.value else Role.ASSISTANT,
            text=self.text,
            reasoning=self.reasoning,
            reasoning_ms=self.reasoning_ms,
            state=STATES.get(self.state, MessageState.INTERRUPTED),
            stop_reason=STOP_REASONS.get(self.stop_reason or ""),
            error=decoded(ErrorReport, self.error),
            model=self.model,
            quantization=decoded(Quantization, self.quantization),
            stats=decoded(GenerationStats, self.stats),
            created_unix_ms=self.created_unix_ms,
        )


class ChunkRow(msgspec.Struct, array_like=True, frozen=True):
    """A piece of a reply that is being written."""

    message_id: MessageId
    kind: str
    text: str


def with_chunks(row: MessageRow, chunks: list[ChunkRow]) -> MessageRow:
    """Return the row with the pieces of its text that are still stored apart."""
    answer = "".join(chunk.text for chunk in chunks if chunk.kind != TextKind.REASONING.value)
    reasoning = "".join(chunk.text for chunk in chunks if chunk.kind == TextKind.REASONING.value)
    return msgspec.structs.replace(row, text=row.text + answer, reasoning=row.reasoning + reasoning)


def encoded(value: msgspec.Struct | None) -> str | None:
    """Return a value as JSON text."""
    if value is None:
        return None
    return storable(json.dumps(msgspec.to_builtins(value), ensure_ascii=False, separators=(",", ":")))


def decoded(kind: type[Stored], content: str | None) -> Stored | None:
    """Return the value in JSON text; None if there is none or it cannot be read."""
    if content is None:
        return None
    try:
        return msgspec.json.decode(content, type=kind)
    except (msgspec.MsgspecError, RecursionError):
        return None


def without_token_times(stats: GenerationStats | None) -> GenerationStats | None:
    """Return the figures without the long list: it is stored apart, so that reading a chat stays quick."""
    return None if stats is None else msgspec.structs.replace(stats, token_times_ms=())


def packed_times(stats: GenerationStats) -> bytes:
    """Return the token times as 8-byte floats."""
    return array("d", stats.token_times_ms).tobytes()


def unpacked_times(content: bytes) -> tuple[float, ...]:
    """Return what `packed_times` packed."""
    times = array("d")
    times.frombytes(content[: len(content) // times.itemsize * times.itemsize])
    return tuple(times)
