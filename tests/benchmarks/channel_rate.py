"""Whether the pipe limits a tiny model: tokens a second that reach the client, and the first token's way there.

uv run python -m tests.benchmarks.channel_rate --engine llamacpp
"""

from __future__ import annotations

import argparse
import statistics
import sys
from pathlib import Path

from runtime.values.model import EngineName, LoadOptions
from runtime.values.prompt import TextPrompt
from tests.benchmarks.engine_paths import DirectPath, WorkerPath
from tests.benchmarks.interleaved import machine, measure, paired_ratio, summary

PROMPT = TextPrompt("What is the time to first token?")
DEMO_MODELS = {EngineName.LLAMACPP: "demo-q8_0.gguf", EngineName.MLX: "mlx-int8"}


def parsed() -> argparse.Namespace:
    """Return the options."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--engine", choices=("llamacpp", "mlx"), default="llamacpp")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--tokens", type=int, default=512)
    return parser.parse_args()


def main() -> None:
    """Measure and print."""
    options = parsed()
    engine = EngineName(options.engine)
    path = Path(__file__).resolve().parents[2] / "assets" / "demo-model" / DEMO_MODELS[engine]
    load = LoadOptions(context_tokens=2048)
    direct, worker = DirectPath(engine, path, load), WorkerPath(engine, path, load)
    ttft_gaps_ms: list[float] = []

    def through_worker() -> float:
        stats = worker.run(PROMPT, options.tokens)
        assert stats.ttft_ms is not None
        ttft_gaps_ms.append(worker.client_ttft_ms - stats.ttft_ms)
        return (worker.arrivals - 1) / worker.client_seconds

    def in_process() -> float:
        speed = direct.run(PROMPT, options.tokens).decode_tokens_per_second
        assert speed is not None
        return speed

    try:
        samples = measure({"in one process": in_process, "arriving at the client": through_worker}, options.rounds)
    finally:
        direct.close()
        worker.close()
    sys.stdout.write(f"{machine()}\n{engine}, demo model, {options.tokens} tokens\n")
    for name, values in samples.items():
        sys.stdout.write(summary(name, values, "tok/s") + "\n")
    sys.stdout.write(f"ratio: {paired_ratio(samples['arriving at the client'], samples['in one process'])}\n")
    sys.stdout.write(
        f"client TTFT - worker TTFT: median {statistics.median(ttft_gaps_ms):.2f} ms, "
        f"{min(ttft_gaps_ms):.2f} to {max(ttft_gaps_ms):.2f}\n"
    )


if __name__ == "__main__":
    main()
