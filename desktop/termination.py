"""Ending as a person would end it where the system asks for that: at logout, at shutdown, with Ctrl+C in a terminal."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from PySide6.QtCore import QSocketNotifier

SIGNALS = ("SIGTERM", "SIGHUP", "SIGINT")


@contextmanager
def closed_when_told(close: Callable[[], object]) -> Iterator[None]:
    """Call `close` when a signal asks this process to end. Windows has no such signals.

    Python looks at signals only between two of its own instructions, and a window that waits executes none: so the
    signal has to wake Qt's event loop, through a socket.
    """
    if os.name != "posix":
        yield
        return
    woken, waking = socket.socketpair()
    for end in (woken, waking):
        end.settimeout(0)
    notifier = QSocketNotifier(woken.fileno(), QSocketNotifier.Type.Read)

    def act() -> None:
        woken.recv(64)
        close()

    notifier.activated.connect(act)
    before = signal.set_wakeup_fd(waking.fileno(), warn_on_full_buffer=False)
    handlers = {number: signal.signal(number, _heard) for number in (getattr(signal, name) for name in SIGNALS)}
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(before)
        notifier.setEnabled(False)
        woken.close()
        waking.close()


def _heard(_number: int, _frame: object) -> None:
    """Do nothing here: what is to be done is done by the event loop."""
