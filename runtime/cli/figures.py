"""Figures as a terminal shows them: one line under a reply, and the JSON object of `chat --json`."""

from __future__ import annotations

import msgspec

from runtime.values.generation import GenerationStats, MemoryFigures, StopReason, TtftParts
from runtime.values.kv_cache import CacheOrigin
from runtime.values.model import EngineName, Quantization
from runtime.values.wording import UNDEFINED, bytes_text, milliseconds_text, quantization_text, speed_text


class ContextFigures(msgspec.Struct, frozen=True):
    """Tokens used of the context's limit."""

    used: int
    limit: int


class ReplyRecord(msgspec.Struct, frozen=True, kw_only=True):
    """What `chat --json` prints; the field names are a promise to scripts."""

    text: str
    reasoning: str
    stop_reason: StopReason
    engine: EngineName
    model: str
    is_demo: bool
    quantization: Quantization
    prompt_tokens: int
    cached_tokens: int
    cache_origin: CacheOrigin
    generated_tokens: int
    reasoning_tokens: int
    ttft_ms: float | None
    ttft_parts: TtftParts | None
    prefill_tokens_per_second: float | None
    decode_tokens_per_second: float | None
    memory: MemoryFigures
    context: ContextFigures
    token_times_ms: tuple[float, ...]


def reply_record(
    text: str, reasoning: str, stop_reason: StopReason, stats: GenerationStats, *, is_demo: bool
) -> ReplyRecord:
    """Return the object that describes a whole reply."""
    return ReplyRecord(
        text=text,
        reasoning=reasoning,
        stop_reason=stop_reason,
        engine=stats.engine,
        model=stats.model,
        is_demo=is_demo,
        quantization=stats.quantization,
        prompt_tokens=stats.prompt_tokens,
        cached_tokens=stats.cached_tokens,
        cache_origin=stats.cache_origin,
        generated_tokens=stats.generated_tokens,
        reasoning_tokens=stats.reasoning_tokens,
        ttft_ms=stats.ttft_ms,
        ttft_parts=stats.ttft_parts,
        prefill_tokens_per_second=stats.prefill_tokens_per_second,
        decode_tokens_per_second=stats.decode_tokens_per_second,
        memory=stats.memory,
        context=ContextFigures(stats.context_used_tokens, stats.context_limit_tokens),
        token_times_ms=stats.token_times_ms,
    )


def ttft_text(stats: GenerationStats) -> str:
    """Return TTFT with those of its parts that took at least a tenth of a millisecond."""
    if stats.ttft_parts is None:
        return f"TTFT {UNDEFINED}"
    parts = (
        ("queue", stats.ttft_parts.queue_ms),
        ("load", stats.ttft_parts.load_ms),
        ("tokenize", stats.ttft_parts.tokenize_ms),
        ("cache restore", stats.ttft_parts.cache_restore_ms),
        ("prefill", stats.ttft_parts.prefill_ms),
        ("first decode", stats.ttft_parts.first_decode_ms),
    )
    shown = " + ".join(f"{name} {milliseconds_text(value)}" for name, value in parts if value >= 0.1)
    return f"TTFT {milliseconds_text(stats.ttft_ms)}" + (f" = {shown}" if shown else "")


def figures_lines(stats: GenerationStats) -> list[str]:
    """Return the figures under a reply, a line each."""
    memory = stats.memory
    speed = (
        f"decode {speed_text(stats.decode_tokens_per_second)} ({stats.generated_tokens:,} tokens), "
        f"prefill {speed_text(stats.prefill_tokens_per_second)} "
        f"({stats.prompt_tokens:,} tokens, {stats.cached_tokens:,} cached)"
    )
    room = (
        f"memory: weights {bytes_text(memory.weights_bytes)}, KV cache {bytes_text(memory.kv_cache_bytes)}, "
        f"worker {bytes_text(memory.worker_resident_bytes)} (peak {bytes_text(memory.peak_bytes)}); "
        f"context {stats.context_used_tokens:,} of {stats.context_limit_tokens:,} tokens"
    )
    model = f"{stats.model}: {quantization_text(stats.quantization)}, on {stats.engine}"
    return [ttft_text(stats), speed, room, model]
