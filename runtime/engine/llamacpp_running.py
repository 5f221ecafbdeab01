"""One request on a llama-server: from its first event to its last, in the terms of `Generation`."""

from __future__ import annotations

from functools import partial
from time import perf_counter_ns
from typing import NamedTuple

import msgspec

from runtime.engine.generation import Generation
from runtime.engine.llamacpp_conversations import Conversations, Place
from runtime.engine.llamacpp_http import EventStream, ServerClient, lost
from runtime.engine.llamacpp_slots import HeldTokens
from runtime.engine.llamacpp_tokenizer import ServerTokenizer
from runtime.engine.llamacpp_wire import (
    COMPLETION_PATH,
    CompletionEvent,
    EventReader,
    Progress,
    Timings,
    completion_body,
)
from runtime.engine.prefix_break import PromptReader, find_break
from runtime.metrics.timeline import NS_PER_MS
from runtime.values.errors import FirstTokenError
from runtime.values.generation import GenerationEvent, StopReason, TokenChoice
from runtime.values.kv_cache import CacheOrigin, PrefixBreak
from runtime.values.prompt import Prompt

SILENCE_LIMIT_NS = 900_000_000_000
"""A server that says nothing for so long is taken for hung; one batch of a very large model may take minutes."""
END_OF_SEQUENCE = "eos"


class _Token(NamedTuple):
    time_ns: int
    choice: TokenChoice | None


