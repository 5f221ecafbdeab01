"""What the built-in benchmark reports against the closest raw loop: pp512 and tg128, interleaved within one run.

For llama.cpp that is the library's server asked directly in this process: reading by the wall clock around a blocking
request for one token, writing by the server's own clock over the intervals between tokens. For MLX it is mlx-lm's
`generate_step`, token ids in and out, and `stream_generate`, which `mlx_lm.benchmark` times and which turns tokens into
text besides: its prompt_tps as it is, its generation_tps corrected, since it divides n + 1 tokens by the time of n
intervals. All have the chunk size and the threads that the engine has, and the environment that workers have: how long
OpenMP's threads spin makes several per cent. So does where in memory weights come to lie: each session loads anew.

    uv run python -m tests.benchmarks.bench_against_raw_loop --engine llamacpp --rounds 8 --sessions 3
    uv run python -m tests.benchmarks.bench_against_raw_loop --engine mlx --test pp
    uv run python -m tests.benchmarks.bench_against_raw_loop --engine mlx --test tg --large --rounds 4
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from functools import partial
from importlib import import_module
from pathlib import Path
from time import perf_counter
from typing import NamedTuple, Protocol

import mlx.core as mx
from mlx.nn.layers.base import Module
from mlx_lm.generate import generate_step

from runtime.bench.prompts import random_ids
from runtime.bench.workload import Decode, Prefill, Workload, name_of
from runtime.client.base import ModelToLoad
from runtime.engine.llamacpp_threads import busy_cores, choose_threads
from runtime.engine.mlx_evaluation import default_chunk_tokens
from runtime.library.reader import read_spec
from runtime.metrics.device import read_device
from runtime.values.model import EngineName, LoadOptions
from runtime.worker.child import WORKER_ENVIRONMENT
from tests.benchmarks.built_in import BuiltIn
from tests.benchmarks.interleaved import machine, measure, paired_ratio, summary
from tests.benchmarks.large_models import large_model
from tests.benchmarks.llamacpp_bare_loop import BATCH_TOKENS, BareLoop
from tests.models.random_gguf import GgufRecipe
from tests.models.random_mlx import write_random_mlx

SEED = 42
OURS = "built in"
# 12 million parameters: MLX's CPU backend reads some hundred tokens a second with that.
SMALL = GgufRecipe(layers=6, hidden=384, feed_forward=1024, heads=6, kv_heads=3, head_dim=64, context_tokens=2048)


class RawLoop(Protocol):
    """A loop without anything of ours; both give tokens per second."""

    @property
    def name(self) -> str:
        """What it is."""
        ...

    def prefill_speed(self, prompt: tuple[int, ...]) -> float:
        """Read `prompt`."""
        ...

    def decode_speed(self, tokens: int) -> float:
        """Write `tokens` after a first one."""
        ...

    def close(self) -> None:
        """Drop the model, where it is this loop's own."""
        ...


class LlamaServerLoop:
    """xllamacpp's server, asked by a blocking call."""

    name = "xllamacpp's server"

    def __init__(self, path: Path, *, context_tokens: int, threads: int) -> None:
        self._bare = BareLoop(path, context_tokens=context_tokens, threads=threads)

    def prefill_speed(self, prompt: tuple[int, ...]) -> float:
        """See `RawLoop`."""
        return self._bare.prefill_speed(prompt)

    def decode_speed(self, tokens: int) -> float:
        """See `RawLoop`."""
        return self._bare.decode_speed((1,), tokens + 1)

    def close(self) -> None:
        """See `RawLoop`."""
        self._bare.close()


class _MlxModel(NamedTuple):
    """A model as mlx-lm loads it, and the chunk size to read prompts with."""

    network: Module
    tokenizer: object
    chunk_tokens: int


class MlxStreamLoop:
    """`mlx_lm.stream_generate`, as mlx-lm's benchmark calls it: turning tokens into text is part of it."""

    name = "mlx_lm.stream_generate, corrected"

    def __init__(self, model: _MlxModel) -> None:
        self._model = model
        self._generate = import_module("mlx_lm").stream_generate

    def prefill_speed(self, prompt: tuple[int, ...]) -> float:
        """See `RawLoop`."""
        return self._last(prompt, 1)[0]

    def decode_speed(self, tokens: int) -> float:
        """See `RawLoop`."""
        return self._last((1,), tokens + 1)[1] * tokens / (tokens + 1)

    def close(self) -> None:
        """See `RawLoop`."""

    def _last(self, prompt: tuple[int, ...], tokens: int) -> tuple[float, float]:
        network, tokenizer, chunk_tokens = self._model
        *_, last = self._generate(network, tokenizer, list(prompt), max_tokens=tokens, prefill_step_size=chunk_tokens)
        return float(last.prompt_tps), float(last.generation_tps)


class MlxStepLoop:
    """`mlx_lm`'s `generate_step` alone: token ids in, token ids out."""

    name = "mlx_lm generate_step"

    def __init__(self, model: _MlxModel) -> None:
        self._model = model

    def prefill_speed(self, prompt: tuple[int, ...]) -> float:
        """See `RawLoop`."""
        begun = perf_counter()
        return len(prompt) / (self._times(prompt, 1)[0] - begun)

    def decode_speed(self, tokens: int) -> float:
        """See `RawLoop`."""
        times = self._times((1,), tokens + 1)
        return tokens / (times[-1] - times[0])

    def close(self) -> None:
        """See `RawLoop`."""

    def _times(self, prompt: tuple[int, ...], tokens: int) -> list[float]:
        network, _, chunk_tokens = self._model
        steps = generate_step(
            mx.array(prompt, dtype=mx.uint32), network, max_tokens=tokens, prefill_step_size=chunk_tokens
        )
        return [perf_counter() for _ in steps]


