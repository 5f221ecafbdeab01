"""One request on MLX: template and tokenizer, KV cache and prompt, then the tokens that a batch writes for it."""

from __future__ import annotations

import re
import traceback
from collections.abc import Callable
from time import perf_counter_ns
from typing import NamedTuple

import mlx.core as mx

from runtime.engine.generation import Generation
from runtime.engine.mlx_batch import Writer, first_token
from runtime.engine.mlx_cache import KvCache
from runtime.engine.mlx_conversations import WarmConversations
from runtime.engine.mlx_detokenizer import REPLACEMENT, Detokenizer
from runtime.engine.mlx_evaluation import evaluate_chunk
from runtime.engine.mlx_loading import MlxModel
from runtime.engine.mlx_sampling import ChosenToken, TokenChooser
from runtime.engine.prefix_break import PromptReader, find_break
from runtime.values.errors import FirstTokenError, InternalError, MemoryShortError, ModelBrokenError
from runtime.values.generation import GenerationEvent, StopReason, TokenChoice, TokenLogprob

OUT_OF_MEMORY = re.compile(r"alloc|memory", re.IGNORECASE)
"""What MLX's errors say when an allocation fails: a plain RuntimeError is all that it raises."""


class RequestContext(NamedTuple):
    """What all requests of a loaded model share."""

    model: MlxModel
    conversations: WarmConversations
    chunk_tokens: int


