"""One worker process for two clients that take turns: what differs between their replies is then theirs alone.

Two workers of the same model differ for as long as they live, by where their memory happens to lie.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Coroutine
from typing import TypeVar

from runtime.client.worker_client import WorkerClient
from runtime.values.errors import error_from
from runtime.values.generation import Failed, Finished, GenerateRequest, GenerationStats
from runtime.worker.child import WorkerChild, WorkerExit, worker_command, worker_environment
from runtime.worker.protocol import FromWorker, ToWorker

TakeMessages = Callable[[list[FromWorker]], None]
T = TypeVar("T")


def _drop(_messages: list[FromWorker]) -> None:
    """Take messages that nobody waits for."""


class SharedWorker:
    """The process, started by its owner's client; a guest has it while the owner asks nothing."""

    def __init__(self) -> None:
        self._child: WorkerChild | None = None
        self._owner: TakeMessages = _drop
        self._guest: TakeMessages | None = None

    def start_child(self, on_messages: TakeMessages, on_exit: Callable[[WorkerExit], None]) -> WorkerChild:
        """Start the process for the owner."""
        self._owner = on_messages
        self._child = WorkerChild(worker_command(), worker_environment(os.environ), self._pass_on, on_exit)
        return self._child

    @property
    def child(self) -> WorkerChild:
        """The process."""
        assert self._child is not None
        return self._child

    def pass_to(self, guest: TakeMessages | None) -> None:
        """Have `guest` take what the worker says; None gives it back to the owner."""
        self._guest = guest

    def _pass_on(self, messages: list[FromWorker]) -> None:
        (self._guest or self._owner)(messages)


class BorrowedChild:
    """The process as the guest's client sees it: not its own to end."""

    def __init__(self, child: WorkerChild) -> None:
        self._child = child
        self.batch_interval_s = 0.0

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._child.pid

    @property
    def running(self) -> bool:
        """Whether it has not ended."""
        return self._child.running

    def send(self, message: ToWorker) -> None:
        """Queue a message."""
        self._child.send(message)

    def stop(self) -> None:
        """Leave it as it is."""


class GuestPath:
    """The headless client, as the command line has it: an event loop of its own, and each event as it comes."""

    def __init__(self, worker: SharedWorker) -> None:
        self._worker = worker
        self._take: TakeMessages = _drop
        self._runner = asyncio.Runner()
        self._client = self._in_turn(lambda: WorkerClient.start(self._borrow))

    def answer(self, request: GenerateRequest) -> GenerationStats:
        """Return the figures of the reply to a request."""
        return self._in_turn(lambda: self._answer(request))

    def close(self) -> None:
        """Close the loop; the process is the owner's to end."""
        self._runner.close()

    def _borrow(self, on_messages: TakeMessages, _on_exit: Callable[[WorkerExit], None]) -> BorrowedChild:
        self._take = on_messages
        self._worker.pass_to(on_messages)
        return BorrowedChild(self._worker.child)

    def _in_turn(self, work: Callable[[], Coroutine[object, object, T]]) -> T:
        """Return what `work` gives, while what the worker says comes here, unpaced."""
        child = self._worker.child
        owners_interval_s, child.batch_interval_s = child.batch_interval_s, 0.0
        self._worker.pass_to(self._take)
        try:
            return self._runner.run(work())
        finally:
            self._worker.pass_to(None)
            child.batch_interval_s = owners_interval_s

    async def _answer(self, request: GenerateRequest) -> GenerationStats:
        async for event in await self._client.generate(request):
            match event:
                case Finished(stats=stats):
                    return stats
                case Failed(error=report):
                    raise error_from(report)
        raise AssertionError("unreachable: a reply ends in a terminal event")
