"""What the dialog with a model's options says: of contexts, of widths of the KV cache, and of what they cost."""

from __future__ import annotations

from typing import assert_never

from PySide6.QtCore import QCoreApplication

from runtime.bench.kv_variants import KvEffect
from runtime.bench.statistics import Change
from runtime.library.verdict import Judgement, Verdict
from runtime.values.wording import bytes_text, number_text, percent_text

CONTEXT = "ModelOptions"


def tr(text: str) -> str:
    """Return `text` in the user's language."""
    return QCoreApplication.translate(CONTEXT, text)


def automatic_text(tokens: int | None) -> str:
    """Return what "automatic" means now."""
    if tokens is None:
        return tr("Automatic")
    return tr("Automatic: {count} tokens").format(count=f"{tokens:,}")


def verdict_word(verdict: Verdict) -> str:
    """Return a verdict as people read it."""
    match verdict:
        case Verdict.FITS:
            return tr("fits")
        case Verdict.TIGHT:
            return tr("tight")
        case Verdict.WILL_NOT_FIT:
            return tr("will not fit")
        case _:
            assert_never(verdict)


def advice(judgement: Judgement | None) -> str:
    """Return what to do about a verdict; empty where all is well."""
    if judgement is None:
        return tr("The model does not fit in memory at all. Close other programs, or choose a smaller model.")
    match judgement.verdict:
        case Verdict.FITS:
            return ""
        case Verdict.TIGHT:
            return tr("It will run; close other programs that need much memory.")
        case Verdict.WILL_NOT_FIT:
            return tr("It fits with a context of up to {count} tokens.").format(
                count=f"{judgement.largest_context_tokens:,}"
            )
        case _:
            assert_never(judgement.verdict)


def width_name(kv_cache_bits: int | None) -> str:
    """Return what a width of the KV cache is called."""
    if kv_cache_bits is None:
        return tr("Not quantized")
    return tr("{bits} bits").format(bits=kv_cache_bits)


def width_memory(token_bytes: float, cache_bytes: int, context_tokens: int) -> str:
    """Return what a width takes."""
    return tr("{token} a token, {cache} for {count} tokens").format(
        token=bytes_text(round(token_bytes)), cache=bytes_text(cache_bytes), count=f"{context_tokens:,}"
    )


def effect_text(effect: KvEffect | None) -> str:
    """Return what a width was measured to do; that it was not, where it was not."""
    if effect is None:
        return tr("Speed and quality: not measured yet")
    parts = [
        _speed(effect.writing, tr("writes {change}")),
        _speed(effect.reading, tr("reads {change}")),
        "" if effect.divergence is None else tr("KL {nats} nats").format(nats=number_text(effect.divergence, 4)),
        ""
        if effect.top1_agreement is None
        else tr("same likeliest token in {share}").format(share=percent_text(effect.top1_agreement)),
    ]
    said = ", ".join(part for part in parts if part)
    return tr("Measured {day}: {effects}").format(day=effect.test_time[:10], effects=said or "–")


def _speed(change: Change | None, text: str) -> str:
    if change is None:
        return ""
    size = percent_text(abs(change.relative))
    if change.interval is not None and change.interval.holds(0.0):
        return text.format(change=tr("as fast"))
    return text.format(change=(tr("{size} faster") if change.relative > 0 else tr("{size} slower")).format(size=size))
