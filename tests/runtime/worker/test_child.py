"""What a worker says, gathered for somebody who looks only now and then."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from threading import Event

import msgspec

from runtime.values.generation import Cancelled, MemoryFigures, TextDelta, TextKind
from runtime.worker.child import WorkerChild
from runtime.worker.protocol import PROTOCOL_VERSION, FromWorker, Hello, MemorySample

INTERVAL_S = 60.0
"""Longer than any test takes: nobody really waits for so long."""
PATIENCE_S = 20
SAMPLE = MemorySample(
    MemoryFigures(weights_bytes=1, kv_cache_bytes=2, compute_buffer_bytes=3, worker_resident_bytes=4, peak_bytes=5)
)

# Says one of its arguments each time it is told to; then a file says that it has been said.
SAYS_ON_DEMAND = """
import pathlib, sys
folder, *said = sys.argv[1:]
for number, lines in enumerate(said):
    sys.stdin.readline()
    print(lines, end="", flush=True)
    pathlib.Path(folder, str(number)).touch()
"""


def delta(text: str) -> TextDelta:
    return TextDelta(1, text, TextKind.ANSWER, (len(text),))


class Listener:
    """Takes what a process says; in each pause of the thread that reads it, the process says the next."""

    def __init__(self, folder: Path, interval_s: float, said: Sequence[Sequence[msgspec.Struct]]) -> None:
        self.batches: list[list[FromWorker]] = []
        self.pauses_s: list[float] = []
        self._folder = folder
        self._ended = Event()
        lines = [msgspec.json.Encoder().encode_lines(batch).decode() for batch in said]
        command = [sys.executable, "-c", SAYS_ON_DEMAND, str(folder), *lines]
        self.child = WorkerChild(command, os.environ, self.batches.append, lambda _: self._ended.set(), self._pause)
        self.child.batch_interval_s = interval_s

    def listen(self) -> None:
        """Have it begin, and wait for its end."""
        self._say_next()
        assert self._ended.wait(PATIENCE_S)

    def _say_next(self) -> None:
        self.child.send(Hello(PROTOCOL_VERSION))

    def _pause(self, seconds: float) -> None:
        self.pauses_s.append(seconds)
        self._say_next()
        deadline = time.monotonic() + PATIENCE_S
        while not (self._folder / str(len(self.pauses_s))).exists() and time.monotonic() < deadline:
            time.sleep(0.005)


def test_text_that_comes_in_a_pause_is_handed_over_together(tmp_path: Path) -> None:
    said = ([delta("a"), SAMPLE], [delta("b"), delta("cd")], [delta("e"), Cancelled(1, None)])
    listener = Listener(tmp_path, INTERVAL_S, said)
    listener.listen()
    together = TextDelta(1, "bcd", TextKind.ANSWER, (1, 2))
    assert listener.batches == [[delta("a"), SAMPLE], [together], [delta("e"), Cancelled(1, None)]]
    assert listener.pauses_s == [INTERVAL_S, INTERVAL_S], "after the first text and the second, but not after the end"


def test_what_is_no_text_is_not_waited_after(tmp_path: Path) -> None:
    listener = Listener(tmp_path, INTERVAL_S, ([SAMPLE],))
    listener.listen()
    assert listener.pauses_s == []


def test_whoever_wants_text_as_it_comes_gets_it_so(tmp_path: Path) -> None:
    listener = Listener(tmp_path, 0.0, ([delta("a")],))
    listener.listen()
    assert listener.batches == [[delta("a")]]
    assert listener.pauses_s == []
