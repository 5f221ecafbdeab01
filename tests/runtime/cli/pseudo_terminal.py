"""`first-token` in a terminal of its own, with someone at the keys: what is typed goes in, what is shown comes out."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from select import select

import psutil

WAIT_S = 60.0
AGAIN_S = 5.0
CTRL_C, CTRL_D, ENTER = "\x03", "\x04", "\r"
IN_THIS_TERMINAL = """
import fcntl, os, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execv(sys.executable, [sys.executable, "-m", "desktop", *sys.argv[1:]])
"""
"""Makes the terminal the one whose Ctrl+C interrupts this process, which only the process itself can do."""


class Session:
    """A command that runs in a terminal."""

    def __init__(self, process: subprocess.Popen[bytes], screen: int) -> None:
        self._process = process
        self.shown = ""
        self._screen = screen
        self._read_to = 0

    def type(self, keys: str) -> None:
        """Press `keys`."""
        self.type_bytes(keys.encode())

    def type_bytes(self, keys: bytes) -> None:
        """Send what a keyboard that speaks no UTF-8 would."""
        os.write(self._screen, keys)

    def until(self, text: str) -> str:
        """Wait until `text` is shown after what was waited for last; return what was shown up to it."""
        deadline = time.monotonic() + WAIT_S
        while (found := self.shown.find(text, self._read_to)) < 0:
            assert time.monotonic() < deadline, f"{text!r} was never shown: {self.shown[self._read_to :]!r}"
            assert self._read(), f"ended before {text!r} was shown: {self.shown[self._read_to :]!r}"
        shown = self.shown[self._read_to : found + len(text)]
        self._read_to = found + len(text)
        return shown

    def more(self) -> None:
        """Wait until anything is shown after what was waited for last."""
        deadline = time.monotonic() + WAIT_S
        while len(self.shown) <= self._read_to:
            assert time.monotonic() < deadline, "nothing more was shown"
            assert self._read(), "ended"

    def leave_by_ctrl_c(self) -> int:
        """Press Ctrl+C at the prompt until that ends the command; return its exit code.

        Readline does not hear of one that comes after it has shown the prompt and before it waits for keys.
        """
        deadline = time.monotonic() + WAIT_S
        pressed = 0.0
        while self._read():
            assert time.monotonic() < deadline, f"still running: {self.shown!r}"
            if time.monotonic() - pressed > AGAIN_S:
                self.type(CTRL_C)
                pressed = time.monotonic()
        return self._process.wait(WAIT_S)

    def exit_code(self) -> int:
        """Wait for the end of the command and return its exit code."""
        deadline = time.monotonic() + WAIT_S
        while self._read():
            assert time.monotonic() < deadline, f"still running: {self.shown!r}"
        return self._process.wait(WAIT_S)

    def workers(self) -> list[psutil.Process]:
        """Return the processes that the command has started and that run."""
        return psutil.Process(self._process.pid).children(recursive=True)

    def _read(self) -> bool:
        """Take what is shown next, waiting a moment for it; return whether the command still shows things."""
        if not select([self._screen], [], [], 0.5)[0]:
            return True
        try:
            data = os.read(self._screen, 1 << 16)
        except OSError as error:
            if error.errno != errno.EIO:  # Linux's way to say that nobody writes to the terminal any more
                raise
            return False
        self.shown += data.decode("utf-8", "replace").replace("\r\n", "\n")
        return bool(data)


@contextmanager
def terminal_session(*arguments: str) -> Iterator[Session]:
    """Start `first-token` with `arguments` in a terminal; it is killed at the end if it still runs."""
    screen, keyboard = os.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", IN_THIS_TERMINAL, *arguments],
        stdin=keyboard,
        stdout=keyboard,
        stderr=keyboard,
        start_new_session=True,
    )
    os.close(keyboard)
    try:
        yield Session(process, screen)
    finally:
        process.kill()
        process.wait()
        os.close(screen)
