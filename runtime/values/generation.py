"""A request for text, the events that answer it, and the figures that describe it.

`GenerationStats` is the one value behind every number the product shows. Definitions are in README ("What the figures
mean"); the arithmetic is in `runtime.metrics.timeline`. All times are `time.perf_counter_ns` of this machine, which
every process shares.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import TypeVar

import msgspec

from runtime.values.errors import ErrorReport
from runtime.values.kv_cache import CacheOrigin, PrefixBreak
from runtime.values.model import EngineName, Quantization
from runtime.values.prompt import Prompt
from runtime.values.sampling import SamplingParams

T = TypeVar("T")


class GenerateRequest(msgspec.Struct, frozen=True, kw_only=True):
    """One request for text.

    Attributes:
        id: chosen by the client, unique within a worker's life.
        prompt: what the model is asked.
        submitted_ns: when the user submitted it; TTFT counts from here.
        max_tokens: most tokens to generate; None goes on to the end of the context.
        sampling: how tokens are chosen.
        stop_strings: generation ends before the first of these; they are not part of the text.
        top_logprobs: alternatives to report for each token.
        reuse_cache: False evaluates the whole prompt even if part of it is still in the KV cache.
        ignore_end_token: True generates `max_tokens` whatever the model says (benchmarks).
        streams: False has the worker send nothing of the reply but its end, with the figures: a benchmark of the engine
            neither pays for the pipe nor takes the reader's time.
        forced_token_id: the first token, whatever the model says; what is reported of it is the model's own
            log-probability. So a text can be scored, token by token.
        is_private: True keeps what is read and written out of files: it stays in memory alone.
        conversation: a key of the chat that asks, always the same for the same chat; what is kept of it is labelled so.
    """

    id: int
    prompt: Prompt
    submitted_ns: int
    max_tokens: int | None = None
    sampling: SamplingParams = SamplingParams()
    stop_strings: tuple[str, ...] = ()
    top_logprobs: int = 0
    reuse_cache: bool = True
    ignore_end_token: bool = False
    streams: bool = True
    forced_token_id: int | None = None
    is_private: bool = False
    conversation: str = ""


class StopReason(StrEnum):
    """Why generation ended."""

    END = "end"
    STOP_STRING = "stop_string"
    LENGTH = "length"
    CONTEXT_FULL = "context_full"
    CANCELLED = "cancelled"


class TextKind(StrEnum):
    """Whether text is the answer or the reasoning before it."""

    ANSWER = "answer"
    REASONING = "reasoning"


class TokenLogprob(msgspec.Struct, frozen=True):
    """A token and its natural-log probability under the model's own distribution (temperature 1, no filter)."""

    token_id: int
    text: str
    logprob: float


class TokenChoice(msgspec.Struct, frozen=True):
    """The token that was chosen and the most probable alternatives, most probable first."""

    chosen: TokenLogprob
    top: tuple[TokenLogprob, ...]


class TtftParts(msgspec.Struct, frozen=True, kw_only=True):
    """TTFT split into its parts, in milliseconds; they add up to `GenerationStats.ttft_ms`.

    Attributes:
        queue_ms: waiting for the worker or for another request.
        load_ms: loading the model, where the request waited for it.
        tokenize_ms: chat template and tokenizer.
        cache_restore_ms: finding and restoring what the KV cache already holds.
        prefill_ms: evaluating the rest of the prompt.
        first_decode_ms: choosing the first token and turning it into text.
    """

    queue_ms: float
    load_ms: float
    tokenize_ms: float
    cache_restore_ms: float
    prefill_ms: float
    first_decode_ms: float


class MemoryFigures(msgspec.Struct, frozen=True, kw_only=True):
    """What the model takes, in bytes.

    Attributes:
        weights_bytes: the weights.
        kv_cache_bytes: keys and values of the tokens in the context.
        compute_buffer_bytes: scratch memory, where the engine says so.
        worker_resident_bytes: the worker as the operating system sees it, with a native server that it runs.
        peak_bytes: largest `worker_resident_bytes` seen since the request began.
    """

    weights_bytes: int
    kv_cache_bytes: int
    compute_buffer_bytes: int | None
    worker_resident_bytes: int
    peak_bytes: int


