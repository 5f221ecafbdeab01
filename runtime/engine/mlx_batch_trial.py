"""Whether a model can write for several conversations at once: two short texts are tried, together and each alone.

Not every kind of KV cache can hold several conversations, and an architecture that does not heed their padding would
write nonsense without a word.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import mlx.core as mx
from mlx.nn.layers.base import Module

from runtime.engine.mlx_batch import Writer, WritingBatch, first_token, is_mergeable
from runtime.engine.mlx_cache import KvCache

TEXTS = ((0, 1, 1, 0, 1, 0, 0), (1, 0))
REPLIES = ((1, 0, 1), (0, 1, 0))
LARGEST_DEVIATION = 0.05
"""Of the spread of the logits, that those of a batch may be away from those of the same text alone.

Rounding makes up to 0.01 in 16 bits; a model that takes a padded position for its own is far beyond.
"""


class ScriptedChooser:
    """Chooses what it was told to, and notes the logits that it was shown."""

    takes_the_best = False

    def __init__(self, reply: Sequence[int]) -> None:
        self.seen: list[mx.array] = []
        self._reply = reply

    def choose(self, logits: mx.array, last: mx.array) -> mx.array:
        """See `Chooser.choose`."""
        self.seen.append(logits.astype(mx.float32))
        return mx.array([self._reply[(len(self.seen) - 1) % len(self._reply)]], dtype=last.dtype)


def can_batch(network: Module, new_cache: Callable[[], KvCache]) -> bool:
    """Return whether `network` says the same of two texts of unlike lengths together as of each alone."""
    if not is_mergeable(new_cache()):
        return False
    try:
        alone = [one for place in range(len(TEXTS)) for one in _written(network, new_cache, [place])]
        together = _written(network, new_cache, range(len(TEXTS)))
        return all(_deviation(one, other) <= LARGEST_DEVIATION for one, other in zip(alone, together, strict=True))
    except Exception:  # noqa: BLE001 - whatever an architecture makes of caches that it does not know
        return False


def _written(network: Module, new_cache: Callable[[], KvCache], places: Sequence[int]) -> list[mx.array]:
    """Return the logits after each token of the replies at `places`, (tokens, vocabulary) for each of them."""
    batch, choosers = WritingBatch(network), [ScriptedChooser(REPLIES[place]) for place in places]
    for place, chooser in zip(places, choosers, strict=True):
        cache, text = new_cache(), TEXTS[place]
        network(mx.array([text[:-1]]), cache=cache.layers)
        batch.join(Writer(place, chooser, cache), first_token(network, cache, text[-1], chooser))
    for _ in REPLIES[0]:
        batch.step()
    return [mx.concatenate(chooser.seen) for chooser in choosers]


def _deviation(one: mx.array, other: mx.array) -> float:
    """Return the largest difference, as a share of the spread of `one`; infinite where either is no number."""
    found = (mx.max(mx.abs(one - other)) / (mx.max(one) - mx.min(one))).item()
    return found if isinstance(found, float) and not math.isnan(found) else math.inf
