"""What showing a reply costs its speed: decode tok/s with the window visible and painting, against a headless client.

On the random-weight model of 0.33 billion parameters on llama.cpp. Both ask the same worker in turn, so that all that
differs is who listens: the window, or a client on a bare event loop while the window stands still. Both get the same
text, which is the likeliest one. The replies of a round follow each other at once, the order alternates (A B, B A, …),
and the ratio is the median over the rounds.

    xvfb-run -a uv run python -m tests.benchmarks.window_streaming --rounds 60

takes about five seconds a round. Without QT_QPA_PLATFORM and a display the window is drawn into memory.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from time import perf_counter_ns, process_time_ns

from runtime.engine.llamacpp_threads import busy_cores, choose_threads
from runtime.metrics.device import read_device
from runtime.values.generation import GenerateRequest
from runtime.values.model import EngineName
from runtime.values.prompt import ChatPrompt, Message, Role
from runtime.values.sampling import GREEDY
from tests.benchmarks.interleaved import machine, measure, paired_ratio, summary
from tests.benchmarks.large_models import large_model
from tests.benchmarks.shared_worker import GuestPath, SharedWorker
from tests.benchmarks.window_path import WindowPath, speed_of

WINDOW, HEADLESS = "window", "headless client"
MOST_QUESTIONS = 50


def request(question: str, tokens: int) -> GenerateRequest:
    """Return what the window asks, but for its length."""
    return GenerateRequest(
        id=1,
        prompt=ChatPrompt((Message(Role.USER, question),)),
        submitted_ns=perf_counter_ns(),
        max_tokens=tokens,
        sampling=GREEDY,
    )


class Cpu:
    """How much of a core this process takes while a reply is written."""

    def __init__(self) -> None:
        self.shares: dict[str, list[float]] = {WINDOW: [], HEADLESS: []}

    def over(self, name: str, speed: Callable[[], float]) -> float:
        """Return what `speed` returns, and note what that took."""
        cpu_ns, begun_ns = process_time_ns(), perf_counter_ns()
        found = speed()
        self.shares[name].append((process_time_ns() - cpu_ns) / (perf_counter_ns() - begun_ns))
        return found


def headless_speed(path: GuestPath, question: str, tokens: int) -> float:
    """Return tok/s of one reply that nobody looks at."""
    return speed_of(path.answer(request(question, tokens)), tokens)


def question_with_long_answer(path: GuestPath, tokens: int) -> str:
    """Return a question that the model answers at length: random weights end a text where chance has it."""
    for number in range(MOST_QUESTIONS):
        question = f"Tell me something long, number {number}."
        if path.answer(request(question, tokens)).generated_tokens >= tokens:
            return question
    raise AssertionError(f"no answer of {tokens} tokens to {MOST_QUESTIONS} questions")


def parsed() -> argparse.Namespace:
    """Return the options."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=60)
    parser.add_argument("--tokens", type=int, default=120)
    parser.add_argument("--threads", type=int, default=None, help="llama.cpp threads (default: the engine's choice)")
    parser.add_argument("--models", type=Path, default=Path(tempfile.gettempdir()) / "first-token-models")
    return parser.parse_args()


def main() -> None:
    """Measure and print."""
    options = parsed()
    model = large_model(EngineName.LLAMACPP, options.models)
    threads = options.threads or choose_threads(None, read_device(), model.stat().st_size, busy_cores).decode
    worker, cpu = SharedWorker(), Cpu()
    with tempfile.TemporaryDirectory() as folder:
        window = WindowPath(Path(folder), model, threads, worker.start_child)
        headless = GuestPath(worker)
        question = question_with_long_answer(headless, options.tokens)
        try:
            samples = measure(
                {
                    WINDOW: lambda: cpu.over(WINDOW, lambda: window.run(question, options.tokens)),
                    HEADLESS: lambda: cpu.over(HEADLESS, lambda: headless_speed(headless, question, options.tokens)),
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
    for name, shares in cpu.shares.items():
        sys.stdout.write(f"{name}: {100 * statistics.median(shares):.1f} % of a core in its process\n")
    sys.stdout.write(f"painted {statistics.median(window.paints_per_second):.0f} times a second\n")
    sys.stdout.write(f"{WINDOW} ÷ {HEADLESS}: {paired_ratio(samples[WINDOW], samples[HEADLESS])}\n")


if __name__ == "__main__":
    main()
