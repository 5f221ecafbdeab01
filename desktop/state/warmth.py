"""How warm a chat is: where what was read of it is kept, and how long its next reply will take to begin. No Qt."""

from __future__ import annotations

from enum import Enum

import msgspec

from runtime.values.wording import milliseconds_text


class Warmth(Enum):
    """Where the KV cache of a chat is; unknown is a chat that nothing was measured of."""

    UNKNOWN = "unknown"
    COLD = "cold"
    DISK = "disk"
    MEMORY = "memory"


class ChatWarmth(msgspec.Struct, frozen=True, kw_only=True):
    """How warm one chat is.

    Attributes:
        warmth: where its KV cache is.
        tokens_to_read: how many tokens of it are not in that cache; None where that is not known.
        predicted_ms: how long the loaded model takes to read them; None where that is not known.
    """

    warmth: Warmth = Warmth.UNKNOWN
    tokens_to_read: int | None = None
    predicted_ms: float | None = None


def chat_warmth(context_tokens: int | None, in_memory: int, on_disk: int, ms_per_token: float | None) -> ChatWarmth:
    """Return how warm a chat is of which so many tokens are kept in memory and on disk."""
    if context_tokens is None and not (in_memory or on_disk):
        return ChatWarmth()
    warmth = Warmth.MEMORY if in_memory else Warmth.DISK if on_disk else Warmth.COLD
    if context_tokens is None:
        return ChatWarmth(warmth=warmth)
    to_read = max(0, context_tokens - (in_memory or on_disk))
    predicted_ms = None if ms_per_token is None else to_read * ms_per_token
    return ChatWarmth(warmth=warmth, tokens_to_read=to_read, predicted_ms=predicted_ms)


def about(predicted_ms: float) -> str:
    """Return a time that is only foretold."""
    return milliseconds_text(float(f"{predicted_ms:.2g}"))
