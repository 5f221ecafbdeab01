"""What MLX runs on, and what it may do with the memory there: one policy, set once for a model, undone when it goes.

mlx-lm's `stream_generate` raises the wired limit to the recommended maximum at every call; on small Macs with several
streams that ended in panics of the whole machine. Here only what the model needs is wired, never more than most of the
recommended working set, and never while anything is being evaluated.
"""

from __future__ import annotations

import gc

import mlx.core as mx

from runtime.library.verdict import WORKING_SET_SHARE
from runtime.metrics.device import available_memory_bytes

CACHE_SHARE = 0.05
"""Of the same, for freed buffers that MLX keeps for reuse."""


def device_text() -> str:
    """Return what MLX runs on, for people."""
    name = mx.device_info().get("device_name", "unknown processor")
    return f"{name} (Metal)" if mx.metal.is_available() else f"{name} (CPU)"


def working_set_bytes() -> int | None:
    """Return the working set that Metal recommends; None where MLX runs on something else."""
    recommended = mx.device_info().get("max_recommended_working_set_size")
    return int(recommended) if mx.metal.is_available() and recommended else None


def usable_bytes() -> int:
    """Return what a model may take on this machine: on Metal a share of the working set, else what is free."""
    recommended = working_set_bytes()
    return available_memory_bytes() if recommended is None else int(recommended * WORKING_SET_SHARE)


def reserve(need_bytes: int) -> None:
    """Set the limits for a model that takes `need_bytes`; without Metal there is nothing to set."""
    recommended = working_set_bytes()
    if recommended is not None:
        mx.synchronize()
        mx.set_wired_limit(min(need_bytes, int(recommended * WORKING_SET_SHARE)))
        mx.set_cache_limit(int(recommended * CACHE_SHARE))


def release() -> None:
    """Give back what nothing refers to any more. Drop the references first."""
    mx.synchronize()
    gc.collect()
    mx.clear_cache()
    if working_set_bytes() is not None:
        mx.set_wired_limit(0)
