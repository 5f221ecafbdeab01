"""The contexts that are offered for a model, and the one that it gets without a choice."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.library.context_choice import (
    DEFAULT_KV_CACHE_BYTES,
    LEAST_STOP_TOKENS,
    automatic_context,
    context_stops,
    kv_cache_widths,
)
from runtime.library.fit import kv_cache_bytes, largest_context, memory_need
from runtime.library.spec import KvLayers, ModelSpec
from runtime.values.errors import MemoryShortError
from runtime.values.model import ModelFormat
from tests.runtime.library.test_fit import GB, SPEC

GGUF = msgspec.structs.replace(SPEC, format=ModelFormat.GGUF)
SPECS = st.sampled_from([SPEC, GGUF])
WIDTHS = st.sampled_from([None, 8, 4])


@given(spec=SPECS, limit=st.integers(1, 300_000), available=st.integers(0, 40 * GB), bits=WIDTHS)
def test_contexts_go_up_to_the_models_limit_and_hold_the_longest_that_fits(
    spec: ModelSpec, limit: int, available: int, bits: int | None
) -> None:
    limited = msgspec.structs.replace(spec, context_tokens=limit)
    stops = context_stops(limited, available, bits)

    assert stops[-1] == limit
    assert list(stops) == sorted(set(stops))
    assert stops[0] >= min(LEAST_STOP_TOKENS, limit)
    longest = largest_context(limited, available, bits)
    assert longest in stops or longest < LEAST_STOP_TOKENS


@given(spec=SPECS, spare=st.integers(0, 40 * GB), bits=WIDTHS)
def test_without_a_choice_a_model_gets_a_context_that_fits(spec: ModelSpec, spare: int, bits: int | None) -> None:
    available = memory_need(spec, 1, bits).total_bytes + spare
    chosen = automatic_context(spec, available, bits)

    assert memory_need(spec, chosen, bits).total_bytes <= available
    if spec.format is ModelFormat.MLX:
        assert chosen == (largest_context(spec, available, bits) or 1)
    else:
        assert chosen <= 8192 or kv_cache_bytes(spec, chosen - 256, bits) <= DEFAULT_KV_CACHE_BYTES


def test_a_model_that_does_not_fit_has_no_context() -> None:
    with pytest.raises(MemoryShortError):
        automatic_context(SPEC, SPEC.weights_bytes // 2)


@pytest.mark.parametrize(
    ("model_format", "width", "widths"),
    [
        (ModelFormat.MLX, 128, (None, 8, 4)),
        (ModelFormat.MLX, 32, (None, 8, 4)),
        (ModelFormat.MLX, 48, (None,)),
        (ModelFormat.GGUF, 96, (None, 8, 4)),
        (ModelFormat.GGUF, 80, (None,)),
    ],
)
def test_a_cache_is_quantized_only_where_the_engine_can(
    model_format: ModelFormat, width: int, widths: tuple[int | None, ...]
) -> None:
    layers = KvLayers(layers=2, kv_heads=2, key_dim=width, value_dim=width)
    spec = msgspec.structs.replace(SPEC, format=model_format, kv_layers=(layers,))

    assert kv_cache_widths(spec) == widths
