"""The built-in benchmark on a native `llama-server` against `llama-bench` of the same build: `pp512` and `tg128`.

On the random-weight model of 0.3 billion parameters, made on the first run; one run of `llama-bench` and one of the
product by turns. Both programs are named, as no build of them comes with the app.

    uv run python -m tests.benchmarks.native_server --programs BUILD/bin --rounds 10
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

import msgspec

from runtime.bench.workload import Decode, Prefill, Workload
from runtime.client.base import ModelToLoad
from runtime.engine.llamacpp_threads import busy_cores, choose_threads
from runtime.metrics.device import read_device
from runtime.values.model import EngineName, LoadOptions
from runtime.worker.child import WORKER_ENVIRONMENT
from tests.benchmarks.built_in import BuiltIn
from tests.benchmarks.interleaved import machine, measure, paired_ratio, summary
from tests.benchmarks.large_models import large_model

CONTEXT_TOKENS = 1024
BATCH_TOKENS = 128
READING, WRITING = Prefill(512), Decode(128)


class _Row(msgspec.Struct):
    avg_ts: float


class LlamaBench(NamedTuple):
    """`llama-bench` with the settings that the product gives the server."""

    program: Path
    model: Path
    decode_threads: int
    prefill_threads: int

    def decode_speed(self) -> float:
        """Return tokens per second of `tg128`."""
        return self._run(0, WRITING.generate_tokens, self.decode_threads)

    def prefill_speed(self) -> float:
        """Return tokens per second of `pp512`."""
        return self._run(READING.prompt_tokens, 0, self.prefill_threads)

    def _run(self, prompt: int, generate: int, threads: int) -> float:
        amounts = {"-p": prompt, "-n": generate, "-t": threads, "-b": BATCH_TOKENS, "-ub": BATCH_TOKENS}
        numbers = [text for option, number in amounts.items() for text in (option, str(number))]
        command = [str(self.program), "-m", str(self.model), "-r", "1", "-o", "json", *numbers]
        # How long OpenMP's threads spin is a setting as the number of threads is, and makes several per cent.
        environment = {**os.environ, **WORKER_ENVIRONMENT}
        output = subprocess.run(command, capture_output=True, check=True, timeout=300, env=environment).stdout
        (row,) = msgspec.json.decode(output, type=list[_Row])
        return row.avg_ts


class Product(NamedTuple):
    """The product's benchmark, with the model loaded and warmed up anew for each figure, as `llama-bench` does both.

    Where in memory the weights come to lie makes several per cent.
    """

    model: ModelToLoad

    def speed(self, workload: Workload) -> float:
        """Return tokens per second."""
        built_in = BuiltIn(self.model)
        try:
            built_in.warm_up(workload)
            return built_in.speed(workload)
        finally:
            built_in.close()


def parsed() -> argparse.Namespace:
    """Return the options."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--programs", type=Path, required=True, help="folder of llama-server and llama-bench")
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--threads", type=int, default=None, help="for both (default: the engine's choice)")
    parser.add_argument("--models", type=Path, default=Path(tempfile.gettempdir()) / "first-token-models")
    return parser.parse_args()


def main() -> None:
    """Measure and print."""
    options = parsed()
    path = large_model(EngineName.LLAMACPP, options.models)
    threads = choose_threads(options.threads, read_device(), path.stat().st_size, busy_cores)
    bench = LlamaBench(options.programs / "llama-bench", path, threads.decode, threads.prefill)
    server = str(options.programs / "llama-server")
    load = LoadOptions(
        context_tokens=CONTEXT_TOKENS,
        prefill_chunk_tokens=BATCH_TOKENS,
        llama_server=server,
        threads=options.threads,
    )
    product = Product(ModelToLoad(engine=EngineName.LLAMACPP, path=str(path), options=load))
    variants: dict[str, Callable[[], float]] = {
        "product, decode": partial(product.speed, WRITING),
        "product, prefill": partial(product.speed, READING),
        "llama-bench, decode": bench.decode_speed,
        "llama-bench, prefill": bench.prefill_speed,
    }
    samples = measure(variants, options.rounds)
    sys.stdout.write(f"{machine()}\n{path.name}, {threads}\n")
    for name, values in samples.items():
        sys.stdout.write(summary(name, values, "tok/s") + "\n")
    for name in ("decode", "prefill"):
        ratio = paired_ratio(samples[f"product, {name}"], samples[f"llama-bench, {name}"])
        sys.stdout.write(f"{name}: product ÷ llama-bench: {ratio}\n")


if __name__ == "__main__":
    main()
