"""What the KV caches of conversations that wait for their next turn may take in memory, where the user has not said."""

from __future__ import annotations

SPARE_SHARE = 4
MOST_SPARE_BYTES = 8 << 30


def default_kept_bytes(spare_bytes: int) -> int:
    """Return what they may take besides one full context: a quarter of what the model leaves free, at most 8 GiB."""
    return min(MOST_SPARE_BYTES, max(0, spare_bytes) // SPARE_SHARE)
