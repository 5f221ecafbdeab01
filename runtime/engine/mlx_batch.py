"""Continuous batching: one evaluation of the model writes a token for each of several conversations.

Reading the weights is what writing a token costs, and a batch reads them once for all. Conversations join when their
prompt is read and leave when they end, between any two tokens; mlx-lm's batch caches (those of its `BatchGenerator`)
hold keys and values side by side, the shorter ones padded in front. A conversation alone is evaluated without all that.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol, runtime_checkable

import mlx.core as mx
from mlx.nn.layers.base import Module

from runtime.engine.mlx_cache import CacheLayer, KvCache
from runtime.engine.mlx_sampling import begin_evaluation, log_probabilities

CLEAR_EVERY_STEPS = 256
"""Freed buffers are given back this often, as in mlx-lm's own loops."""


class BatchLayer(CacheLayer, Protocol):
    """What mlx-lm keeps for one layer and several conversations."""

    def extend(self, other: BatchLayer) -> None:
        """Append the conversations of `other`."""
        ...

    def filter(self, keep: list[int]) -> None:
        """Keep the conversations at these places only."""
        ...

    def extract(self, place: int) -> CacheLayer:
        """Return what is kept of the conversation at `place`, by itself."""
        ...


@runtime_checkable
class MergeableLayer(Protocol):
    """A layer of one conversation that can become one of several."""

    def merge(self, layers: Sequence[CacheLayer]) -> BatchLayer:
        """Return `layers`, each of one conversation, side by side."""
        ...


class Chooser(Protocol):
    """How the tokens of a conversation are chosen; see `TokenChooser`."""

    @property
    def takes_the_best(self) -> bool:
        """Whether every token from now on is just the most probable one."""
        ...

    def choose(self, logits: mx.array, last: mx.array) -> mx.array:
        """Return the next token, shape (1,), from logits of shape (1, vocabulary) that follow the token `last`."""
        ...


class Writer(NamedTuple):
    """A conversation in a batch: who writes it, how its tokens are chosen, and its KV cache.

    As long as it is in the batch, the batch has the layers of the cache.
    """

    request_id: int
    chooser: Chooser
    cache: KvCache


class WritingBatch:
    """Conversations that write together, a token each a step. Alone, one is evaluated as by mlx-lm's own loop."""

    def __init__(self, network: Module) -> None:
        self._network = network
        self._writers: list[Writer] = []
        self._alone: list[CacheLayer] = []
        self._together: list[BatchLayer] = []
        self._next = mx.array([], dtype=mx.uint32)
        self._steps = 0

    @property
    def request_ids(self) -> list[int]:
        """Who writes, in the order in which `step` returns the tokens."""
        return [writer.request_id for writer in self._writers]

    @property
    def nbytes(self) -> int:
        """What the KV caches take in memory."""
        layers = sum(layer.nbytes for layer in self._layers if not layer.empty())
        return layers + sum(writer.cache.nbytes for writer in self._writers)

    @property
    def _layers(self) -> list[CacheLayer]:
        return [*self._alone, *self._together]

    def join(self, writer: Writer, first: mx.array) -> None:
        """Have a conversation write from the next step on, beginning with the token `first`; see `first_token`."""
        layers, writer.cache.layers = writer.cache.layers, []
        if not self._writers:
            self._alone, self._next = layers, first
        else:
            self._together = self._together or _side_by_side(self._alone)
            self._alone = []
            for layer, joining in zip(self._together, _side_by_side(layers), strict=True):
                layer.extend(joining)
            self._next = mx.concatenate([self._next, first])
        self._writers.append(writer)

    def leave(self, request_id: int) -> KvCache:
        """Take a conversation out and return its cache."""
        place = self.request_ids.index(request_id)
        cache = self._writers.pop(place).cache
        cache.layers = self._extracted(place)
        keep = [other for other in range(len(self._writers) + 1) if other != place]
        if len(keep) > 1:
            for layer in self._together:
                layer.filter(keep)
        else:
            self._alone, self._together = self._extracted(keep[0]) if keep else [], []
        self._next = self._next[mx.array(keep, dtype=mx.uint32)]
        # Otherwise it would hold on to the keys and values of all others.
        cache.evaluate()
        return cache

    def step(self) -> list[int]:
        """Return the next token of each conversation; the one after it is being computed by then."""
        tokens = self._next
        logits = _logits(self._network, tokens, self._layers)
        self._next = self._chosen(logits, tokens)
        begin_evaluation(self._next, [layer.state for layer in self._together])
        if self._steps % CLEAR_EVERY_STEPS == 0:
            mx.clear_cache()
        self._steps += 1
        return _whole_numbers(tokens)

    def _chosen(self, logits: mx.array, tokens: mx.array) -> mx.array:
        choosers = [writer.chooser for writer in self._writers]
        if len(choosers) == 1:
            return choosers[0].choose(logits, tokens)
        if all(chooser.takes_the_best for chooser in choosers):
            return mx.argmax(log_probabilities(logits), axis=-1)
        rows = [slice(place, place + 1) for place in range(len(choosers))]
        return mx.concatenate([one.choose(logits[row], tokens[row]) for one, row in zip(choosers, rows, strict=True)])

    def _extracted(self, place: int) -> list[CacheLayer]:
        return [layer.extract(place) for layer in self._together] if self._together else self._alone


def first_token(network: Module, cache: KvCache, last_token: int, chooser: Chooser) -> mx.array:
    """Evaluate the last token of a prompt whose rest is in `cache`; return what follows, shape (1,), unawaited."""
    last = mx.array([last_token], dtype=mx.uint32)
    first = chooser.choose(_logits(network, last, cache.layers), last)
    begin_evaluation(first)
    return first


def is_mergeable(cache: KvCache) -> bool:
    """Return whether every layer of `cache` is of a kind that can hold several conversations."""
    return all(isinstance(layer, MergeableLayer) for layer in cache.layers)


def _logits(network: Module, tokens: mx.array, layers: list[CacheLayer]) -> mx.array:
    """Return the logits after one more token of each conversation: (conversations,) → (conversations, vocabulary)."""
    logits: mx.array = network(tokens[:, None], cache=layers)
    return logits[:, -1, :]


def _side_by_side(layers: Sequence[CacheLayer]) -> list[BatchLayer]:
    """Return the layers of one conversation as those of a batch of one."""
    return [layer.merge([layer]) for layer in layers if isinstance(layer, MergeableLayer)]


def _whole_numbers(array: mx.array) -> list[int]:
    values = array.tolist()
    return [int(value) for value in values if isinstance(value, int)] if isinstance(values, list) else []
