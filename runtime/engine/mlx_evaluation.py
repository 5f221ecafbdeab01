"""Having MLX evaluate tokens: the prompt in chunks, so that a cancel is heard soon, then the reply token by token."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import mlx.core as mx
from mlx.nn.layers.base import Module
from mlx_lm.generate import generate_step

from runtime.engine.mlx_cache import KvCache
from runtime.engine.mlx_sampling import TokenChooser

METAL_CHUNK_TOKENS = 512
CPU_CHUNK_WORK = {4: 200_000_000, 2: 8_000_000}
"""Parameters × tokens that the CPU backend evaluates in about 0.2 s, by the bytes of an activation.

Measured in one thread: 2.4 GFLOP/s in 32-bit floats, and 20 to 30 times less in 16-bit ones, which it emulates.
"""
CPU_CHUNK_RANGE = (4, 512)


def default_chunk_tokens(parameters: int, activation_bytes: int) -> int:
    """Return how many prompt tokens to evaluate between two looks at the cancel flag.

    Metal needs wide chunks to reach its speed. The CPU backend is as fast with narrow ones, so a chunk is as wide as
    0.2 s allow. It depends on the model alone, never on the clock: where a prompt is cut changes the last bits of what
    comes out, and a seeded reply must be the same every time.
    """
    if mx.metal.is_available():
        return METAL_CHUNK_TOKENS
    least, most = CPU_CHUNK_RANGE
    return max(least, min(most, CPU_CHUNK_WORK[activation_bytes] // max(parameters, 1)))


def prefill(
    network: Module, cache: KvCache, prompt: Sequence[int], cached_tokens: int, chunk_tokens: int
) -> Iterator[int]:
    """Evaluate the prompt from `cached_tokens` on, up to its last token, which `decode` begins with.

    mlx-lm's own prefill runs within one step of `generate_step` and cannot be left between chunks.

    Yields:
        How many tokens of the prompt are evaluated, after each chunk.
    """
    start, end = cached_tokens, len(prompt) - 1
    while start < end:
        stop = cache.next_stop(start, min(start + chunk_tokens, end))
        network(mx.array([prompt[start:stop]], dtype=mx.uint32), cache=cache.layers)
        cache.evaluate()
        cache.reached(stop)
        mx.clear_cache()
        yield stop
        start = stop


def decode(
    network: Module, cache: KvCache, last_token: int, chooser: TokenChooser, on_prefilled: Callable[[], None]
) -> Iterator[int]:
    """Evaluate the last token of the prompt, then generate without end.

    Everything runs on the default stream: `generate_step` changes the stream for as long as it lives, so several of
    them would leave each other's behind.

    Args:
        network: the model.
        cache: holds the prompt except its last token.
        last_token: that token.
        chooser: chooses the tokens.
        on_prefilled: called when `last_token` is evaluated, before the first token comes out.

    Yields:
        Each token as soon as it is known; the next one is being computed by then.
    """

    def note_progress(done: int, total: int) -> None:
        if done == total:
            on_prefilled()

    steps = generate_step(
        mx.array([last_token], dtype=mx.uint32),
        network,
        stream=mx.default_stream(mx.default_device()),
        max_tokens=-1,
        sampler=chooser.draw,
        logits_processors=chooser.logits_processors,
        prompt_cache=cache.layers,
        prompt_progress_callback=note_progress,
    )
    for token, _ in steps:
        yield int(token)
