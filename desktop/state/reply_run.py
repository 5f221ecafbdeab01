"""One reply from the request to the disk: events to the metrics, text to the screen, both to the store within a second.

Text is on the screen at once and on the disk within `FLUSH_INTERVAL_S` and one commit, so a kill at any moment loses
less than a second of it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import assert_never

from desktop.state.metrics_state import MetricsState
from desktop.state.storage import Storage
from runtime.client.base import Reply
from runtime.store.opening import OpenedStore
from runtime.store.replies import ReplyWriter
from runtime.values.chat import ChatMessage, MessageState, ReplyEnd
from runtime.values.errors import ErrorReport, StoreError
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
    """Carries one reply through."""

    def __init__(
        self,
        storage: Storage[OpenedStore],
        writer: ReplyWriter,
        metrics: MetricsState,
        on_text: Callable[[str, TextKind], None],
    ) -> None:
        self._storage = storage
        self._writer = writer
        self._metrics = metrics
        self._on_text = on_text
        self._unwritten: list[tuple[str, TextKind]] = []
        self._reasoning_ns: list[int] = []
        self._reply: Reply | None = None
        self._cancelled = False

    def cancel(self) -> None:
        """Stop the reply; what there is of it stays."""
        self._cancelled = True
        if self._reply is not None:
            self._reply.cancel()

    async def follow(self, reply: Reply) -> ChatMessage:
        """Read `reply` to its end and return the finished message.

        Raises:
            StoreError: it could not be written; its text is still in the writer.
        """
        self._reply = reply
        if self._cancelled:
            reply.cancel()
        flushing = asyncio.create_task(self._flush_regularly(), name="flush reply")
        try:
            end = await self._read(reply)
        finally:
            flushing.cancel()
            with suppress(asyncio.CancelledError):
                await flushing
        return await self.finish(end)

    async def fail(self, error: ErrorReport) -> ChatMessage:
        """End a reply that never began."""
        return await self.finish(ReplyEnd(state=MessageState.FAILED, error=error))

    async def finish(self, end: ReplyEnd) -> ChatMessage:
        """Write the rest and the end; may be called again after a `StoreError`."""
        pieces, self._unwritten = self._unwritten, []

        def write(_: OpenedStore) -> ChatMessage:
            for text, kind in pieces:
                self._writer.append(text, kind)
            return self._writer.finish(end)

        return await self._storage.run(write)

    async def flush(self) -> None:
        """Put what has come so far on the disk.

        Raises:
            StoreError: it could not be written, and is kept for the next time.
        """
        pieces, self._unwritten = self._unwritten, []

        def write(_: OpenedStore) -> None:
            for text, kind in pieces:
                self._writer.append(text, kind)
            self._writer.flush()

        await self._storage.run(write)

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
                await self.flush()