class RunningRequest:
    """A request that has been taken up: it reads its prompt piece by piece, then takes the tokens written for it.

    Whatever fails ends this request alone.
    """

    def __init__(self, generation: Generation, context: RequestContext) -> None:
        self.generation = generation
        self.cache: KvCache | None = None
        self._context = context
        self._prompt: tuple[int, ...] = ()
        self._read_tokens = 0
        self._tokens: list[int] = []
        self._writing: tuple[TokenChooser, Detokenizer] | None = None
        self._first: mx.array | None = None
        self._failed = False

    @property
    def id(self) -> int:
        """The request's."""
        return self.generation.request.id

    @property
    def unread_tokens(self) -> int:
        """How many tokens of the prompt are still to be evaluated."""
        return len(self._prompt) - self._read_tokens

    @property
    def has_read(self) -> bool:
        """Whether a batch can write for it: the first token is being computed."""
        return self._first is not None and not self.generation.ended

    @property
    def kv_cache_bytes(self) -> int:
        """What its KV cache takes, as long as it has one of its own."""
        return self.cache.nbytes if self.cache else 0

    def begin(self) -> list[GenerationEvent]:
        """Do what comes before evaluating the prompt: template, tokenizer, what the KV cache holds already."""
        return self._guarded(self._begin)

    def read(self) -> list[GenerationEvent]:
        """Evaluate the next chunk of the prompt, and with the last one its last token, from which writing begins."""
        return self._guarded(self._read)

    def hand_over(self) -> tuple[Writer, mx.array]:
        """Return what a batch needs to go on once the prompt is read; the cache is the batch's then."""
        cache, first, writing = self.cache, self._first, self._writing
        if cache is None or first is None or writing is None:
            raise RuntimeError("handed over before it was read, or twice")
        self.cache = self._first = None
        return Writer(self.id, writing[0], cache), first

    def write(self, token_id: int, time_ns: int) -> list[GenerationEvent]:
        """Take a token that was written at `time_ns`."""
        return self._guarded(lambda: self._written(token_id, time_ns))

    def cancel(self) -> GenerationEvent:
        """End it where it stands; what has been evaluated stays in the cache."""
        event = self.generation.cancelled()
        self.keep(self.cache)
        return event

    def keep(self, cache: KvCache | None) -> None:
        """Keep its KV cache, if there is any and nothing failed, for the conversation's next turn."""
        if cache is not None and not self._failed:
            request = self.generation.request
            self._context.conversations.keep(
                cache, self._tokens, is_private=request.is_private, name=request.conversation
            )
        self.cache = None

    def fail(self, error: Exception) -> list[GenerationEvent]:
        """End it because of `error`."""
        event = self.generation.failed(error if isinstance(error, FirstTokenError) else _translated(error))
        self.cache, self._failed = None, True
        mx.clear_cache()
        return [event]

    def _guarded(self, work: Callable[[], list[GenerationEvent]]) -> list[GenerationEvent]:
        try:
            return work()
        except Exception as error:  # noqa: BLE001 - the boundary to MLX, which raises what it likes
            return self.fail(error)

    def _begin(self) -> list[GenerationEvent]:
        generation, context = self.generation, self._context
        generation.check()
        prompt = context.model.tokenizer.tokenize(generation.request.prompt)
        generation.tokenized(prompt.token_ids, prompt.rendered)
        self._prompt, self._tokens = prompt.token_ids, list(prompt.token_ids)
        if generation.request.reuse_cache:
            self._look_for_break(context.conversations.tokens_of(generation.request.conversation))
        taken = context.conversations.take(prompt.token_ids, reuse=generation.request.reuse_cache)
        self.cache, self._read_tokens = taken.cache, taken.cached_tokens
        return [generation.cache_restored(taken.cached_tokens, taken.origin)]

    def _look_for_break(self, kept: Callable[[], tuple[tuple[int, ...], ...]]) -> None:
        """Have the figures say where the prompt leaves what is kept of its conversation now."""
        tokenizer, prompt = self._context.model.tokenizer, self.generation.request.prompt
        reader = PromptReader(lambda other: tokenizer.tokenize(other).token_ids, tokenizer.text.text_of)
        self.generation.find_break = lambda: find_break(kept(), prompt, self._prompt, reader)

    def _read(self) -> list[GenerationEvent]:
        context, begun, cache = self._context, self._read_tokens, self.cache
        if cache is None:
            raise RuntimeError("read before it began")
        # The last token is evaluated by itself: what follows from it is the first token of the reply.
        stop = cache.next_stop(begun, min(begun + context.chunk_tokens, len(self._prompt) - 1))
        events: list[GenerationEvent] = []
        if stop > begun:
            evaluate_chunk(context.model.network, cache, self._prompt[begun:stop])
            cache.reached(stop)
            self._read_tokens = stop
            events.append(self.generation.prefill_progress(stop))
        if self.unread_tokens == 1:
            self._open(cache)
        return events

    def _open(self, cache: KvCache) -> None:
        request, model = self.generation.request, self._context.model
        chooser = TokenChooser(request.sampling, self._prompt, request.top_logprobs, request.forced_token_id)
        self._writing = chooser, model.tokenizer.text.detokenizer()
        self._first = first_token(model.network, cache, self._prompt[-1], chooser)

    def _written(self, token_id: int, time_ns: int) -> list[GenerationEvent]:
        if self._writing is None:
            raise RuntimeError("a token came before the prompt was read")
        chooser, detokenizer = self._writing
        events: list[GenerationEvent] = []
        if len(self._tokens) == len(self._prompt):
            if not chooser.first_is_number():
                raise ModelBrokenError("The model computed no numbers (NaN).", "Download it again, or choose another.")
            events.append(self.generation.prefilled())
            time_ns = perf_counter_ns()
        return events + self._token(token_id, time_ns, chooser, detokenizer)

    def _token(
        self, token_id: int, time_ns: int, chooser: TokenChooser, detokenizer: Detokenizer
    ) -> list[GenerationEvent]:
        generation, tokenizer = self.generation, self._context.model.tokenizer
        self._tokens.append(token_id)
        if token_id in tokenizer.end_token_ids and not generation.request.ignore_end_token:
            return generation.finished(StopReason.END, _rest(detokenizer))
        choice = self._choice(token_id, chooser.take_choice())
        events = generation.token(detokenizer.feed(token_id), time_ns, choice)
        reason = generation.stop_reason()
        return events if reason is None else [*events, *generation.finished(reason, _rest(detokenizer))]

    def _choice(self, token_id: int, chosen: ChosenToken | None) -> TokenChoice | None:
        if chosen is None:
            return None
        text_of = self._context.model.tokenizer.text.text_of
        top = zip(chosen.top_ids, chosen.top_logprobs, strict=True)
        return TokenChoice(
            TokenLogprob(token_id, text_of(token_id), chosen.logprob),
            tuple(TokenLogprob(one, text_of(one), logprob) for one, logprob in top),
        )


def _translated(error: Exception) -> FirstTokenError:
    detail = "".join(traceback.format_exception(error))
    if isinstance(error, MemoryError) or OUT_OF_MEMORY.search(str(error)):
        return MemoryShortError(
            "There was not enough memory to go on.",
            "Close other programs, or load the model with a shorter context.",
            detail=detail,
        )
    return InternalError(f"MLX failed: {type(error).__name__}: {error}", detail=detail)


def _rest(detokenizer: Detokenizer) -> str:
    """Return what the detokenizer still holds, without the half of a character that the reply broke off in."""
    return detokenizer.flush().rstrip(REPLACEMENT)