class GenerationStats(msgspec.Struct, frozen=True, kw_only=True):
    """Every figure about one reply. None means undefined and is shown as "–", never as 0.

    Attributes:
        engine: which engine ran it.
        model: the model's name.
        quantization: name and effective bits per weight.
        prompt_tokens: tokens of the prompt, cached ones included.
        cached_tokens: prompt tokens that were in the KV cache and not evaluated again.
        generated_tokens: tokens generated, reasoning included, end-of-sequence token excluded.
        reasoning_tokens: of those, tokens of reasoning.
        ttft_ms: submit to first generated token; None if none was generated.
        ttft_parts: its parts; None if `ttft_ms` is.
        prefill_tokens_per_second: evaluated prompt tokens ÷ prefill seconds.
        decode_tokens_per_second: (n − 1) ÷ (last − first token time); None for n < 2.
        token_times_ms: milliseconds from the submit, one a generated token.
        memory: what the model took.
        context_used_tokens: prompt and generated tokens in the context.
        context_limit_tokens: length of the context.
        cache_origin: where the cached tokens came from.
        prefix_break: where the prompt left what was kept of its conversation; None if it went on from the end of that,
            or if nothing was kept.
    """

    engine: EngineName
    model: str
    quantization: Quantization
    prompt_tokens: int
    cached_tokens: int
    generated_tokens: int
    reasoning_tokens: int
    ttft_ms: float | None
    ttft_parts: TtftParts | None
    prefill_tokens_per_second: float | None
    decode_tokens_per_second: float | None
    token_times_ms: tuple[float, ...]
    memory: MemoryFigures
    context_used_tokens: int
    context_limit_tokens: int
    cache_origin: CacheOrigin = CacheOrigin.NONE
    prefix_break: PrefixBreak | None = None


class PromptProgress(msgspec.Struct, frozen=True, tag=True):
    """How much of the prompt has been read: `done` of `total` tokens, of which `cached` needed no work."""

    id: int
    done: int
    total: int
    cached: int


class TextDelta(msgspec.Struct, frozen=True, tag=True):
    """New text, and the times of the tokens since the last one.

    The counts differ on purpose: a token may carry no complete character yet, or belong to a stop string that is still
    only half there. `text` may be empty (token times alone) and `token_times_ns` may be empty (held-back text).
    """

    id: int
    text: str
    kind: TextKind
    token_times_ns: tuple[int, ...]
    choices: tuple[TokenChoice, ...] = ()


class Finished(msgspec.Struct, frozen=True, tag=True):
    """Terminal: the reply is complete."""

    id: int
    stop_reason: StopReason
    stats: GenerationStats


class Cancelled(msgspec.Struct, frozen=True, tag=True):
    """Terminal: the user stopped the reply; `stats` describe what there is of it (None if it had not begun)."""

    id: int
    stats: GenerationStats | None


class Failed(msgspec.Struct, frozen=True, tag=True):
    """Terminal: the request failed."""

    id: int
    error: ErrorReport


GenerationEvent = PromptProgress | TextDelta | Finished | Cancelled | Failed


def merged(events: Iterable[T]) -> list[T | TextDelta]:
    """Return `events` with neighbouring text of one request and kind joined: one piece instead of many."""
    result: list[T | TextDelta] = []
    for event in events:
        last = result[-1] if result else None
        if (
            isinstance(event, TextDelta)
            and isinstance(last, TextDelta)
            and (last.id, last.kind) == (event.id, event.kind)
        ):
            result[-1] = TextDelta(
                event.id,
                last.text + event.text,
                event.kind,
                last.token_times_ns + event.token_times_ns,
                last.choices + event.choices,
            )
        else:
            result.append(event)
    return result
