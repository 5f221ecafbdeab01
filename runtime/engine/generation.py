"""One request under way: what every engine does the same way, so that it is done in one place.

An adapter tells `Generation` what happened (started, tokenized, prefill went on, a token came) and sends on the events
it gets back. Stop strings, reasoning blocks, time stamps, figures and the promise of exactly one terminal event are
here; what a token is and how it is computed is the adapter's.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from time import perf_counter_ns

from runtime.engine.base import EngineMemory
from runtime.engine.reasoning import ReasoningSplitter, TextSpan
from runtime.engine.stop_strings import StopStringMatcher
from runtime.metrics.memory import PeakMeter, resident_bytes_reader
from runtime.metrics.timeline import (
    NS_PER_MS,
    PromptTimeline,
    decode_tokens_per_second,
    prefill_tokens_per_second,
    ttft_parts,
)
from runtime.values.errors import ContextOverflowError, FirstTokenError, InvalidRequestError, report_of
from runtime.values.generation import (
    Cancelled,
    Failed,
    Finished,
    GenerateRequest,
    GenerationEvent,
    GenerationStats,
    MemoryFigures,
    PromptProgress,
    StopReason,
    TextDelta,
    TextKind,
    TokenChoice,
    TtftParts,
)
from runtime.values.kv_cache import CacheOrigin, PrefixBreak
from runtime.values.model import LoadedModel
from runtime.values.sampling import checked


class Generation:
    """The life of one request, from `started` to one terminal event.

    Call order: `started`, `tokenized`, `cache_restored`, (`prefill_progress` or `waited`)*, `prefilled`, `token`*, then
    exactly one of `finished`, `cancelled`, `failed`. `cancelled` and `failed` may come at any point.

    Attributes:
        find_break: says where the prompt left what was kept of its conversation; called once, at the end of the reply.
    """

    def __init__(
        self,
        request: GenerateRequest,
        model: LoadedModel,
        memory: Callable[[], EngineMemory],
        clock_ns: Callable[[], int] = perf_counter_ns,
    ) -> None:
        self.request = request
        self.prompt_tokens = 0
        self.cached_tokens = 0
        self.cache_origin = CacheOrigin.NONE
        self.find_break: Callable[[], PrefixBreak | None] = lambda: None
        self.ended = False
        self._model = model
        self._memory = memory
        self._clock_ns = clock_ns
        self._read_own_resident = resident_bytes_reader()
        self._peak = PeakMeter(self._resident_bytes, clock_ns)
        self._marks: list[int] = [clock_ns()]
        self._waited_ns = 0
        self._token_times_ns: list[int] = []
        self._reasoning_tokens = 0
        self._stop_strings = StopStringMatcher(request.stop_strings)
        self._reasoning = ReasoningSplitter()
        self._stopped_by_string = False

    @property
    def generated_tokens(self) -> int:
        """Tokens generated so far."""
        return len(self._token_times_ns)

    def check(self) -> None:
        """Validate what does not depend on the prompt.

        Raises:
            InvalidRequestError: a sampler value or a limit is out of range.
        """
        checked(self.request.sampling)
        if self.request.max_tokens is not None and self.request.max_tokens < 1:
            raise InvalidRequestError(
                f"The token limit cannot be {self.request.max_tokens}.", "Ask for at least 1 token, or set no limit."
            )
        most = self._model.capabilities.max_top_logprobs
        if not 0 <= self.request.top_logprobs <= most:
            raise InvalidRequestError(
                f"{self.request.top_logprobs} alternatives a token cannot be reported.", f"Ask for 0 to {most}."
            )

    def tokenized(self, token_ids: Sequence[int], rendered: str = "") -> None:
        """Note that template and tokenizer are done, and check what they made.

        `rendered` is the text the chat template gave: a template may end in an opened reasoning block.

        Raises:
            InvalidRequestError: the prompt is empty or holds an id outside the vocabulary.
            ContextOverflowError: the prompt leaves no room for a single token.
        """
        self.prompt_tokens = len(token_ids)
        self._marks.append(self._clock_ns())
        self._reasoning = ReasoningSplitter.after_prompt(rendered)
        if not token_ids:
            raise InvalidRequestError("The prompt is empty.", "Write something first.")
        if min(token_ids) < 0 or max(token_ids) >= self._model.vocabulary_size:
            raise InvalidRequestError(
                "The prompt holds token ids that this model does not have.",
                f"Use ids from 0 to {self._model.vocabulary_size - 1}.",
            )
        forced = self.request.forced_token_id
        if forced is not None and not 0 <= forced < self._model.vocabulary_size:
            raise InvalidRequestError(
                f"This model has no token {forced}.", f"Use ids from 0 to {self._model.vocabulary_size - 1}."
            )
        limit = self._model.context_limit_tokens
        if len(token_ids) >= limit:
            raise ContextOverflowError(
                f"The prompt takes {len(token_ids):,} tokens; this context holds {limit:,}.",
                "Shorten the prompt, or load the model with a longer context.",
            )

    def cache_restored(self, cached_tokens: int, origin: CacheOrigin = CacheOrigin.MEMORY) -> PromptProgress:
        """Note how many prompt tokens the KV cache already held, and where it was."""
        self.cached_tokens = cached_tokens
        self.cache_origin = origin if cached_tokens else CacheOrigin.NONE
        self._marks.append(self._clock_ns())
        return self.prefill_progress(cached_tokens)

    def prefill_progress(self, done_tokens: int) -> PromptProgress:
        """Report that `done_tokens` of the prompt are evaluated, cached ones included."""
        self._peak.sample_if_due()
        return PromptProgress(self.request.id, done_tokens, self.prompt_tokens, self.cached_tokens)

    def waited(self, elapsed_ns: int) -> None:
        """Note that for so long, after its cache was restored, the engine has worked for other requests."""
        self._waited_ns += elapsed_ns

    def prefilled(self, elapsed_ns: int | None = None) -> PromptProgress:
        """Note that the whole prompt is evaluated.

        `elapsed_ns` is how long that took at least, where the engine has measured it itself: the mark before moves back
        accordingly, as far as the tokenizer's.
        """
        now_ns = self._clock_ns()
        if elapsed_ns:
            self._marks[2] = max(self._marks[1], min(self._marks[2], now_ns - elapsed_ns))
        self._marks.append(now_ns)
        return self.prefill_progress(self.prompt_tokens)

    def token(self, text: str, time_ns: int, choice: TokenChoice | None = None) -> list[GenerationEvent]:
        """Take one generated token with the text it completes (possibly none).

        `time_ns` is when the engine made it. After this, `wants_more` says whether to go on.
        """
        self._token_times_ns.append(time_ns)
        self._peak.sample_if_due()
        shown, self._stopped_by_string = self._stop_strings.feed(text)
        kind_before = self._reasoning.kind
        spans = self._reasoning.feed(shown)
        # Both tags belong to the reasoning: the one that opens it and the one that closes it.
        kind = TextKind.REASONING if TextKind.REASONING in (kind_before, self._reasoning.kind) else TextKind.ANSWER
        if kind is TextKind.REASONING:
            self._reasoning_tokens += 1
        return self._deltas(spans, kind, (time_ns,), (choice,) if choice else ())

    def _deltas(
        self, spans: list[TextSpan], kind: TextKind, times_ns: tuple[int, ...], choices: tuple[TokenChoice, ...]
    ) -> list[GenerationEvent]:
        spans = spans or [TextSpan("", kind)]
        first, *rest = spans
        events: list[GenerationEvent] = [TextDelta(self.request.id, first.text, first.kind, times_ns, choices)]
        events += [TextDelta(self.request.id, span.text, span.kind, ()) for span in rest]
        return events

    def stop_reason(self) -> StopReason | None:
        """Return why generation has to end now, or None if it may go on."""
        if self._stopped_by_string:
            return StopReason.STOP_STRING
        if self.request.max_tokens is not None and self.generated_tokens >= self.request.max_tokens:
            return StopReason.LENGTH
        if self.prompt_tokens + self.generated_tokens >= self._model.context_limit_tokens:
            return StopReason.CONTEXT_FULL
        return None

    def finished(self, reason: StopReason, last_text: str = "") -> list[GenerationEvent]:
        """End normally. `last_text` is what a detokenizer still held; text held back for a stop string comes too."""
        held = "" if self._stopped_by_string else self._stop_strings.feed(last_text)[0] + self._stop_strings.flush()
        spans = self._reasoning.feed(held) + self._reasoning.flush()
        events: list[GenerationEvent] = [TextDelta(self.request.id, s.text, s.kind, ()) for s in spans]
        return [*events, self._end(Finished(self.request.id, reason, self.stats()))]

    def cancelled(self) -> GenerationEvent:
        """End because the user said so."""
        return self._end(Cancelled(self.request.id, self.stats()))

    def failed(self, error: FirstTokenError) -> GenerationEvent:
        """End because of `error`."""
        return self._end(Failed(self.request.id, report_of(error)))

    def _end(self, event: GenerationEvent) -> GenerationEvent:
        if self.ended:
            raise RuntimeError(f"request {self.request.id} ended twice")
        self.ended = True
        return event

    def stats(self) -> GenerationStats:
        """Return the figures as of now."""
        timeline = self._timeline()
        submitted = self.request.submitted_ns
        first = self._token_times_ns[0] if self._token_times_ns else None
        return GenerationStats(
            engine=self._model.engine,
            model=self._model.name,
            quantization=self._model.quantization,
            prompt_tokens=self.prompt_tokens,
            cached_tokens=self.cached_tokens,
            generated_tokens=self.generated_tokens,
            reasoning_tokens=self._reasoning_tokens,
            ttft_ms=None if first is None else (first - submitted) / NS_PER_MS,
            ttft_parts=self._parts(timeline, first),
            prefill_tokens_per_second=(
                prefill_tokens_per_second(self.prompt_tokens - self.cached_tokens, timeline) if timeline else None
            ),
            decode_tokens_per_second=decode_tokens_per_second(self._token_times_ns),
            token_times_ms=tuple((time - submitted) / NS_PER_MS for time in self._token_times_ns),
            memory=self._memory_figures(),
            context_used_tokens=self.prompt_tokens + self.generated_tokens,
            context_limit_tokens=self._model.context_limit_tokens,
            cache_origin=self.cache_origin,
            prefix_break=self.find_break(),
        )

    def _timeline(self) -> PromptTimeline | None:
        if len(self._marks) < 4:
            return None
        started, tokenized, restored, prefilled = self._marks
        return PromptTimeline(
            submitted=self.request.submitted_ns,
            load_started=self._model.load_started_ns,
            load_ended=self._model.load_ended_ns,
            started=started,
            tokenized=tokenized,
            cache_restored=restored,
            prefilled=prefilled,
            waited=min(self._waited_ns, prefilled - restored),
        )

    def _parts(self, timeline: PromptTimeline | None, first_token_ns: int | None) -> TtftParts | None:
        return ttft_parts(timeline, first_token_ns) if timeline and first_token_ns is not None else None

    def _resident_bytes(self) -> int:
        return self._read_own_resident() + self._memory().server_resident_bytes

    def _memory_figures(self) -> MemoryFigures:
        self._peak.sample()
        engine = self._memory()
        return MemoryFigures(
            weights_bytes=engine.weights_bytes,
            kv_cache_bytes=engine.kv_cache_bytes,
            compute_buffer_bytes=engine.compute_buffer_bytes,
            worker_resident_bytes=self._peak.latest_bytes,
            peak_bytes=self._peak.peak_bytes,
        )
