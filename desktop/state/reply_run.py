"""One reply from the request to the disk: events to the metrics, text to the screen, both to the store within a second.

Text is on the screen at once and on the disk within `FLUSH_INTERVAL_S` and one commit, so a kill at any moment loses
less than a second of it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import assert_never

import msgspec

from desktop.state.metrics_state import MetricsState
from desktop.state.storage import Storage
from runtime.client.base import Reply
from runtime.store.opening import OpenedStore
from runtime.store.replies import ReplyWriter
from runtime.values.chat import ChatId, ChatMessage, MessageState, ReplyEnd
from runtime.values.errors import ErrorReport, StoreError, report_of
from runtime.values.generation import (
    Cancelled,
    Failed,
    Finished,
    GenerationEvent,
    GenerationStats,
    PromptProgress,
    StopReason,
    TextDelta,
    TextKind,
)

FLUSH_INTERVAL_S = 0.4
NS_PER_MS = 1e6


class ReplyRun:
    """Carries one reply through.

    Attributes:
        message_id: the reply.
        chat_id: the chat it belongs to, which need not be the one that is shown.
    """

    def __init__(
        self,
        storage: Storage[OpenedStore],
        writer: ReplyWriter,
        chat_id: ChatId,
        metrics: MetricsState,
        on_text: Callable[[str, TextKind], None],
    ) -> None:
        self.message_id = writer.message_id
        self.chat_id = chat_id
        self._storage = storage
        self._writer = writer
        self._metrics = metrics
        self._on_text = on_text
        self._pieces: dict[TextKind, list[str]] = {TextKind.ANSWER: [], TextKind.REASONING: []}
        self._unwritten: list[tuple[str, TextKind]] = []
        self._reasoning_ns: list[int] = []
        self._reply: Reply | None = None
        self._cancelled = False
        self._end_to_write: ReplyEnd | None = None
        self._problem: ErrorReport | None = None

    def cancel(self) -> None:
        """Stop the reply; what there is of it stays."""
        self._cancelled = True
        if self._reply is not None:
            self._reply.cancel()

    def go_on_from(self, message: ChatMessage) -> None:
        """Begin with what there is of the reply already."""
        self._pieces = {TextKind.ANSWER: [message.text], TextKind.REASONING: [message.reasoning]}

    def seen(self, message: ChatMessage) -> ChatMessage:
        """Return the reply as it is now, where `message` is what the disk has of it."""
        answer, reasoning = ("".join(self._pieces[kind]) for kind in (TextKind.ANSWER, TextKind.REASONING))
        now = msgspec.structs.replace(message, text=answer, reasoning=reasoning)
        if self._problem is None:
            return now
        return msgspec.structs.replace(now, state=MessageState.FAILED, error=self._problem)

    async def follow(self, reply: Reply) -> ReplyEnd:
        """Read `reply` to its end, saving what comes as it comes, and return how it ended."""
        self._reply = reply
        if self._cancelled:
            reply.cancel()
        flushing = asyncio.create_task(self._flush_regularly(), name="flush reply")
        try:
            return await self._read(reply)
        finally:
            flushing.cancel()
            with suppress(asyncio.CancelledError):
                await flushing

    def stopped_early(self) -> ReplyEnd:
        """Return the end of a reply that was stopped before the model had it."""
        self._metrics.observe(Cancelled(0, None))
        return ReplyEnd(state=MessageState.STOPPED)

    def failed_early(self, error: ErrorReport) -> ReplyEnd:
        """Return the end of a reply that never began."""
        self._metrics.observe(Failed(0, error))
        return ReplyEnd(state=MessageState.FAILED, error=error)

    async def finish(self, end: ReplyEnd) -> ChatMessage:
        """Write the rest and the end, and return the finished message.

        Raises:
            StoreError: it could not be written. Its text is still here, and `finish_again` tries once more.
        """
        self._end_to_write = end
        return await self.finish_again()

    async def finish_again(self) -> ChatMessage:
        """Write what `finish` could not.

        Raises:
            StoreError: it still cannot be written.
        """
        end, pieces = self._end_to_write, self._taken()
        if end is None:
            raise RuntimeError("the reply has not ended yet")

        def write(_: OpenedStore) -> ChatMessage:
            self._append(pieces)
            return self._writer.finish(end)

        try:
            return await self._storage.run(write)
        except StoreError as error:
            self._problem = report_of(error)
            raise

    async def _flush(self) -> None:
        """Put what has come so far on the disk.

        Raises:
            StoreError: it could not be written, and is kept for the next time.
        """
        pieces = self._taken()

        def write(_: OpenedStore) -> None:
            self._append(pieces)
            self._writer.flush()

        await self._storage.run(write)

    def _taken(self) -> list[tuple[str, TextKind]]:
        pieces, self._unwritten = self._unwritten, []
        return pieces

    def _append(self, pieces: list[tuple[str, TextKind]]) -> None:
        """Give `pieces` to the writer, which keeps each even where it cannot write it now."""
        for text, kind in pieces:
            with suppress(StoreError):
                self._writer.append(text, kind)

    async def _read(self, reply: Reply) -> ReplyEnd:
        async for event in reply:
            self._metrics.observe(event)
            end = self._take(event)
            if end is not None:
                return end
        raise AssertionError("unreachable: a reply ends in a terminal event")

    def _take(self, event: GenerationEvent) -> ReplyEnd | None:
        match event:
            case PromptProgress():
                return None
            case TextDelta(text=text, kind=kind, token_times_ns=times):
                if kind is TextKind.REASONING:
                    self._reasoning_ns += times
                if text:
                    self._unwritten.append((text, kind))
                    self._pieces[kind].append(text)
                    self._on_text(text, kind)
                return None
            case Finished(stop_reason=reason, stats=stats):
                return self._end(MessageState.COMPLETE, stop_reason=reason, stats=stats)
            case Cancelled(stats=stats):
                return self._end(MessageState.STOPPED, stats=stats)
            case Failed(error=error):
                return self._end(MessageState.FAILED, error=error)
            case _:
                assert_never(event)

    def _end(
        self,
        state: MessageState,
        *,
        stop_reason: StopReason | None = None,
        stats: GenerationStats | None = None,
        error: ErrorReport | None = None,
    ) -> ReplyEnd:
        reasoning_ms = self._reasoning_ms()
        return ReplyEnd(state=state, stop_reason=stop_reason, error=error, stats=stats, reasoning_ms=reasoning_ms)

    def _reasoning_ms(self) -> float | None:
        """Return how long the reasoning took, from its first token to its last; None without any."""
        return (self._reasoning_ns[-1] - self._reasoning_ns[0]) / NS_PER_MS if self._reasoning_ns else None

    async def _flush_regularly(self) -> None:
        while True:
            await asyncio.sleep(FLUSH_INTERVAL_S)
            with suppress(StoreError):  # The writer keeps the text; `finish` tries again and says so.
                await self._flush()
