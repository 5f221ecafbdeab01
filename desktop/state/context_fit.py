"""What of a conversation the model is sent, as the user chose it, and whether that fits its context."""

from __future__ import annotations

from collections.abc import Callable

from desktop.state.chat_prompt import too_long
from desktop.state.engine_state import EngineState, EngineStatus, Loading
from runtime.client.context_window import ContextOutlook, ContextWindow, room_for_prompt
from runtime.client.token_bounds import least_tokens, most_tokens
from runtime.values.context_end import ContextEnd
from runtime.values.prompt import ChatPrompt, Role

LONG_TOKENS = 16_384
"""A message that may be this long is not stored before a model has counted it."""


class ContextFit:
    """Asks the loaded model, where a conversation is so long that it may not fit."""

    def __init__(self, engine: EngineState, at_context_end: Callable[[], ContextEnd]) -> None:
        self._engine = engine
        self._at_context_end = at_context_end
        self._window = ContextWindow(engine.count_tokens)
        engine.status_changed.connect(self._note_engine)

    @property
    def drops_oldest(self) -> bool:
        """Whether the oldest exchanges are left out of what does not fit."""
        return self._at_context_end() is ContextEnd.DROP_OLDEST

    def fits_surely(self, prompt: ChatPrompt) -> bool:
        """Whether the text is so short that its tokens need not be counted."""
        model = self._engine.model
        if model is None:
            return most_tokens(prompt) < LONG_TOKENS
        limit = model.context_limit_tokens
        return most_tokens(prompt) < (room_for_prompt(limit) if self.drops_oldest else limit)

    async def sent(self, prompt: ChatPrompt) -> ChatPrompt:
        """Return what the model is sent of `prompt`; where nothing is to be left out, all of it, uncounted.

        Raises:
            UserFacingError: there is no model to count it.
        """
        model = await self._engine.ready()
        if not self.drops_oldest or self.fits_surely(prompt):
            return prompt
        return (await self._window.sent(prompt, model.context_limit_tokens)).prompt

    async def check(self, prompt: ChatPrompt) -> None:
        """Count tokens, where the text is long enough that it may not fit.

        Raises:
            ContextOverflowError: what would be sent of the conversation does not fit the context.
            UserFacingError: it is so long that it has to be counted, and there is no model to count it.
        """
        model = await self._engine.ready()
        if self.fits_surely(prompt):
            return
        limit = model.context_limit_tokens
        least = least_tokens(_newest(prompt) if self.drops_oldest else prompt)
        if least >= limit:
            raise too_long(least, model, is_counted=False)
        sent = (await self._window.sent(prompt, limit)).prompt if self.drops_oldest else prompt
        tokens = await self._engine.count_tokens(sent)
        if tokens >= limit:
            raise too_long(tokens, model, is_counted=True)

    async def outlook(self, prompt: ChatPrompt, draft: str, *, goes_on: bool) -> ContextOutlook | None:
        """Return how full the context is after `prompt`, and what the next question brings; None without a model.

        `goes_on` says that the model is going on with the last reply.

        Raises:
            UserFacingError: the model was lost, or its template fails.
        """
        model = self._engine.model
        if model is None:
            return None
        limit = model.context_limit_tokens
        return await self._window.outlook(prompt, limit, draft, drops=self.drops_oldest, goes_on=goes_on)

    def _note_engine(self, status: EngineStatus) -> None:
        if isinstance(status, Loading):
            self._window.forget()


def _newest(prompt: ChatPrompt) -> ChatPrompt:
    """Return what is sent in any case: the system prompt and the newest message."""
    opening = tuple(message for message in prompt.messages[:1] if message.role is Role.SYSTEM)
    return ChatPrompt((*opening, *prompt.messages[-1:]))
