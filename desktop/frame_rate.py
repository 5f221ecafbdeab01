"""How often new text is shown: with every frame, or less often where a model needs every core of the machine.

A model's threads work in lock-step, so what the window computes on one of its cores all of them wait for. Where a core
is left to the window, or an accelerator writes, that costs nothing, and text comes with every frame.
"""

from __future__ import annotations

from runtime.values.model import LoadedModel

FRAME_S = 1 / 60
SHARED_CORE_S = 1 / 5
"""A few words at a time: showing them costs about 3 ms, and all of that must not slow such a machine by a percent."""


def text_interval_s(model: LoadedModel, usable_cores: int) -> float:
    """Return how long text of `model` waits for more, after text was shown."""
    threads = model.decode_threads
    return SHARED_CORE_S if threads is not None and threads >= usable_cores else FRAME_S
