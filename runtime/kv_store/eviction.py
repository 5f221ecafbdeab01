"""Which KV caches to give up when the budget is spent: those worth least for what they take.

    cost of keeping = bytes × age ÷ time saved

A large cache that was last used long ago, and whose tokens are read again in no time, goes first.
"""

from __future__ import annotations

from collections.abc import Sequence

from runtime.kv_store.folder import KvEntry

LEAST_AGE_S = 1.0
"""Also of what was used in the future, as the clock was set back since."""
LEAST_SAVED_MS = 1.0
GB = 10**9
MOST_DEFAULT_BYTES = 10 * GB
FREE_SHARE = 10
RESERVE_BYTES = GB
"""What is left free on the disk, whatever the budget."""


def keeping_cost(entry: KvEntry, now_s: float) -> float:
    """Return bytes × seconds ÷ milliseconds saved: the higher, the sooner it goes."""
    age_s = max(now_s - entry.used_s, LEAST_AGE_S)
    return entry.total_bytes * age_s / max(entry.record.saved_ms, LEAST_SAVED_MS)


def to_evict(entries: Sequence[KvEntry], needed_bytes: int, budget_bytes: int, now_s: float) -> list[KvEntry]:
    """Return what has to go so that `needed_bytes` more stay within the budget."""
    excess_bytes = sum(entry.total_bytes for entry in entries) + needed_bytes - budget_bytes
    evicted: list[KvEntry] = []
    for entry in sorted(entries, key=lambda entry: keeping_cost(entry, now_s), reverse=True):
        if excess_bytes <= 0:
            break
        evicted.append(entry)
        excess_bytes -= entry.total_bytes
    return evicted


def default_budget_bytes(free_bytes: int, used_bytes: int) -> int:
    """Return what KV caches may take on disk, where the user has not said.

    A tenth of what is free, counting what they take already, and at most 10 GB: of the 256 GB of the smallest Mac mini
    that is 4 %, and holds 20 chats of 4,000 tokens with a model of half a billion parameters.
    """
    return min(MOST_DEFAULT_BYTES, (free_bytes + used_bytes) // FREE_SHARE)
