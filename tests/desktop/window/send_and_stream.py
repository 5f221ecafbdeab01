"""A process for tests that kill it: opens the app's window, sends a message, says when text of the reply has come."""

from __future__ import annotations

import asyncio
import os
import sys

import qasync
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from desktop.app import Desktop
from desktop.first_paint import open_first_paint
from runtime.config.paths import app_paths
from tests.desktop.window.opened_window import OpenedWindow


async def send(desktop: Desktop, text: str) -> None:
    """Send as a person does, and go on until the process is killed."""
    window = OpenedWindow(desktop)
    await window.ready()
    await window.idle()
    window.click("newChatButton")
    window.write(text)
    QTest.keyClick(window.composer, Qt.Key.Key_Return)
    await window.streaming()
    sys.stdout.write("streaming\n")
    sys.stdout.flush()


def main() -> None:
    """Open the window and serve it."""
    paths = app_paths(os.environ)
    first_paint = open_first_paint(paths)
    loop = qasync.QEventLoop(first_paint.looks.application)
    asyncio.set_event_loop(loop)
    with loop:
        desktop = Desktop(first_paint, loop, paths)
        sending = loop.create_task(send(desktop, sys.argv[1]))
        loop.run_until_complete(desktop.session.run())
        sending.result()


if __name__ == "__main__":
    main()
