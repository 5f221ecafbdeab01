"""A conversation in the terminal: the messages so far, what of them the model is sent, and its replies as they come."""

from __future__ import annotations

import asyncio
from typing import assert_never

import msgspec

from runtime.cli.terminal import Terminal
from runtime.client.base import EngineClient, Reply
from runtime.client.context_window import ContextOutlook, ContextWindow
from runtime.values.chat import new_uid
from runtime.values.context_end import ContextEnd
from runtime.values.errors import InvalidRequestError, error_from
from runtime.values.generation import (
    Cancelled,
    Failed,
    Finished,
    GenerateRequest,
    GenerationStats,
    PromptProgress,
    StopReason,
    TextDelta,
    TextKind,
)
from runtime.values.model import LoadedModel
from runtime.values.prompt import ChatPrompt, Message, Role
from runtime.values.sampling import SamplingParams


class Exchange(msgspec.Struct, frozen=True):
    """A reply that has ended, and how."""

    text: str
    reasoning: str
    stop_reason: StopReason
    stats: GenerationStats | None


class Conversation:
    """The messages so far and the client that answers them."""

    def __init__(
        self,
        client: EngineClient,
        sampling: SamplingParams,
        system: str,
        max_tokens: int | None,
        at_context_end: ContextEnd = ContextEnd.STOP,
    ) -> None:
        self.client = client
        self.model: LoadedModel | None = None
        self._at_context_end = at_context_end
        self._sampling = sampling
        self._max_tokens = max_tokens
        self._window = ContextWindow(client.count_tokens)
        self._opening: tuple[Message, ...] = (Message(Role.SYSTEM, system),) if system else ()
        self._messages: tuple[Message, ...] = self._opening
        self._may_continue = False
        self._left_out = 0
        self._key = new_uid()

    def clear(self) -> None:
        """Forget what was said; the system prompt stays."""
        self._messages = self._opening
        self._may_continue = False
        self._left_out = 0
        self._key = new_uid()

    async def ask(self, text: str, terminal: Terminal | None, submitted_ns: int) -> Exchange:
        """Send `text`, show the reply as it streams, and return it; an interrupt stops it and keeps what there is.

        A question whose reply was stopped before its first word is not part of the conversation.

        Raises:
            UserFacingError: the reply failed. The question is then not part of the conversation.
        """
        messages = (*self._messages, Message(Role.USER, text))
        exchange = await self._reply_to(messages, terminal, submitted_ns)
        if exchange.text or exchange.stop_reason is not StopReason.CANCELLED:
            self._messages = (*messages, Message(Role.ASSISTANT, exchange.text))
            self._may_continue = ends_early(exchange)
        return exchange

    async def go_on(self, terminal: Terminal | None, submitted_ns: int) -> Exchange:
        """Go on with a reply that ended early, after its last character; see `ask`.

        Raises:
            InvalidRequestError: the last reply did not end early.
            UserFacingError: the reply failed; the conversation is as it was.
        """
        if not self._may_continue:
            raise InvalidRequestError("There is no reply that ended early.", "Ask something.")
        exchange = await self._reply_to(self._messages, terminal, submitted_ns)
        whole = self._messages[-1].text + exchange.text
        self._messages = (*self._messages[:-1], Message(Role.ASSISTANT, whole))
        self._may_continue = ends_early(exchange) or exchange.stop_reason is StopReason.CANCELLED
        return exchange

    async def outlook(self) -> str:
        """Return what has to be said before the next message: that it will not fit, and what then; empty if it will.

        Raises:
            UserFacingError: there is no model to count tokens any more.
        """
        if self.model is None:
            return ""
        drops = self._at_context_end is ContextEnd.DROP_OLDEST
        limit = self.model.context_limit_tokens
        return outlook_text(await self._window.outlook(ChatPrompt(self._messages), limit, drops=drops), drops=drops)

    async def _reply_to(self, messages: tuple[Message, ...], terminal: Terminal | None, submitted_ns: int) -> Exchange:
        transcript = _Transcript(terminal)
        try:
            request = GenerateRequest(
                id=0,
                prompt=await self._sent(ChatPrompt(messages), terminal),
                submitted_ns=submitted_ns,
                max_tokens=self._max_tokens,
                sampling=self._sampling,
                conversation=self._key,
            )
            reply = await self.client.generate(request)
        except asyncio.CancelledError:  # Ctrl+C while a lost worker was being replaced: there is no reply to stop.
            return transcript.exchange(StopReason.CANCELLED, None)
        return await _follow(reply, transcript)

    async def _sent(self, prompt: ChatPrompt, terminal: Terminal | None) -> ChatPrompt:
        """Return what the model is sent of `prompt`, having said what it is not sent any more."""
        if self.model is None or self._at_context_end is ContextEnd.STOP:
            return prompt
        sent = await self._window.sent(prompt, self.model.context_limit_tokens)
        if sent.left_out > self._left_out and terminal is not None:
            terminal.note(left_out_text(sent.left_out))
        self._left_out = sent.left_out
        return sent.prompt


def ends_early(exchange: Exchange) -> bool:
    """Return whether the model would have gone on."""
    early = (StopReason.LENGTH, StopReason.CONTEXT_FULL, StopReason.CANCELLED)
    return exchange.stop_reason in early and bool(exchange.text)


def left_out_text(messages: int) -> str:
    """Return what is said when so many messages, the oldest, are not sent any more."""
    return f"The context is full: the {messages} oldest messages are not sent to the model any more."


def outlook_text(outlook: ContextOutlook, *, drops: bool) -> str:
    """Return what has to be said before the next message; empty while there is room for it."""
    if not outlook.is_nearly_full:
        return ""
    start = f"The context is nearly full ({outlook.used_tokens or 0:,} of {outlook.limit_tokens:,} tokens):"
    if drops and outlook.left_out_next > outlook.left_out:
        return f"{start} with the next message, the {outlook.left_out_next} oldest ones are not sent any more."
    return f"{start} the next reply may be cut short. /clear forgets the conversation."


async def _follow(reply: Reply, transcript: _Transcript) -> Exchange:
    try:
        return await transcript.read(reply)
    except asyncio.CancelledError:  # Ctrl+C: stop the reply, then go on reading to its end.
        reply.cancel()
        return await transcript.read(reply)


class _Transcript:
    """Collects a reply's text and shows it."""

    def __init__(self, terminal: Terminal | None) -> None:
        self._terminal = terminal
        self._texts: dict[TextKind, list[str]] = {TextKind.ANSWER: [], TextKind.REASONING: []}

    async def read(self, reply: Reply) -> Exchange:
        async for event in reply:
            match event:
                case PromptProgress():
                    pass  # A terminal shows the wait as it is.
                case TextDelta():
                    self._show(event)
                case Finished(stop_reason=reason, stats=stats):
                    return self.exchange(reason, stats)
                case Cancelled(stats=stats):
                    return self.exchange(StopReason.CANCELLED, stats)
                case Failed(error=report):
                    raise error_from(report)
                case _:
                    assert_never(event)
        raise AssertionError("unreachable: a reply ends in a terminal event")

    def _show(self, delta: TextDelta) -> None:
        self._texts[delta.kind].append(delta.text)
        if self._terminal is None:
            return
        if delta.kind is TextKind.ANSWER:
            self._terminal.answer(delta.text)
        else:
            self._terminal.reasoning(delta.text)

    def exchange(self, reason: StopReason, stats: GenerationStats | None) -> Exchange:
        """Return what there is of the reply, ended for `reason`."""
        return Exchange("".join(self._texts[TextKind.ANSWER]), "".join(self._texts[TextKind.REASONING]), reason, stats)
