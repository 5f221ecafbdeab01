"""How far two sequences of tokens are the same: what decides whether a KV cache is of use for a prompt."""

from __future__ import annotations

from collections.abc import Sequence

COMPARED_AT_ONCE = 512


def common_prefix(one: Sequence[int], other: Sequence[int]) -> int:
    """Return how many tokens two sequences of the same type share from the beginning on."""
    limit = min(len(one), len(other))
    start = 0
    while start < limit and one[start : start + COMPARED_AT_ONCE] == other[start : start + COMPARED_AT_ONCE]:
        start += COMPARED_AT_ONCE
    return next((place for place in range(start, limit) if one[place] != other[place]), limit)
