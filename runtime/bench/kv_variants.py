"""One model with KV caches of several widths, as models of a run; and what a run has found the widths to cost.

Each width is a model of its own under a name of its own, measured in turns with the others and scored on the same
text. So speed and quality of a quantized cache come from the same run as those of the cache it is compared with.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from runtime.bench.record import BenchRow
from runtime.bench.statistics import Change, relative_change
from runtime.client.base import ModelToLoad

OPTION = "--kv-cache-bits"
NAMES: dict[str, int | None] = {"none": None, "8": 8, "4": 4}


class KvEffect(msgspec.Struct, frozen=True, kw_only=True):
    """What a width of the KV cache did to a model, against the engine's own width in the same run.

    Attributes:
        kv_cache_bits: the width.
        writing: relative change of the writing speed; None where it was not measured.
        reading: relative change of the speed at which prompts are read; likewise.
        divergence: mean KL divergence in nats; None where no text was scored.
        top1_agreement: share of tokens on which both agree, 0 to 1; likewise.
        test_time: when it was measured, RFC 3339, UTC.
    """

    kv_cache_bits: int
    writing: Change | None = None
    reading: Change | None = None
    divergence: float | None = None
    top1_agreement: float | None = None
    test_time: str


def kv_variants(model: ModelToLoad, widths: Iterable[int | None]) -> tuple[ModelToLoad, ...]:
    """Return `model` with each width, the widest first: it is what the others are compared with."""
    ordered = sorted(set(widths), key=lambda bits: -(bits or 64))
    return tuple(_variant(model, bits) for bits in ordered) or (model,)


def plain_name(model: ModelToLoad) -> str | None:
    """Return the name of a variant's model."""
    name, bits = model.options.model_name, model.options.kv_cache_bits
    return name.removesuffix(_suffix(bits)) if name and bits is not None else name


def width_names(models: Iterable[ModelToLoad]) -> tuple[str, ...]:
    """Return the widths that occur, as the command line calls them; none where all models have the engine's own."""
    widths = {model.options.kv_cache_bits for model in models}
    return tuple(name for name, bits in NAMES.items() if bits in widths) if widths != {None} else ()


def kv_effects(rows: Sequence[BenchRow], filename: str, weights_bytes: int) -> tuple[KvEffect, ...]:
    """Return what the rows of one run say of the widths of one model's KV cache.

    Args:
        rows: a run's.
        filename: last part of the model's path.
        weights_bytes: of its tensors: a model of that name may be another one by now.
    """
    own = [row for row in rows if (row.model.filename, row.model.weights_bytes) == (filename, weights_bytes)]
    usual = [row for row in own if row.settings.load.kv_cache_bits is None]
    widths = dict.fromkeys(bits for row in own if (bits := row.settings.load.kv_cache_bits) is not None)
    if not usual:
        return ()
    return tuple(
        _effect(bits, usual, [row for row in own if row.settings.load.kv_cache_bits == bits]) for bits in widths
    )


def _variant(model: ModelToLoad, bits: int | None) -> ModelToLoad:
    name = model.options.model_name or model.path
    named = name if bits is None else name + _suffix(bits)
    return msgspec.structs.replace(
        model, options=msgspec.structs.replace(model.options, model_name=named, kv_cache_bits=bits)
    )


def _suffix(bits: int | None) -> str:
    return f", KV {bits}-bit"


def _effect(bits: int, usual: Sequence[BenchRow], rows: Sequence[BenchRow]) -> KvEffect:
    quality = next((row.quality for row in rows if row.quality is not None), None)
    names = {row.model.name for row in usual}
    is_comparable = quality is not None and quality.reference in names
    return KvEffect(
        kv_cache_bits=bits,
        writing=_change(usual, rows, reads=False),
        reading=_change(usual, rows, reads=True),
        divergence=quality.divergence if quality is not None and is_comparable else None,
        top1_agreement=quality.top1_agreement if quality is not None and is_comparable else None,
        test_time=max(row.test_time for row in rows),
    )


def _change(usual: Sequence[BenchRow], rows: Sequence[BenchRow], *, reads: bool) -> Change | None:
    """Return the change of the deepest test of one kind that both have."""
    found = [
        (row.n_depth, before, row)
        for row in rows
        for before in usual
        if row.test == before.test and row.samples_ts and before.samples_ts and _is_kind(row, reads=reads)
    ]
    if not found:
        return None
    _, before, row = max(found, key=lambda one: one[0])
    return relative_change(before.samples_ts, row.samples_ts)


def _is_kind(row: BenchRow, *, reads: bool) -> bool:
    return bool(row.n_prompt) and not row.n_gen if reads else bool(row.n_gen) and not row.n_prompt
