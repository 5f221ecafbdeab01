"""Which KV caches on disk are worth reading, and which in memory worth writing: what that saves, and what it costs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from runtime.engine.common_prefix import common_prefix
from runtime.kv_store.folder import KvEntry
from runtime.values.generation import Finished, GenerationEvent

GAIN_SHARE = 4
"""A cache on disk must save more than the best one in memory: by this part of the shortest worth writing."""
COVERED_SHARE = 0.9
"""A conversation of which so much is on disk is not written again: writing wears the disk."""
LEAST_RATED_TOKENS = 16


class PrefillSpeed:
    """How long prompts take to read, learned from replies.

    Attributes:
        ms_per_token: of the last prompt that was long enough to tell.
    """

    def __init__(self) -> None:
        self.ms_per_token = 1.0

    def note(self, events: Iterable[GenerationEvent]) -> None:
        """Learn from the replies that ended."""
        for event in events:
            if isinstance(event, Finished) and event.stats.ttft_parts is not None:
                evaluated = event.stats.prompt_tokens - event.stats.cached_tokens
                if evaluated >= LEAST_RATED_TOKENS:
                    self.ms_per_token = event.stats.ttft_parts.prefill_ms / evaluated


def most_saving(
    entries: Iterable[KvEntry], saved_by: Callable[[KvEntry], int], cached_tokens: int, least_tokens: int
) -> KvEntry | None:
    """Return the cache on disk that saves most; None if none saves much more than the `cached_tokens` in memory.

    Args:
        entries: the caches on disk.
        saved_by: how many tokens of a prompt one of them saves.
        cached_tokens: how many the best one in memory does.
        least_tokens: the shortest conversation worth writing.
    """
    found = [(saved_by(entry), entry) for entry in entries]
    saved, entry = max(found, key=lambda one: one[0], default=(0, None))
    return entry if saved >= cached_tokens + max(1, least_tokens // GAIN_SHARE) else None


def is_covered(entries: Iterable[KvEntry], tokens: Sequence[int], length: int) -> bool:
    """Return whether most of a conversation of `length` tokens, which begins with `tokens`, is on disk already."""
    covered = (common_prefix(entry.record.tokens, tuple(tokens)) for entry in entries)
    return max(covered, default=0) >= COVERED_SHARE * length
