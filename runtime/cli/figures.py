"""Figures as a terminal shows them: one line under a reply, and the JSON object of `chat --json`."""

from __future__ import annotations

import msgspec

from runtime.values.generation import GenerationStats, MemoryFigures, StopReason, TtftParts
from runtime.values.model import EngineName, Quantization

UNDEFINED = "–"


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


def bytes_text(count: int | None) -> str:
    """Return a size in decimal units: 999 B, 12 MB, 4.5 GB."""
    if count is None:
        return UNDEFINED
    size = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000 or unit == "GB":
            return f"{size:.0f} {unit}" if size >= 10 or unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    raise AssertionError("unreachable: the last unit returns")


def milliseconds_text(value_ms: float | None) -> str:
    """Return a time: 0.8 ms, 41 ms, 2.35 s."""
    if value_ms is None:
        return UNDEFINED
    if value_ms >= 1000:
        return f"{value_ms / 1000:.2f} s"
    return f"{value_ms:.1f} ms" if value_ms < 10 else f"{value_ms:.0f} ms"


def speed_text(tokens_per_second: float | None) -> str:
    """Return a speed: 41.2 tok/s, 3,210 tok/s."""
    if tokens_per_second is None:
        return UNDEFINED
    return f"{tokens_per_second:,.0f} tok/s" if tokens_per_second >= 100 else f"{tokens_per_second:.1f} tok/s"


def quantization_text(quantization: Quantization) -> str:
    """Return the name and the effective width: INT4, 4.50 bits a weight."""
    return f"{quantization.name}, {quantization.bits_per_weight:.2f} bits a weight"


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
