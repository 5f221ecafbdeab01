"""When nothing happens, nothing runs: the window's event loop is not woken, and the worker uses no processor time."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest
from PySide6.QtCore import QAbstractEventDispatcher, QObject, QTimer
from PySide6.QtWidgets import QApplication

from tests.desktop.window.opened_window import QUICK, Home, OpenedWindow

QUIET_S = 1.2
"""Longer than every delay of the window after which something is shown or saved."""
OWN_WAKEUPS = 2
"""The loop goes to sleep once, and once more when the test's own timer has woken it."""
ATTEMPTS = 10


@pytest.fixture(autouse=True)
def _no_blinking_caret(qapp: QApplication) -> Iterator[None]:
    """A caret blinks by itself wherever text is written; that is the system's, and its rate the user's."""
    before = qapp.cursorFlashTime()
    qapp.setCursorFlashTime(0)
    yield
    qapp.setCursorFlashTime(before)


async def wakeups() -> int:
    """Return how often the event loop runs within a while in which nobody does anything."""
    dispatcher = QAbstractEventDispatcher.instance()
    count = 0

    def note() -> None:
        nonlocal count
        count += 1

    dispatcher.aboutToBlock.connect(note)
    try:
        await asyncio.sleep(QUIET_S)
    finally:
        dispatcher.aboutToBlock.disconnect(note)
    return count


async def settle(window: OpenedWindow) -> None:
    """Wait for the end of what a start or a reply leaves to be done; fail, naming what runs, if it never comes."""
    counts: list[int] = []
    for _ in range(ATTEMPTS):
        counts.append(await wakeups())
        if counts[-1] <= OWN_WAKEUPS:
            return
    raise AssertionError(f"woken {counts} times; running: {running_timers(window)}")


def running_timers(window: OpenedWindow) -> list[str]:
    """Return the timers of the window and of what belongs to it."""
    found = [timer for timer in window.widget.findChildren(QTimer) if timer.isActive()]
    dispatcher = QAbstractEventDispatcher.instance()
    others = [child for child in window.widget.findChildren(QObject) if dispatcher.registeredTimers(child)]
    return [f"{timer.parent()!r} every {timer.interval()} ms" for timer in found] + list(map(repr, others))


async def test_an_idle_window_is_never_woken(home: Home) -> None:
    async with home.open_scripted() as window:
        await window.ask("One")
        await settle(window)
        assert running_timers(window) == []
        (worker,) = window.workers()
        before = worker.cpu_times()
        assert await wakeups() <= OWN_WAKEUPS
        after = worker.cpu_times()
        assert (after.user, after.system) == (before.user, before.system)


async def test_a_window_without_a_chat_or_a_model_is_never_woken(home: Home) -> None:
    home.use_script(QUICK).unlink()
    async with home.open() as window:
        await settle(window)
        assert running_timers(window) == []
