"""What the window adds to the time to first token: the demo model asked in the window and by a headless client.

The request's way to the worker is the part called queue; the first paint is when the first character is on the screen.
Each round asks the window twice, in a new chat and then in one that goes on, and the headless client the same.

    xvfb-run -a uv run python -m tests.benchmarks.window_ttft --rounds 20

Without QT_QPA_PLATFORM and a display the window is drawn into memory.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
from functools import partial
from pathlib import Path
from time import perf_counter_ns

from runtime.config.paths import app_paths
from runtime.library.installed import demo_models
from runtime.values.generation import GenerateRequest
from runtime.values.model import EngineName, LoadOptions, ModelFormat
from runtime.values.prompt import ChatPrompt, Message, Role
from runtime.values.sampling import SamplingParams
from tests.benchmarks.engine_paths import WorkerPath
from tests.benchmarks.interleaved import machine, measure, summary
from tests.benchmarks.window_path import Answer, WindowPath

NEW, ON, HEADLESS = "window, new chat", "window, the same chat", "headless client"
TOKENS = 8


def parsed() -> argparse.Namespace:
    """Return the options."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=20)
    return parser.parse_args()


def demo_model() -> Path:
    """Return the demo model as llama.cpp reads it."""
    return next(model.path for model in demo_models(app_paths({})) if model.format is ModelFormat.GGUF)


def request(question: str) -> GenerateRequest:
    """Return what the window asks in a new chat, but for its length."""
    return GenerateRequest(
        id=1,
        prompt=ChatPrompt((Message(Role.USER, question),)),
        submitted_ns=perf_counter_ns(),
        max_tokens=TOKENS,
        sampling=SamplingParams(),
    )


def main() -> None:
    """Measure and print."""
    rounds, model = parsed().rounds, demo_model()
    answers: dict[str, list[Answer]] = {name: [] for name in (NEW, ON, HEADLESS)}

    def asked(name: str) -> float:
        question = f"What is a token, number {len(answers[name])}?"
        if name == HEADLESS:
            answer = Answer(headless.answer(request(question)), None)
        else:
            answer = window.answer(question, TOKENS, in_new_chat=name == NEW)
        answers[name].append(answer)
        assert answer.stats.ttft_ms is not None
        return answer.stats.ttft_ms

    with tempfile.TemporaryDirectory() as folder:
        window = WindowPath(Path(folder), model)
        headless = WorkerPath(EngineName.LLAMACPP, model, LoadOptions())
        try:
            samples = measure({name: partial(asked, name) for name in answers}, rounds)
        finally:
            headless.close()
            window.close()
    sys.stdout.write(f"{machine()}, {os.environ.get('QT_QPA_PLATFORM') or 'on a display'}\n")
    for name, ttfts in samples.items():
        queue = [parts.queue_ms for one in answers[name][-rounds:] if (parts := one.stats.ttft_parts) is not None]
        sys.stdout.write(f"{summary(name + ', TTFT', ttfts, 'ms')}\n  {summary('queue', queue, 'ms')}\n")
        painted = [one.first_paint_ms for one in answers[name][-rounds:] if one.first_paint_ms is not None]
        if painted:
            sys.stdout.write(f"  {summary('first character painted', painted, 'ms')}\n")
    added = statistics.median(samples[NEW]) - statistics.median(samples[HEADLESS])
    sys.stdout.write(f"the window adds {added:.1f} ms to a new chat's first token\n")


if __name__ == "__main__":
    main()
