"""Errors that nothing was prepared for, wherever they come up in the window's process, and whoever records them."""

from __future__ import annotations

import asyncio
import logging
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from runtime.values.errors import UserFacingError

log = logging.getLogger("first-token")

RecordError = Callable[[BaseException, str], None]


class ErrorLog(logging.Handler):
    """Takes what is logged as an error of ours: with a traceback, and not of the user's world."""

    def __init__(self, record_error: RecordError) -> None:
        super().__init__(logging.ERROR)
        self._record_error = record_error

    def emit(self, record: logging.LogRecord) -> None:
        """Take a record."""
        error = record.exc_info[1] if record.exc_info else None
        if error is not None and not isinstance(error, UserFacingError | asyncio.CancelledError | KeyboardInterrupt):
            self._record_error(error, record.getMessage())


@contextmanager
def recorded_errors(record_error: RecordError) -> Iterator[None]:
    """Hand on what is logged with a traceback, what a Qt slot raises and what ends a thread; print all of it, too."""
    printed, recorded = logging.StreamHandler(), ErrorLog(record_error)
    printed.setLevel(logging.WARNING)
    root = logging.getLogger()
    hooks = sys.excepthook, threading.excepthook
    for handler in (printed, recorded):
        root.addHandler(handler)
    sys.excepthook = lambda kind, error, stack: log.critical("not caught", exc_info=(kind, error, stack))
    threading.excepthook = lambda ended: log.critical("a thread ended", exc_info=ended.exc_value)
    try:
        yield
    finally:
        sys.excepthook, threading.excepthook = hooks
        for handler in (printed, recorded):
            root.removeHandler(handler)
