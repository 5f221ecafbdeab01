"""What the worker and its pipe cost: decode speed through both against the same engine looped in one process.

On a random-weight model of at least 0.3 billion parameters, made on the first run. For llama.cpp also against the
library's own bare loop (one blocking completion inside the embedded server, no streaming to us). Variants interleaved.

    uv run python -m tests.benchmarks.decode_overhead --engine llamacpp --rounds 10
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from runtime.engine.llamacpp_threads import busy_cores, choose_threads
from runtime.metrics.device import read_device
from runtime.values.model import EngineName, LoadOptions
from runtime.values.prompt import TokenPrompt
from tests.benchmarks.engine_paths import DirectPath, WorkerPath
from tests.benchmarks.interleaved import machine, measure, paired_ratio, summary
from tests.benchmarks.large_models import large_model
from tests.benchmarks.llamacpp_bare_loop import BareLoop

CONTEXT_TOKENS = 1024
PRODUCT = "through worker and client"
BARE = "the library's bare loop"
PROMPT = TokenPrompt(tuple(range(100, 164)))


def parsed() -> argparse.Namespace:
    """Return the options."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--engine", choices=("llamacpp", "mlx"), default="llamacpp")
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--tokens", type=int, default=64)
    parser.add_argument("--threads", type=int, default=None, help="llama.cpp threads (default: the engine's choice)")
    parser.add_argument("--models", type=Path, default=Path(tempfile.gettempdir()) / "first-token-models")
    return parser.parse_args()


def main() -> None:
    """Measure and print."""
    options = parsed()
    engine = EngineName(options.engine)
    path = large_model(engine, options.models)
    threads = options.threads or choose_threads(None, read_device(), path.stat().st_size, busy_cores).decode
    load = LoadOptions(context_tokens=CONTEXT_TOKENS, threads=threads)
    direct, worker = DirectPath(engine, path, load), WorkerPath(engine, path, load)

    def decode_speed(run: Callable[[], float | None]) -> Callable[[], float]:
        def once() -> float:
            speed = run()
            assert speed is not None
            return speed

        return once

    variants = {
        "engine looped in one process": decode_speed(
            lambda: direct.run(PROMPT, options.tokens).decode_tokens_per_second
        ),
        PRODUCT: decode_speed(lambda: worker.run(PROMPT, options.tokens).decode_tokens_per_second),
    }
    bare = None
    if engine is EngineName.LLAMACPP:
        bare = BareLoop(path, context_tokens=CONTEXT_TOKENS, threads=threads)
        variants[BARE] = lambda: bare.decode_speed(PROMPT.token_ids, options.tokens)
    try:
        samples = measure(variants, options.rounds)
    finally:
        direct.close()
        worker.close()
        if bare is not None:
            bare.close()
    sys.stdout.write(f"{machine()}\n{engine}, {path.name}, {options.tokens} tokens\n")
    report(samples)


def report(samples: dict[str, list[float]]) -> None:
    """Print every variant's speed, and what the product's path keeps of the others'."""
    for name, values in samples.items():
        sys.stdout.write(summary(name, values, "tok/s") + "\n")
    product = samples[PRODUCT]
    for name, values in samples.items():
        if name != PRODUCT:
            sys.stdout.write(f"{PRODUCT} ÷ {name}: {paired_ratio(product, values)}\n")


if __name__ == "__main__":
    main()
