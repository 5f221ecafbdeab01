"""How near a reply came to the machine's limit: the roofline of writing text one token at a time.

Writing a token reads every weight that takes part in it, and the keys and values of everything before it, and computes
little with each of them. So memory sets the limit (the memory roof of the roofline model: Williams, Waterman and
Patterson, Communications of the ACM 52, 2009):

    ceiling tok/s = memory bandwidth, bytes/s ÷ bytes read per token
    share         = decode tok/s of the reply ÷ ceiling at the reply's mean context

The bandwidth is measured (`runtime.metrics.bandwidth`), the bytes are those of the model's tensors
(`runtime.library.decode_reads`). What is not known stays unknown; and where memory is not what limits a model, because
caches hold it, there is no share.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec

from runtime.values.generation import GenerationStats
from runtime.values.memory_reads import DecodeReads, MemoryBandwidth
from runtime.values.model import LoadedModel

MEASURING_ERROR = 0.1
"""A share may come out that much above 1 because bandwidth and speed are measured at different moments."""


class Bound(StrEnum):
    """What limits the speed of a reply."""

    MEMORY = "memory"
    CACHE = "cache"
    """The model fits in the processor's caches, which are faster than memory."""
    UNKNOWN = "unknown"
    """The reply was faster than memory was when it was measured: one of the two figures does not apply."""


class Roofline(msgspec.Struct, frozen=True, kw_only=True):
    """A reply against the machine's limit.

    Attributes:
        bound: what limits it.
        bandwidth_bytes_per_second: of the memory.
        bytes_per_token: read for each token, at the mean context of the reply.
        ceiling_tokens_per_second: what memory allows.
        tokens_per_second: what the reply came to.
        cached_bytes: what the caches were seen to hold.
    """

    bound: Bound
    bandwidth_bytes_per_second: float
    bytes_per_token: float
    ceiling_tokens_per_second: float
    tokens_per_second: float
    cached_bytes: int

    @property
    def share(self) -> float | None:
        """Part of the ceiling that was reached, 1 being all of it; None where memory is not the limit."""
        return self.tokens_per_second / self.ceiling_tokens_per_second if self.bound is Bound.MEMORY else None


def bytes_per_token(reads: DecodeReads, context_tokens: float) -> float:
    """Return the bytes read to write one token with `context_tokens` before it."""
    return reads.weights_bytes + kv_bytes(reads, context_tokens)


def kv_bytes(reads: DecodeReads, context_tokens: float) -> float:
    """Return what keys and values of `context_tokens` take: in layers with a window, no more than that holds."""
    return sum(
        layers.token_bytes
        * (context_tokens if layers.window_tokens is None else min(context_tokens, layers.window_tokens))
        for layers in reads.kv
    )


def ceiling_tokens_per_second(bandwidth_bytes_per_second: float, bytes_read_per_token: float) -> float | None:
    """Return the speed that memory allows; None where nothing is read."""
    return bandwidth_bytes_per_second / bytes_read_per_token if bytes_read_per_token > 0 else None


def mean_context_tokens(stats: GenerationStats) -> float:
    """Return how many tokens were before the one being written, averaged over the reply's intervals.

    The interval from token i to token i + 1 of n has the prompt and i tokens before it, i from 1 to n - 1.
    """
    return stats.context_used_tokens - stats.generated_tokens / 2


def reply_roofline(
    stats: GenerationStats, model: LoadedModel | None, bandwidth: MemoryBandwidth | None
) -> Roofline | None:
    """Return how near the reply with `stats` came to the limit; None where anything it takes is not known.

    `bandwidth` is that of the device `model` runs on; a reply of another model than that says nothing.
    """
    if model is None or bandwidth is None or model.decode_reads is None or stats.decode_tokens_per_second is None:
        return None
    if (stats.engine, stats.model, stats.quantization) != (model.engine, model.name, model.quantization):
        return None
    read = bytes_per_token(model.decode_reads, mean_context_tokens(stats))
    ceiling = ceiling_tokens_per_second(bandwidth.bytes_per_second, read)
    if ceiling is None:
        return None
    resident_bytes = model.weights_bytes + read - model.decode_reads.weights_bytes
    return Roofline(
        bound=_bound(resident_bytes, bandwidth.cached_bytes, stats.decode_tokens_per_second / ceiling),
        bandwidth_bytes_per_second=bandwidth.bytes_per_second,
        bytes_per_token=read,
        ceiling_tokens_per_second=ceiling,
        tokens_per_second=stats.decode_tokens_per_second,
        cached_bytes=bandwidth.cached_bytes,
    )


def _bound(resident_bytes: float, cached_bytes: int, share: float) -> Bound:
    """Return what limits a model of which `resident_bytes` are used in turn: of experts, each token has others."""
    if resident_bytes <= cached_bytes:
        return Bound.CACHE
    return Bound.MEMORY if share <= 1 + MEASURING_ERROR else Bound.UNKNOWN
