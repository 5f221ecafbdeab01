"""One request on MLX: template and tokenizer, KV cache, prefill, decode. Written straight through, run step by step."""

from __future__ import annotations

import re
import traceback
from collections.abc import Generator, Iterator, Sequence
from time import perf_counter_ns
from typing import NamedTuple

import mlx.core as mx

from runtime.engine.generation import Generation
from runtime.engine.mlx_cache import KvCache
from runtime.engine.mlx_conversations import WarmConversations
from runtime.engine.mlx_detokenizer import REPLACEMENT, Detokenizer
from runtime.engine.mlx_evaluation import decode, prefill
from runtime.engine.mlx_loading import MlxModel
from runtime.engine.mlx_sampling import ChosenToken, TokenChooser
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
    """A request that has been taken up."""

    def __init__(self, generation: Generation, context: RequestContext) -> None:
        self.generation = generation
        self._context = context
        self._cache: KvCache | None = None
        self._tokens: list[int] = []
        self._steps = self._run()

    @property
    def kv_cache_bytes(self) -> int:
        """What its KV cache takes."""
        return self._cache.nbytes if self._cache else 0

    def advance(self) -> list[GenerationEvent]:
        """Do the next piece of work: a prefill chunk or a token. Whatever fails ends this request alone."""
        try:
            events = next(self._steps)
        except FirstTokenError as error:
            return self._failed(error)
        except Exception as error:  # noqa: BLE001 - the boundary to MLX, which raises what it likes
            return self._failed(_translated(error))
        if self.generation.ended:
            self._keep_cache()
        return events

    def cancel(self) -> GenerationEvent:
        """End it where it stands; what has been evaluated stays in the cache."""
        event = self.generation.cancelled()
        self._keep_cache()
        return event

    def _keep_cache(self) -> None:
        self._steps.close()
        if self._cache is not None:
            self._context.conversations.keep(self._cache, self._tokens)
        self._cache = None

    def _failed(self, error: FirstTokenError) -> list[GenerationEvent]:
        event = self.generation.failed(error)
        self._cache = None
        mx.clear_cache()
        return [event]

    def _run(self) -> Generator[list[GenerationEvent], None, None]:
        generation, context = self.generation, self._context
        generation.check()
        prompt = context.model.tokenizer.tokenize(generation.request.prompt)
        generation.tokenized(prompt.token_ids, prompt.rendered)
        self._tokens = list(prompt.token_ids)
        cache, cached_tokens = context.conversations.take(prompt.token_ids, reuse=generation.request.reuse_cache)
        self._cache = cache
        yield [generation.cache_restored(cached_tokens)]
        network = context.model.network
        for done_tokens in prefill(network, cache, prompt.token_ids, cached_tokens, context.chunk_tokens):
            yield [generation.prefill_progress(done_tokens)]
        yield from self._reply(cache, prompt.token_ids)

    def _reply(self, cache: KvCache, prompt: Sequence[int]) -> Iterator[list[GenerationEvent]]:
        request, model = self.generation.request, self._context.model
        chooser = TokenChooser(request.sampling, prompt, request.top_logprobs, request.forced_token_id)
        detokenizer = model.tokenizer.text.detokenizer()
        events: list[GenerationEvent] = []
        tokens = decode(model.network, cache, prompt[-1], chooser, lambda: events.append(self.generation.prefilled()))
        for token_id in tokens:
            time_ns = perf_counter_ns()
            if self.generation.generated_tokens == 0 and not chooser.first_is_number():
                raise ModelBrokenError("The model computed no numbers (NaN).", "Download it again, or choose another.")
            events += self._token(token_id, time_ns, chooser, detokenizer)
            yield events
            events = []

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
