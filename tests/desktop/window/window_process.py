"""The app as a process of its own, for what cannot be tested inside the tests' own: kills, and doing nothing.

python -m tests.desktop.window.window_process stream TEXT    sends TEXT and says when text of the reply has come
python -m tests.desktop.window.window_process idle           says what runs once everything is done
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import qasync
from PySide6.QtCore import QAbstractEventDispatcher, QObject, Qt, QTimer
from PySide6.QtTest import QTest

from desktop.app import Desktop
from desktop.first_paint import open_first_paint
from runtime.config.paths import HOME_VARIABLE, app_paths
from tests.desktop.window.opened_window import Home, OpenedWindow, until

ROOT = Path(__file__).resolve().parents[3]
STREAMING, KEPT, QUIET, RESTLESS = "streaming", "kept", "quiet", "restless"
QUIET_S = 1.2
"""Longer than every delay of the window after which something is shown or saved."""
OWN_WAKEUPS = 2
"""The loop goes to sleep once, and once more when the timer that ends the count has woken it."""
ATTEMPTS = 12


def start(home: Home, *arguments: str) -> subprocess.Popen[str]:
    """Start such a process; what it says comes on its standard output."""
    return subprocess.Popen(
        [sys.executable, "-m", "tests.desktop.window.window_process", *arguments],
        env={**os.environ, HOME_VARIABLE: str(home.folder), "PYTHONPATH": str(ROOT), "PYTHONFAULTHANDLER": "1"},
        stdout=subprocess.PIPE,
        text=True,
    )


async def stream(window: OpenedWindow, text: str) -> None:
    """Send as a person does, and go on until the process is killed."""
    window.click("newChatButton")
    window.write(text)
    QTest.keyClick(window.composer, Qt.Key.Key_Return)
    await window.streaming()
    _say(STREAMING)


async def draft(window: OpenedWindow, text: str) -> None:
    """Write, send nothing, and go on until the process is killed."""
    window.click("newChatButton")
    window.write(text)
    memory = window.states.preferences
    await until(lambda: memory.memory.new_draft == text and window.is_at_rest, "kept draft")
    _say(KEPT)


async def idle(window: OpenedWindow) -> None:
    """Answer a message if there is a model, then do nothing, and say whether the event loop is let sleep in the end.

    That takes some seconds: so long the caret blinks where a message is written.
    """
    await window.ask("One")
    counts: list[int] = []
    while len(counts) < ATTEMPTS:
        counts.append(await _wakeups())
        if counts[-1] <= OWN_WAKEUPS and not _running_timers(window):
            _say(QUIET)
            break
    else:
        _say(f"{RESTLESS}: woken {counts} times, running {_running_timers(window)}")
    window.widget.close()


async def _wakeups() -> int:
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


def _running_timers(window: OpenedWindow) -> list[str]:
    """Return the timers of the window and of all that belongs to it."""
    found = [timer for timer in window.widget.findChildren(QTimer) if timer.isActive()]
    dispatcher = QAbstractEventDispatcher.instance()
    others = [child for child in window.widget.findChildren(QObject) if dispatcher.registeredTimers(child)]
    return [f"{timer.parent()!r} every {timer.interval()} ms" for timer in found] + list(map(repr, others))


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


async def _act(window: OpenedWindow, arguments: list[str]) -> None:
    await window.ready()
    await window.idle()
    match arguments:
        case ["stream", text]:
            await stream(window, text)
        case ["draft", text]:
            await draft(window, text)
        case _:
            await idle(window)


def main(environment: Mapping[str, str], arguments: list[str]) -> None:
    """Open the window and serve it."""
    paths = app_paths(environment)
    first_paint = open_first_paint(paths)
    loop = qasync.QEventLoop(first_paint.looks.application)
    asyncio.set_event_loop(loop)
    with loop:
        desktop = Desktop(first_paint, loop, paths)
        acting = loop.create_task(_act(OpenedWindow(desktop), arguments))
        loop.run_until_complete(desktop.session.run())
        acting.result()


if __name__ == "__main__":
    main(os.environ, sys.argv[1:])