def loaded_by_mlx_lm(path: Path, chunk_tokens: int) -> _MlxModel:
    """Load a model as mlx-lm's benchmark does."""
    network, tokenizer = import_module("mlx_lm").load(str(path))
    tokenizer._eos_token_ids = {}  # noqa: SLF001 - as mlx_lm.benchmark does, to avoid early stopping
    return _MlxModel(network, tokenizer, chunk_tokens)


def parsed() -> argparse.Namespace:
    """Return the options."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--engine", choices=("llamacpp", "mlx"), default="llamacpp")
    parser.add_argument("--rounds", type=int, default=8, help="in each session")
    parser.add_argument("--sessions", type=int, default=1)
    parser.add_argument("--test", choices=("pp", "tg", "both"), default="both")
    parser.add_argument(
        "--large", action="store_true", help="MLX: 0.33 billion parameters, whose prefill takes minutes"
    )
    parser.add_argument("--prompt-tokens", type=int, default=512)
    parser.add_argument("--generate-tokens", type=int, default=128)
    parser.add_argument("--threads", type=int, default=None, help="llama.cpp threads (default: the engine's choice)")
    parser.add_argument("--models", type=Path, default=Path(tempfile.gettempdir()) / "first-token-models")
    return parser.parse_args()


def opened(options: argparse.Namespace) -> tuple[ModelToLoad, tuple[RawLoop, ...]]:
    """Return how the product loads the model, and raw loops with the same model loaded alike."""
    context = options.prompt_tokens + options.generate_tokens + 2
    if options.engine == "llamacpp":
        path = large_model(EngineName.LLAMACPP, options.models)
        threads = options.threads or choose_threads(None, read_device(), path.stat().st_size, busy_cores).decode
        load = LoadOptions(context_tokens=context, threads=threads, prefill_chunk_tokens=BATCH_TOKENS)
        server = LlamaServerLoop(path, context_tokens=context, threads=threads)
        return ModelToLoad(engine=EngineName.LLAMACPP, path=str(path), options=load), (server,)
    path = large_model(EngineName.MLX, options.models) if options.large else options.models / "random-12m-f32"
    if not path.exists():
        write_random_mlx(path, SMALL)
    spec = read_spec(path)
    chunk = default_chunk_tokens(spec.parameters, spec.kv_element_bytes)
    load = LoadOptions(context_tokens=context, prefill_chunk_tokens=chunk)
    model = loaded_by_mlx_lm(path, chunk)
    loops = (MlxStepLoop(model), MlxStreamLoop(model))
    return ModelToLoad(engine=EngineName.MLX, path=str(path), options=load), loops


Samples = dict[str, list[float]]


def session(options: argparse.Namespace) -> dict[str, Samples]:
    """Load everything, measure, and return the samples test by test."""
    model, loops = opened(options)
    built_in = BuiltIn(model)
    sys.stdout.write(f"{built_in.model.engine_version}, {Path(model.path).name}, {model.options}\n")
    prompt = random_ids(SEED, "raw", options.prompt_tokens, built_in.model.vocabulary_size)
    reading = {loop.name: partial(loop.prefill_speed, prompt) for loop in loops}
    writing = {loop.name: partial(loop.decode_speed, options.generate_tokens) for loop in loops}
    tests: tuple[tuple[Workload, dict[str, partial[float]]], ...] = (
        (Prefill(options.prompt_tokens), reading),
        (Decode(options.generate_tokens), writing),
    )
    chosen = {"pp": tests[:1], "tg": tests[1:], "both": tests}[options.test]
    try:
        return {
            name_of(workload): measure({OURS: partial(built_in.speed, workload), **raw}, options.rounds)
            for workload, raw in chosen
        }
    finally:
        built_in.close()
        for loop in loops:
            loop.close()


def main() -> None:
    """Measure and print."""
    begin_as_a_worker_does()
    options = parsed()
    sys.stdout.write(f"{machine()}\n")
    together: dict[str, Samples] = {}
    for _ in range(options.sessions):
        for test, samples in session(options).items():
            for name, values in samples.items():
                together.setdefault(test, {}).setdefault(name, []).extend(values)
    for test, samples in together.items():
        report(test, samples)


def begin_as_a_worker_does() -> None:
    """Start this program anew with a worker's environment, which libraries read when they are loaded."""
    if not WORKER_ENVIRONMENT.items() <= os.environ.items():
        module = "tests.benchmarks.bench_against_raw_loop"
        command = [sys.executable, "-m", module, *sys.argv[1:]]
        raise SystemExit(subprocess.run(command, env={**os.environ, **WORKER_ENVIRONMENT}, check=False).returncode)


def report(test: str, samples: Samples) -> None:
    """Print what each came to, and the ratio."""
    for name, values in samples.items():
        sys.stdout.write(summary(f"{test}, {name}", values, "tok/s") + "\n")
    for name, values in samples.items():
        if name != OURS:
            sys.stdout.write(f"{test}: {OURS} ÷ {name}: {paired_ratio(samples[OURS], values)}\n")


if __name__ == "__main__":
    main()
