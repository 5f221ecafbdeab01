"""Starting and stopping a worker process, seen from the parent.

Plain `subprocess` and three threads, no event loop: one reads events, one keeps the tail of stderr, one writes, so that
`send` never waits for a worker whose native library holds the interpreter for seconds. Events are decoded on the
reading thread and handed over in batches, as many as one read brought. A window has no use for more text than its next
frame shows: where `batch_interval_s` says so the reading thread sleeps after text, and takes all that came meanwhile at
once.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from queue import SimpleQueue
from threading import Thread
from time import sleep
from typing import BinaryIO

import msgspec

from runtime.values.errors import InternalError, InvalidRequestError
from runtime.values.generation import Cancelled, Failed, Finished, TextDelta, merged
from runtime.worker.channel import encode_line, read_batches
from runtime.worker.protocol import FromWorker, Shutdown, ToWorker

STDERR_TAIL_LINES = 200
STOP_GRACE_S = 3.0

# Everything a worker's libraries are told. Offline: a missing path is otherwise taken for a hub id. The spin count
# keeps idle OpenMP threads off the cores the window needs; ggml's backtrace starts a debugger.
WORKER_ENVIRONMENT = {
    "HF_HUB_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "TRANSFORMERS_NO_ADVISORY_WARNINGS": "1",
    "TOKENIZERS_PARALLELISM": "false",
    "GOMP_SPINCOUNT": "1000",
    "GGML_NO_BACKTRACE": "1",
    "PYTHONUTF8": "1",
    "PYTHONUNBUFFERED": "1",
}
SECRET_VARIABLES = ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HUGGINGFACEHUB_API_TOKEN")


class WorkerExit(msgspec.Struct, frozen=True):
    """How a worker ended: its exit code (negative: the signal) and the last lines it wrote to stderr."""

    code: int
    stderr_tail: str


def worker_command(executable: str = sys.executable, *, frozen: bool = getattr(sys, "frozen", False)) -> list[str]:
    """Return the command line of a worker; a frozen app starts itself with `--worker`."""
    return [executable, "--worker"] if frozen else [executable, "-P", "-m", "runtime", "--worker"]


def worker_environment(base: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of a worker: `base` without secrets, offline, and able to import this package."""
    environment = {name: value for name, value in base.items() if name not in SECRET_VARIABLES}
    environment.update(WORKER_ENVIRONMENT)
    root = str(Path(__file__).resolve().parents[2])
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, [root, base.get("PYTHONPATH", "")]))
    return environment


class WorkerChild:
    """A worker process. Callbacks run on its own threads; `on_exit` comes last and once.

    Attributes:
        batch_interval_s: how long text waits for more after text was handed over; 0 hands each over as it comes.
    """

    def __init__(
        self,
        command: Sequence[str],
        environment: Mapping[str, str],
        on_messages: Callable[[list[FromWorker]], None],
        on_exit: Callable[[WorkerExit], None],
        pause_s: Callable[[float], None] = sleep,
    ) -> None:
        self._on_messages = on_messages
        self._on_exit = on_exit
        self._pause_s = pause_s
        self.batch_interval_s = 0.0
        self._outbox: SimpleQueue[bytes | None] = SimpleQueue()
        self._stderr_tail: deque[str] = deque(maxlen=STDERR_TAIL_LINES)
        self._process = subprocess.Popen(
            list(command),
            env=dict(environment),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
            # A Ctrl+C in the terminal is for the command line, which then cancels; it must not kill the worker.
            start_new_session=os.name == "posix",
        )
        self._threads = [
            Thread(target=work, args=(stream,), name=f"worker-{self.pid}-{name}", daemon=True)
            for name, work, stream in (
                ("stdin", self._write, self._process.stdin),
                ("stdout", self._read, self._process.stdout),
                ("stderr", self._keep_stderr, self._process.stderr),
            )
        ]
        for thread in reversed(self._threads):  # The one for stdout waits for the one for stderr at its end.
            thread.start()

    @property
    def pid(self) -> int:
        """The worker's process id."""
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether the process has not ended. Tells it at once; `on_exit` waits for the last of its output."""
        return self._process.poll() is None

    def send(self, message: ToWorker) -> None:
        """Queue `message`; never waits. What a dead worker did not get shows in `on_exit`.

        Raises:
            InvalidRequestError: it holds text that is no Unicode, so that no message can carry it.
        """
        try:
            line = encode_line(message)
        except UnicodeEncodeError as error:
            raise InvalidRequestError(
                "A text or a file's name holds bytes that are no valid characters.",
                "Remove them from the text, or rename the file.",
                detail=str(error),
            ) from error
        self._outbox.put(line)

    def stop(self) -> None:
        """End the worker and wait for it: ask, close its pipe, and after three seconds kill it. Idempotent; blocks."""
        self.send(Shutdown())
        self._outbox.put(None)
        try:
            self._process.wait(STOP_GRACE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        for thread in self._threads:
            thread.join()

    def kill(self) -> None:
        """End the worker at once, without waiting."""
        self._process.kill()
        self._outbox.put(None)

    def _write(self, stream: BinaryIO) -> None:
        try:
            while (line := self._outbox.get()) is not None:
                stream.write(line)
                stream.flush()
        except OSError:
            pass  # The worker is gone; `on_exit` says so.
        finally:
            _close(stream)

    def _read(self, stream: BinaryIO) -> None:
        decoder = msgspec.json.Decoder(FromWorker)
        try:
            for lines in read_batches(stream):
                messages = merged([decoder.decode(line) for line in lines])
                self._on_messages(messages)
                if self.batch_interval_s and _more_text_follows(messages):
                    self._pause_s(self.batch_interval_s)
        except (msgspec.DecodeError, InternalError) as error:  # It can no longer be understood, so it serves nobody.
            self._stderr_tail.append(f"not understood: {error}")
            self._process.terminate()
        finally:
            stream.close()
            self._finish()

    def _finish(self) -> None:
        try:
            code = self._process.wait(STOP_GRACE_S)
        except subprocess.TimeoutExpired:  # It closed its pipe, yet lives on: it can no longer serve anyone.
            self._process.kill()
            code = self._process.wait()
        self._outbox.put(None)
        self._threads[2].join()
        self._on_exit(WorkerExit(code, "\n".join(self._stderr_tail)))

    def _keep_stderr(self, stream: BinaryIO) -> None:
        with stream:
            for line in stream:
                self._stderr_tail.append(line.decode("utf-8", "replace").rstrip())


def _more_text_follows(messages: Iterable[FromWorker]) -> bool:
    """Tell whether there was text in `messages`, and no end: what comes after an end is news."""
    kinds = {type(message) for message in messages}
    return TextDelta in kinds and not kinds & {Finished, Cancelled, Failed}


def _close(stream: BinaryIO) -> None:
    with suppress(OSError):  # Closing flushes, and there may be nobody to flush to.
        stream.close()
