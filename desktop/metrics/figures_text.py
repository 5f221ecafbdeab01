"""What the metrics panel says, as text: labels, their definitions in plain language, and the parts of TTFT as rows."""

from __future__ import annotations

from typing import assert_never

from PySide6.QtCore import QCoreApplication

from desktop.widgets.waterfall import WaterfallRow
from runtime.metrics.roofline import Bound, Roofline
from runtime.values.generation import GenerationStats, TtftParts
from runtime.values.model import EngineName, Quantization
from runtime.values.wording import (
    UNDEFINED,
    bandwidth_text,
    bytes_text,
    milliseconds_text,
    percent_text,
    speed_text,
)

CONTEXT = "MetricsPanel"
SHOWN_FROM_MS = 0.05


def tr(text: str) -> str:
    """Return `text` in the user's language."""
    return QCoreApplication.translate(CONTEXT, text)


def ttft_rows(parts: TtftParts, first_paint_ms: float | None, ttft_ms: float) -> list[WaterfallRow]:
    """Return the parts of the wait for the first character, in order, the negligible ones left out.

    `first_paint_ms` is from the submit to the first character on the screen; the part after the token is the paint.
    """
    durations = [
        (tr("Queue"), parts.queue_ms, tr("Waiting for the worker, or for another reply that it was busy with.")),
        (tr("Load model"), parts.load_ms, tr("Waiting until the model was loaded.")),
        (tr("Tokenize"), parts.tokenize_ms, tr("Turning the conversation into the tokens that the model reads.")),
        (
            tr("Restore cache"),
            parts.cache_restore_ms,
            tr("Finding what the KV cache already holds of the prompt, so that it need not be read again."),
        ),
        (tr("Prefill"), parts.prefill_ms, tr("Reading the rest of the prompt.")),
        (tr("First decode"), parts.first_decode_ms, tr("Choosing the first token and turning it into text.")),
    ]
    if first_paint_ms is not None:
        painted = tr("From the first token to its first character on the screen.")
        durations.append((tr("Paint"), max(0.0, first_paint_ms - ttft_ms), painted))
    return [
        WaterfallRow(label, duration, milliseconds_text(duration), explanation)
        for label, duration, explanation in durations
        if duration >= SHOWN_FROM_MS
    ]


def prompt_text(stats: GenerationStats) -> str:
    """Return how the prompt was read: evaluated and cached tokens apart."""
    evaluated = stats.prompt_tokens - stats.cached_tokens
    if stats.cached_tokens:
        return tr("{evaluated} read, {cached} cached").format(
            evaluated=f"{evaluated:,}", cached=f"{stats.cached_tokens:,}"
        )
    return tr("{evaluated} tokens").format(evaluated=f"{evaluated:,}")


def short_quantization(quantization: Quantization) -> str:
    """Return the name and the effective width, short enough for a narrow panel."""
    return tr("{name} · {bits} bits").format(name=quantization.name, bits=f"{quantization.bits_per_weight:.2f}")


def engine_text(engine: EngineName) -> str:
    """Return what people call an engine."""
    match engine:
        case EngineName.MLX:
            return "MLX"
        case EngineName.LLAMACPP:
            return "llama.cpp"
        case EngineName.SCRIPTED:
            return tr("Script")


def ttft_explanation() -> str:
    """Return the definition of TTFT."""
    return tr(
        "Time to first token: from sending your message to the first token of the reply. The bars below show where the"
        " time went; reading the prompt (prefill) is usually most of it."
    )


def speed_explanation() -> str:
    """Return the definition of the decode speed."""
    return tr(
        "Tokens written per second, measured in the worker where each token is made. The large value covers the last"
        " second, the average the whole reply."
    )


def memory_explanation() -> str:
    """Return the definition of the memory figure."""
    return tr("What the model's worker process takes now, as the operating system sees it.")


def kv_cache_explanation() -> str:
    """Return the definition of the KV cache's memory."""
    return tr(
        "Keys and values of the conversation so far: what the model would otherwise have to read again. Engines make"
        " room for them 256 tokens at a time, so it is a little more than what the context's tokens take."
    )


def quantization_explanation() -> str:
    """Return the definition of quantization."""
    return tr(
        "How the weights are stored. Fewer bits per weight mean less memory and more speed, and a little less quality."
        " The effective bits are file bits ÷ parameters, scales included."
    )


def context_explanation() -> str:
    """Return the definition of the context gauge."""
    return tr(
        "Tokens of this conversation, of the most that the model can look back on, and what their keys and values take"
        " in memory."
    )


def context_text(used_tokens: int, limit_tokens: int, kv_bytes: float | None) -> str:
    """Return how much of the context is used, and what that takes, if that is known and not nothing."""
    used = tr("{used} of {limit}").format(used=f"{used_tokens:,}", limit=f"{limit_tokens:,}")
    return f"{used} · {bytes_text(round(kv_bytes))}" if kv_bytes else used


def roofline_explanation() -> str:
    """Return the definition of the roofline share."""
    return tr(
        "Writing a token means reading every weight that takes part in it and the KV cache so far. The limit is this"
        " machine's measured memory bandwidth ÷ the bytes read per token; this is how near the reply came to it."
    )


def roofline_text(roofline: Roofline | None) -> str:
    """Return how near a reply came to the machine's limit; a dash where that is unknown or not memory."""
    if roofline is None or roofline.share is None:
        return UNDEFINED
    return tr("{share} of this machine's limit").format(share=percent_text(roofline.share))


def roofline_details(roofline: Roofline | None) -> str:
    """Return the numbers behind the share, or why there is none."""
    if roofline is None:
        return tr("Not known: it takes a reply of this model, and a measurement made while nothing is written.")
    numbers = tr("{bandwidth} ÷ {read} per token = at most {ceiling}; the reply was written at {speed}.").format(
        bandwidth=bandwidth_text(roofline.bandwidth_bytes_per_second),
        read=bytes_text(round(roofline.bytes_per_token)),
        ceiling=speed_text(roofline.ceiling_tokens_per_second),
        speed=speed_text(roofline.tokens_per_second),
    )
    match roofline.bound:
        case Bound.MEMORY:
            return numbers
        case Bound.CACHE:
            return tr("The model fits in the processor's cache ({cached}), so memory is not its limit.").format(
                cached=bytes_text(roofline.cached_bytes)
            )
        case Bound.UNKNOWN:
            return numbers + tr(" So memory is not its limit, or it was slower than usual when it was measured.")
        case _:
            assert_never(roofline.bound)