class RunningRequest:
    """A request that has been taken up. Whatever goes wrong with it ends it alone."""

    def __init__(self, generation: Generation) -> None:
        self.generation = generation
        self._stream: EventStream | None = None
        self._place: Place | None = None
        self._read_tokens = 0
        self._reader = EventReader()
        self._heard_ns = 0
        self._restored = False
        self._prefilled_ns = 0
        self._first_ns = 0
        # Tokens without text: the end token is one, and only what follows tells which of them it is.
        self._silent: list[_Token] = []
        self._evaluated: list[int] = []
        self._knows_all = True

    def fileno(self) -> int:
        """Return the descriptor to wait on for its next event; -1 if there is none to come."""
        return -1 if self._stream is None else self._stream.fileno()

    @property
    def context_tokens(self) -> int:
        """Tokens it has in the context."""
        return self.generation.prompt_tokens + self.generation.generated_tokens

    @property
    def evaluated(self) -> tuple[int, ...]:
        """The tokens of prompt and reply, up to the first that the server did not name."""
        return tuple(self._evaluated)

    @property
    def slot(self) -> int | None:
        """The slot it was given; None if it did not come so far."""
        return None if self._place is None else self._place.slot

    @property
    def held(self) -> HeldTokens:
        """What is known to be in its slot: what was read of the prompt, and of the reply all but the last token."""
        request, prompt_tokens = self.generation.request, self.generation.prompt_tokens
        written = max(0, len(self._evaluated) - prompt_tokens - 1) if self._read_tokens == prompt_tokens else 0
        tokens = tuple(self._evaluated[: self._read_tokens + written])
        count = self._read_tokens + self.generation.generated_tokens - 1 if tokens else 0
        return HeldTokens(
            tokens=tokens,
            count=max(len(tokens), count),
            conversation=request.conversation,
            is_private=request.is_private,
        )

    def start(
        self,
        client: ServerClient,
        tokenizer: ServerTokenizer,
        context_limit_tokens: int,
        conversations: Conversations,
        kept: tuple[tuple[int, ...], ...] = (),
    ) -> list[GenerationEvent]:
        """Check it, turn its prompt into tokens, find a place for it and send it; return nothing, or how it failed.

        `kept` is what is known to be kept of its conversation.
        """
        generation = self.generation
        try:
            generation.check()
            prompt = tokenizer.tokenize(generation.request.prompt)
            generation.tokenized(prompt.token_ids, prompt.rendered)
            self._evaluated = list(prompt.token_ids)
            if generation.request.reuse_cache:
                generation.find_break = partial(_break, kept, generation.request.prompt, prompt.token_ids, tokenizer)
            self._place = conversations.take(prompt.token_ids, generation.request)
            room_tokens = context_limit_tokens - len(prompt.token_ids)
            slot = conversations.slot_number(self._place.slot)
            body = completion_body(generation.request, prompt.token_ids, room_tokens, slot)
            self._stream = client.open_stream(COMPLETION_PATH, msgspec.json.encode(body))
        except FirstTokenError as error:
            return [generation.failed(error)]
        self._heard_ns = perf_counter_ns()
        return []

    def read(self) -> list[GenerationEvent]:
        """Return what came of everything that has arrived."""
        if self._stream is None:
            return []
        events: list[GenerationEvent] = []
        try:
            payloads = self._stream.read()
            # Every event of one read has arrived by now, and none can be told to have arrived sooner.
            time_ns = perf_counter_ns()
            self._check_silence(time_ns, heard=bool(payloads))
            for payload in payloads:
                events += self._take(self._reader.event(payload), time_ns)
                if self.generation.ended:
                    return events
            if self._stream.done:
                raise lost("the reply ended without its last event")
        except FirstTokenError as error:
            events.append(self.generation.failed(error))
        return events

    def hang_up(self) -> None:
        """Close the connection, which makes the server stop after the token or the batch that it is at. Idempotent."""
        if self._stream is not None:
            self._stream.close()
            self._stream = None

    def _check_silence(self, time_ns: int, *, heard: bool) -> None:
        if heard:
            self._heard_ns = time_ns
        elif time_ns - self._heard_ns > SILENCE_LIMIT_NS:
            raise lost("it has said nothing for fifteen minutes")

    def _take(self, event: CompletionEvent, time_ns: int) -> list[GenerationEvent]:
        if event.prompt_progress is not None:
            return self._progress(event.prompt_progress, event.timings)
        events = self._prompt_done(event.timings)
        tokens = self._silent + self._new_tokens(event, self._made_ns(event.timings, time_ns))
        self._silent = []
        if event.stop:
            return events + self._end(event, tokens)
        if not event.content:
            self._silent = tokens
            return events
        return events + self._pass_on(tokens, event.content)

    def _made_ns(self, timings: Timings | None, read_ns: int) -> int:
        """Return when a token was made that was read at `read_ns`.

        The first one's time is that of its arrival, as the user knows it. The others' come from the server's clock, so
        that a busy machine on which this thread has to wait does not make them look as if they came in bursts.
        """
        # The end of the prompt and the first token may arrive together; that end was stamped just now.
        read_ns = max(read_ns, self._prefilled_ns)
        since_first_ns = round(timings.predicted_ms * NS_PER_MS) if timings else 0
        self._first_ns = self._first_ns or read_ns - since_first_ns
        return min(read_ns, self._first_ns + since_first_ns) if timings else read_ns

    def _new_tokens(self, event: CompletionEvent, time_ns: int) -> list[_Token]:
        """Return the tokens that `event` stands for and none before it did."""
        count = event.tokens_predicted - self.generation.generated_tokens - len(self._silent)
        self._knows_all = self._knows_all and len(event.tokens) == count
        if self._knows_all:
            self._evaluated += event.tokens
        choice = event.completion_probabilities[0].as_choice() if event.completion_probabilities else None
        return [_Token(time_ns, None)] * (count - 1) + [_Token(time_ns, choice)] * (count > 0)

    def _end(self, event: CompletionEvent, tokens: list[_Token]) -> list[GenerationEvent]:
        ended = event.stop_type == END_OF_SEQUENCE
        tokens = tokens[:-1] if ended else tokens
        events = self._pass_on(tokens, event.content)
        if not self.generation.ended:
            reason = StopReason.END if ended else StopReason.CONTEXT_FULL
            events += self.generation.finished(reason, "" if tokens else event.content)
        return events

    def _pass_on(self, tokens: list[_Token], text: str) -> list[GenerationEvent]:
        """Report `tokens`, the last of which completes `text`, up to the one that generation has to stop at."""
        events: list[GenerationEvent] = []
        for place, token in enumerate(tokens, start=1):
            events += self.generation.token(text if place == len(tokens) else "", token.time_ns, token.choice)
            reason = self.generation.stop_reason()
            if reason is not None:
                return events + self.generation.finished(reason)
        return events

    def _progress(self, progress: Progress, timings: Timings | None) -> list[GenerationEvent]:
        events = self._cache_restored(progress.cache)
        self._read_tokens = progress.processed
        if progress.processed >= progress.total:
            events += self._prompt_done(timings)
        elif progress.processed > progress.cache:
            events.append(self.generation.prefill_progress(progress.processed))
        return events

    def _prompt_done(self, timings: Timings | None) -> list[GenerationEvent]:
        """Note the end of the prefill, if that has not been done; a server may not report progress.

        How long it took is the server's word: of a short prompt, begin and end arrive here together.
        """
        events = self._cache_restored(0)
        self._read_tokens = self.generation.prompt_tokens
        if not self._prefilled_ns:
            events.append(self.generation.prefilled(round(timings.prompt_ms * NS_PER_MS) if timings else None))
            self._prefilled_ns = perf_counter_ns()
        return events

    def _cache_restored(self, cached_tokens: int) -> list[GenerationEvent]:
        if self._restored:
            return []
        self._restored = True
        origin = CacheOrigin.MEMORY if self._place is None else self._place.origin
        return [self.generation.cache_restored(cached_tokens, origin)]


def _break(
    kept: tuple[tuple[int, ...], ...], prompt: Prompt, token_ids: tuple[int, ...], tokenizer: ServerTokenizer
) -> PrefixBreak | None:
    """Return where a prompt left what was kept; None too where the server that has to say it is gone."""
    reader = PromptReader(lambda other: tokenizer.tokenize(other).token_ids, tokenizer.text_of)
    try:
        return find_break(kept, prompt, token_ids, reader)
    except FirstTokenError:
        return None
