"""What writing together gains on MLX, and what it costs one conversation alone, without worker and scheduler.

A batch of 1, 2, 4 and 8 against mlx-lm's own loop with one conversation, interleaved in one process. The first ratio
is what the product's loop costs where nothing is shared; the others are how many times as many tokens come in all.

    uv run python -m tests.benchmarks.mlx_batching --rounds 10
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from functools import partial
from pathlib import Path
from time import perf_counter

import mlx.core as mx
from mlx.nn.layers.base import Module
from mlx_lm.generate import generate_step

from runtime.bench.prompts import random_ids
from runtime.engine.mlx_batch import Writer, WritingBatch, first_token
from runtime.engine.mlx_cache import new_cache
from runtime.engine.mlx_evaluation import evaluate_chunk
from runtime.engine.mlx_loading import MlxModel, load_mlx_model
from runtime.engine.mlx_sampling import TokenChooser
from runtime.library.reader import read_spec
from runtime.values.sampling import GREEDY
from tests.benchmarks.bench_against_raw_loop import SEED, SMALL
from tests.benchmarks.interleaved import machine, measure, paired_ratio, summary
from tests.models.random_mlx import write_random_mlx

SIZES = (1, 2, 4, 8)
PROMPT_TOKENS = 16
BARE = "mlx_lm generate_step"


def bare_speed(network: Module, prompt: tuple[int, ...], tokens: int) -> float:
    """Return tokens per second of mlx-lm's own loop, over the intervals between tokens."""
    steps = generate_step(mx.array(prompt, dtype=mx.uint32), network, max_tokens=tokens + 1)
    times = [perf_counter() for _ in steps]
    return tokens / (times[-1] - times[0])


def batch_speed(model: MlxModel, prompts: list[tuple[int, ...]], tokens: int) -> float:
    """Return tokens per second of all conversations of a batch together."""
    batch = WritingBatch(model.network)
    for number, prompt in enumerate(prompts):
        cache = new_cache(model.network, None)
        evaluate_chunk(model.network, cache, prompt[:-1])
        chooser = TokenChooser(GREEDY, prompt, 0)
        batch.join(Writer(number, chooser, cache), first_token(model.network, cache, prompt[-1], chooser))
    batch.step()
    begun = perf_counter()
    for _ in range(tokens):
        batch.step()
    return tokens * len(prompts) / (perf_counter() - begun)


def parsed() -> argparse.Namespace:
    """Return the options."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--tokens", type=int, default=32)
    parser.add_argument(
        "--model", type=Path, default=None, help="an MLX directory (default: 12 million random weights)"
    )
    return parser.parse_args()


def main() -> None:
    """Measure and print."""
    options = parsed()
    path = options.model or Path(tempfile.gettempdir()) / "first-token-models" / "random-12m-f32"
    if not path.exists():
        write_random_mlx(path, SMALL)
    spec = read_spec(path)
    model = load_mlx_model(spec, lambda _fraction: None)
    prompts = [random_ids(SEED, f"user {number}", PROMPT_TOKENS, model.vocabulary_size) for number in range(max(SIZES))]
    variants = {BARE: partial(bare_speed, model.network, prompts[0], options.tokens)}
    for size in SIZES:
        variants[f"batch of {size}"] = partial(batch_speed, model, prompts[:size], options.tokens)
    samples = measure(variants, options.rounds)
    sys.stdout.write(f"{machine()}\n{path.name} ({spec.quantization.name}), {options.tokens} tokens each\n")
    for name, values in samples.items():
        sys.stdout.write(f"{summary(name, values, 'tok/s')}; ÷ {BARE}: {paired_ratio(values, samples[BARE])}\n")


if __name__ == "__main__":
    main()
