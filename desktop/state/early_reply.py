"""A reply that the model is asked for at once, while the disk still stores what it belongs to."""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Self

import msgspec

from desktop.state.context_fit import ContextFit
from desktop.state.engine_state import EngineState
from runtime.client.base import Reply
from runtime.values.generation import GenerateRequest
from runtime.values.prompt import ChatPrompt


class EarlyReply:
    """Asks from `async with` on; where that ends before the reply has, for whatever reason, the reply is given up.

    Attributes:
        submitted_ns: when the user asked, on the clock of the worker's stamps.
    """

    def __init__(self, engine: EngineState, request: GenerateRequest, fit: ContextFit) -> None:
        self.submitted_ns = request.submitted_ns
        self._engine = engine
        self._request = request
        self._fit = fit

    async def __aenter__(self) -> Self:
        """Begin to ask."""
        self._asking = asyncio.ensure_future(self._ask())
        await asyncio.sleep(0)  # The worker has it before anything else begins, if there is a worker.
        return self

    async def __aexit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        """End what the model has begun, if it has not ended by itself."""
        self._asking.cancel()
        (reply,) = await asyncio.gather(self._asking, return_exceptions=True)
        if not isinstance(reply, BaseException):
            reply.cancel()

    async def begun(self) -> Reply:
        """Return the reply, waiting while the model is being loaded.

        Raises:
            UserFacingError: there is nothing to answer with.
        """
        return await asyncio.shield(self._asking)

    async def _ask(self) -> Reply:
        await self._engine.ready()
        prompt = self._request.prompt
        if isinstance(prompt, ChatPrompt):
            prompt = await self._fit.sent(prompt)
        return await self._engine.generate(msgspec.structs.replace(self._request, prompt=prompt))
