"""What writing one token reads from memory, and how fast memory gives it: the two sides of the roofline."""

from __future__ import annotations

import msgspec


class KvReads(msgspec.Struct, frozen=True, kw_only=True):
    """Keys and values that every new token looks back at, in layers with the same window.

    Attributes:
        token_bytes: what one token of the context takes in all of these layers.
        window_tokens: tokens these layers look back at most; None: the whole context.
    """

    token_bytes: float
    window_tokens: int | None = None


class DecodeReads(msgspec.Struct, frozen=True, kw_only=True):
    """What has to be read from memory to write one token.

    Attributes:
        weights_bytes: the weights that take part: without tables that are only looked up, and of experts as many as a
            token uses.
        kv: the KV cache.
        prompt_weights_bytes: of the weights, what each token of a prompt is multiplied with; None where unknown.
    """

    weights_bytes: int
    kv: tuple[KvReads, ...] = ()
    prompt_weights_bytes: int | None = None


class MemoryBandwidth(msgspec.Struct, frozen=True, kw_only=True):
    """How fast the memory that a model lies in was read, by the device that computes the model.

    Attributes:
        bytes_per_second: of the fastest round; anything that disturbs a round only makes it slower.
        median_bytes_per_second: of the round in the middle.
        slowest_bytes_per_second: of the slowest round.
        rounds: how often the buffer was read.
        buffer_bytes: its size.
        cached_bytes: the largest part of it that was read clearly faster when it was read alone, because caches hold
            it; 0 if no part was.
        reader: what read it, for example "2 CPU threads".
        flops_per_second: the other roof: floating-point operations a second of the same device in the fastest product
            of two matrices; None where nothing here can tell.
    """

    bytes_per_second: float
    median_bytes_per_second: float
    slowest_bytes_per_second: float
    rounds: int
    buffer_bytes: int
    cached_bytes: int
    reader: str
    flops_per_second: float | None = None
