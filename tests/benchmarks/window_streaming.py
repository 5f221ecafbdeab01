"""What showing a reply costs its speed: decode tok/s with the window visible and painting, against a headless client.

On the random-weight model of 0.33 billion parameters on llama.cpp, each path with a worker of its own, the same prompt,
sampling and threads. A round asks both, one after the other; the window's reply is stopped at the same length.

    xvfb-run -a uv run python -m tests.benchmarks.window_streaming --rounds 10

Without QT_QPA_PLATFORM and a display the window is drawn into memory.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
from pathlib import Path
from time import perf_counter_ns

from runtime.engine.llamacpp_threads import busy_cores, choose_threads
from runtime.metrics.device import read_device
from runtime.values.generation import GenerateRequest
from runtime.values.model import EngineName, LoadOptions
from runtime.values.prompt import ChatPrompt, Message, Role
from runtime.values.sampling import SamplingParams
from tests.benchmarks.engine_paths import WorkerPath
from tests.benchmarks.interleaved import machine, measure, paired_ratio, summary
from tests.benchmarks.large_models import large_model
from tests.benchmarks.window_path import QUESTION, WindowPath

WINDOW, HEADLESS = "window", "headless client"


def request(tokens: int) -> GenerateRequest:
    """Return what the window asks, but for its length."""
    return GenerateRequest(
        id=1,
        prompt=ChatPrompt((Message(Role.USER, QUESTION),)),
        submitted_ns=perf_counter_ns(),
        max_tokens=tokens,
        sampling=SamplingParams(),
    )


def headless_speed(path: WorkerPath, tokens: int) -> float:
    """Return tok/s of one reply that nobody looks at."""
    speed = path.answer(request(tokens)).decode_tokens_per_second
    assert speed is not None
    return speed


def parsed() -> argparse.Namespace:
    """Return the options."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--tokens", type=int, default=200)
    parser.add_argument("--threads", type=int, default=None, help="llama.cpp threads (default: the engine's choice)")
    parser.add_argument("--models", type=Path, default=Path(tempfile.gettempdir()) / "first-token-models")
    return parser.parse_args()


def main() -> None:
    """Measure and print."""
    options = parsed()
    model = large_model(EngineName.LLAMACPP, options.models)
    threads = options.threads or choose_threads(None, read_device(), model.stat().st_size, busy_cores).decode
    with tempfile.TemporaryDirectory() as folder:
        window = WindowPath(Path(folder), model, threads)
        headless = WorkerPath(EngineName.LLAMACPP, model, LoadOptions(threads=threads))
        try:
            samples = measure(
                {
                    WINDOW: lambda: window.run(options.tokens),
                    HEADLESS: lambda: headless_speed(headless, options.tokens),
                },
                options.rounds,
            )
        finally:
            headless.close()
            window.close()
    platform = os.environ.get("QT_QPA_PLATFORM") or "on a display"
    sys.stdout.write(f"{machine()}, {platform}\n{model.name}, {options.tokens} tokens, {threads} threads\n")
    for name, values in samples.items():
        sys.stdout.write(summary(name, values, "tok/s") + "\n")
    sys.stdout.write(f"painted {statistics.median(window.paints_per_second):.0f} times a second\n")
    sys.stdout.write(f"{WINDOW} ÷ {HEADLESS}: {paired_ratio(samples[WINDOW], samples[HEADLESS])}\n")


if __name__ == "__main__":
    main()
