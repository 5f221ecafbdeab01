"""The window, opened for the self-test: it asks the demo model a question, shows the answer and is looked at.

Runs in a process of its own (`--self-test-window`), which Qt may end, with a home of its own, so that no chat of the
user is read or changed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from time import perf_counter_ns

import msgspec
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication, QImage

from desktop.app import Desktop, run
from desktop.first_paint import FirstPaint
from desktop.opening import asked_for_model
from desktop.self_test.engine_check import QUESTION
from desktop.self_test.result import WindowResult
from desktop.self_test.window_process import RESULT_FILE, SCREENSHOT_FILE
from desktop.state.engine_state import LoadFailed
from runtime.config.paths import AppPaths
from runtime.metrics.timeline import NS_PER_MS
from runtime.values.errors import UserFacingError
from runtime.values.generation import GenerationStats

SAMPLES = 64
LEAST_WORDS = 3
LEAST_COLORS = 8
"""A window that was never painted has one."""
PAINT_S = 0.5
"""For the last of the answer to be shown: two dozen frames."""


class Begun(msgspec.Struct, frozen=True):
    """When this process was started and when its window was on the screen, by `time.perf_counter_ns`.

    That clock is the same for all processes.
    """

    process_ns: int
    painted_ns: int


class WindowCheck:
    """One look at the window; the result is written when it closes."""

    def __init__(self, folder: Path, begun: Begun) -> None:
        self._folder = folder
        self._begun = begun
        self._answerable_ms: float | None = None

    async def use(self, desktop: Desktop) -> None:
        """Ask, wait for the answer, look, write down what was found, and close the window."""
        problems: list[str] = []
        await asked_for_model(desktop.states.engine)
        submitted_ms = self._since_start_ms()
        asking = asyncio.ensure_future(desktop.states.chat.send(QUESTION))
        try:
            await desktop.states.engine.ready()
            self._answerable_ms = self._since_start_ms()
            await asking
            await desktop.states.chat.wait_until_idle()
            await asyncio.sleep(PAINT_S)
        except UserFacingError as error:
            problems.append(str(error))
        finally:
            self._write(desktop, problems, submitted_ms)
            desktop.window.close()

    def _write(self, desktop: Desktop, problems: list[str], submitted_ms: float) -> None:
        image = desktop.window.grab().toImage()
        image.save(str(self._folder / SCREENSHOT_FILE))
        colors = colors_of(image)
        if colors < LEAST_COLORS:
            problems.append(f"the window was not painted: its pixels have {colors} colours")
        status = desktop.states.engine.status
        if isinstance(status, LoadFailed):
            problems.append(str(status.error))
        text, stats = _answer(desktop)
        if not problems and len(text.split()) < LEAST_WORDS:  # sampled, so only its length is sure
            problems.append(f"the window shows no answer: {text!r}")
        size = desktop.window.size()
        ttft_ms = None if stats is None else stats.ttft_ms
        result = WindowResult(
            problems=tuple(problems),
            platform=QGuiApplication.platformName(),
            size_px=(size.width(), size.height()),
            device_pixel_ratio=desktop.window.devicePixelRatioF(),
            colors=colors,
            first_paint_ms=(self._begun.painted_ns - self._begun.process_ns) / NS_PER_MS,
            answerable_ms=self._answerable_ms,
            first_token_ms=None if ttft_ms is None else submitted_ms + ttft_ms,
            text=text,
        )
        (self._folder / RESULT_FILE).write_bytes(msgspec.json.encode(result))

    def _since_start_ms(self) -> float:
        return (perf_counter_ns() - self._begun.process_ns) / NS_PER_MS


def _answer(desktop: Desktop) -> tuple[str, GenerationStats | None]:
    path = desktop.states.chat.path
    if len(path) < 2:
        return "", None
    transcript = desktop.chat_panel.transcript
    return transcript.message_text(transcript.message_ids()[-1]), path[-1].stats


def colors_of(image: QImage) -> int:
    """Return how many colours there are among a grid of pixels."""
    small = image.scaled(
        SAMPLES, SAMPLES, Qt.AspectRatioMode.IgnoreAspectRatio, Qt.TransformationMode.FastTransformation
    )
    return len(set(_pixels(small)))


def _pixels(image: QImage) -> Iterator[int]:
    for y in range(image.height()):
        for x in range(image.width()):
            yield image.pixel(x, y)


def check_window(first_paint: FirstPaint, paths: AppPaths, folder: str, begun: Begun) -> int:
    """Fill the window, use it, and leave result and screenshot in `folder`; return the exit code."""
    return run(first_paint, paths, WindowCheck(Path(folder), begun).use)
