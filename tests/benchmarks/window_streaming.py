"""What showing a reply costs its speed: decode tok/s with the window visible and painting, against a headless client.

On the random-weight model of 0.33 billion parameters on llama.cpp, each path with a worker of its own, the same prompt,
sampling and threads. A round asks both, one after the other; the window's reply is stopped at the same length.

    xvfb-run -a uv run python -m tests.benchmarks.window_streaming --rounds 10

Without QT_QPA_PLATFORM and a display the window is drawn into memory.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import sys
import tempfile
from pathlib import Path
from time import perf_counter_ns

if not os.environ.get("DISPLAY"):
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")  # before anything imports Qt

import qasync
from PySide6.QtCore import QEvent, QObject

from desktop.app import Desktop
from desktop.first_paint import FirstPaint, make_application
from desktop.state.engine_state import Serving
from runtime.config.paths import HOME_VARIABLE, app_paths
from runtime.config.settings import Settings, write_settings
from runtime.engine.llamacpp_threads import busy_cores, choose_threads
from runtime.metrics.device import read_device
from runtime.values.generation import GenerateRequest
from runtime.values.model import EngineName, LoadOptions
from runtime.values.prompt import ChatPrompt, Message, Role
from runtime.values.sampling import SamplingParams
from tests.benchmarks.engine_paths import WorkerPath
from tests.benchmarks.interleaved import machine, measure, paired_ratio, summary
from tests.benchmarks.large_models import large_model

WINDOW, HEADLESS = "window", "headless client"
QUESTION = "Tell me something long."
PATIENCE_S = 120.0


class Paints(QObject):
    """Counts how often the transcript is painted."""

    def __init__(self, watched: QObject) -> None:
        super().__init__()
        self.count = 0
        watched.installEventFilter(self)

    def eventFilter(self, _watched: QObject, event: QEvent) -> bool:  # noqa: N802 - Qt's name
        """Count."""
        self.count += event.type() is QEvent.Type.Paint
        return False


class WindowPath:
    """The real window over a home of its own, on the screen as long as the benchmark runs."""

    def __init__(self, home: Path, model: Path, threads: int) -> None:
        self.paths = app_paths({HOME_VARIABLE: str(home)})
        write_settings(self.paths.config_file, Settings(default_model=str(model), threads=threads))
        application = make_application(self.paths.assets)
        self._loop = qasync.QEventLoop(application)
        asyncio.set_event_loop(self._loop)
        self._desktop = Desktop(FirstPaint(application, self.paths), self._loop, self.paths)
        self._session = self._loop.create_task(self._desktop.session.run())
        self._paints = Paints(self._desktop.chat_panel.transcript.viewport())
        self.paints_per_second: list[float] = []
        self._loop.run_until_complete(self._until_serving())

    def run(self, tokens: int) -> float:
        """Return tok/s of one reply, stopped after `tokens` tokens."""
        asyncio.set_event_loop(self._loop)
        return self._loop.run_until_complete(self._ask(tokens))

    def close(self) -> None:
        """Close the window as a person does."""
        asyncio.set_event_loop(self._loop)
        self._desktop.window.close()
        self._loop.run_until_complete(self._session)
        self._loop.close()

    async def _until_serving(self) -> None:
        serving = asyncio.Event()
        engine = self._desktop.states.engine
        engine.status_changed.connect(lambda status: serving.set() if isinstance(status, Serving) else None)
        async with asyncio.timeout(PATIENCE_S):
            await serving.wait()

    async def _ask(self, tokens: int) -> float:
        metrics, chat = self._desktop.metrics, self._desktop.states.chat

        def stop_at_length() -> None:
            if metrics.figures.is_generating and metrics.figures.tokens >= tokens:
                chat.stop()

        chat.start_new()
        metrics.changed.connect(stop_at_length)
        painted, begun_ns = self._paints.count, perf_counter_ns()
        await chat.send(QUESTION)
        metrics.changed.disconnect(stop_at_length)
        self.paints_per_second.append((self._paints.count - painted) * 1e9 / (perf_counter_ns() - begun_ns))
        stats = chat.path[-1].stats
        assert stats is not None
        assert stats.decode_tokens_per_second is not None
        return stats.decode_tokens_per_second


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
