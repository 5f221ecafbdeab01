"""The real window as a benchmark asks it: over a home of its own, on the screen as long as the benchmark runs.

Without QT_QPA_PLATFORM and a display the window is drawn into memory.
"""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from time import perf_counter_ns

import msgspec

if not os.environ.get("DISPLAY"):
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")  # before anything imports Qt

import qasync
from PySide6.QtCore import QEvent, QObject

from desktop.app import Desktop
from desktop.first_paint import FirstPaint, make_application
from desktop.state.engine_state import Serving
from runtime.client.launch import start_worker_child
from runtime.client.worker_client import StartChild
from runtime.config.paths import HOME_VARIABLE, app_paths
from runtime.config.settings import Settings, write_settings
from runtime.store.opening import OpenedStore
from runtime.values.chat import ChatId
from runtime.values.generation import GenerationStats
from runtime.values.sampling import GREEDY

PATIENCE_S = 120.0


class Answer(msgspec.Struct, frozen=True):
    """The figures of one reply.

    Attributes:
        stats: as the worker stamped them.
        first_paint_ms: submit to the first character on the screen.
    """

    stats: GenerationStats
    first_paint_ms: float | None


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

    def __init__(
        self, home: Path, model: Path, threads: int | None = None, start_child: StartChild = start_worker_child
    ) -> None:
        self.paths = app_paths({HOME_VARIABLE: str(home)})
        write_settings(self.paths.config_file, Settings(default_model=str(model), threads=threads))
        application = make_application(self.paths.assets)
        self._loop = qasync.QEventLoop(application)
        asyncio.set_event_loop(self._loop)
        self._desktop = Desktop(FirstPaint(application, self.paths), self._loop, self.paths, start_child)
        self._session = self._loop.create_task(self._desktop.session.run())
        self._paints = Paints(self._desktop.chat_panel.transcript.viewport())
        self.paints_per_second: list[float] = []
        self._loop.run_until_complete(self._until_serving())

    def run(self, question: str, tokens: int) -> float:
        """Return tok/s of one greedy reply in a chat of its own, stopped after `tokens` tokens."""
        asyncio.set_event_loop(self._loop)
        self._desktop.states.chat.start_new()
        self._loop.run_until_complete(self._desktop.states.chat.change(_be_greedy))
        return speed_of(self.answer(question, tokens, in_new_chat=False).stats, tokens)

    def answer(self, question: str, tokens: int, *, in_new_chat: bool = True) -> Answer:
        """Return the figures of one reply, stopped after `tokens` tokens."""
        asyncio.set_event_loop(self._loop)
        if in_new_chat:
            self._desktop.states.chat.start_new()
        return self._loop.run_until_complete(self._ask(question, tokens))

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

    async def _ask(self, question: str, tokens: int) -> Answer:
        metrics, chat = self._desktop.metrics, self._desktop.states.chat

        def stop_at_length() -> None:
            if metrics.figures.is_generating and metrics.figures.tokens >= tokens:
                chat.stop()

        metrics.changed.connect(stop_at_length)
        painted, begun_ns = self._paints.count, perf_counter_ns()
        await chat.send(question)
        metrics.changed.disconnect(stop_at_length)
        self.paints_per_second.append((self._paints.count - painted) * 1e9 / (perf_counter_ns() - begun_ns))
        stats = chat.path[-1].stats
        assert stats is not None
        return Answer(stats, metrics.figures.first_paint_ms)


def speed_of(stats: GenerationStats, tokens: int) -> float:
    """Return tok/s of a reply that is as long as it was to be."""
    assert stats.generated_tokens >= tokens, "The model ended its text before it was long enough to be measured."
    assert stats.decode_tokens_per_second is not None
    return stats.decode_tokens_per_second


def _be_greedy(opened: OpenedStore, chat_id: ChatId) -> None:
    opened.store.chats.set_sampling(chat_id, GREEDY)
