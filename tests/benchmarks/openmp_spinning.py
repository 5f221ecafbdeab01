"""How long llama.cpp's idle threads had better spin before they sleep: writing speed for several spin counts, by turns.

llama.cpp's threads meet hundreds of times a token. One that sleeps has to be woken; one that spins keeps a core from
whoever else wants it, which `--busy` shows: other processes compute meanwhile. Variants differ in nothing else.

    uv run python -m tests.benchmarks.openmp_spinning --rounds 20
    uv run python -m tests.benchmarks.openmp_spinning --rounds 20 --busy 1
"""

from __future__ import annotations

import argparse
import multiprocessing
import sys
import tempfile
from functools import partial
from pathlib import Path

from runtime.values.model import EngineName, LoadOptions
from runtime.values.prompt import TokenPrompt
from tests.benchmarks.engine_paths import WorkerPath
from tests.benchmarks.interleaved import machine, measure, paired_ratio, summary
from tests.benchmarks.large_models import large_model

CONTEXT_TOKENS = 1024
PROMPT = TokenPrompt(tuple(range(100, 132)))
SPIN_COUNT = "GOMP_SPINCOUNT"


def parsed() -> argparse.Namespace:
    """Return the options."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--counts", type=int, nargs="+", default=[1000, 10_000, 100_000, 300_000])
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--tokens", type=int, default=32)
    parser.add_argument("--threads", type=int, default=None, help="default: the engine's choice")
    parser.add_argument("--busy", type=int, default=0, help="processes that compute meanwhile")
    parser.add_argument("--models", type=Path, default=Path(tempfile.gettempdir()) / "first-token-models")
    return parser.parse_args()


def compute_for_ever() -> None:
    """Keep a core busy."""
    while True:
        pass


def decode_speed(worker: WorkerPath, tokens: int) -> float:
    """Return tokens per second of one reply."""
    speed = worker.run(PROMPT, tokens + 1).decode_tokens_per_second
    assert speed is not None
    return speed


def main() -> None:
    """Measure and print."""
    options = parsed()
    path = large_model(EngineName.LLAMACPP, options.models)
    load = LoadOptions(context_tokens=CONTEXT_TOKENS, threads=options.threads)
    workers = {
        str(count): WorkerPath(EngineName.LLAMACPP, path, load, {SPIN_COUNT: str(count)}) for count in options.counts
    }
    context = multiprocessing.get_context("spawn")
    busy = [context.Process(target=compute_for_ever, daemon=True) for _ in range(options.busy)]
    try:
        for process in busy:
            process.start()
        variants = {name: partial(decode_speed, worker, options.tokens) for name, worker in workers.items()}
        samples = measure(variants, options.rounds)
    finally:
        for process in busy:
            process.kill()
        for worker in workers.values():
            worker.close()
    sys.stdout.write(f"{machine()}\n{path.name}, {options.busy} cores kept busy\n")
    first, *_ = samples
    for name, values in samples.items():
        ratio = "" if name == first else f"; ÷ {first}: {paired_ratio(values, samples[first])}"
        sys.stdout.write(summary(f"spin count {name}", values, "tok/s") + ratio + "\n")


if __name__ == "__main__":
    main()
