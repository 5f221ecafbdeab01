"""The planner gives the numbers that every text about model memory gives, and grows with everything it is told."""

from __future__ import annotations

import math

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.library.planner import (
    LLAMA_3,
    PlannedModel,
    Precision,
    TransformerShape,
    plan_inference,
    plan_training,
    usual_shape,
)
from runtime.values.errors import InvalidRequestError

GB = 10**9
SEVENTY_BILLION = PlannedModel(parameters=70e9, bits_per_weight=16, context_tokens=4096)
MODELS = st.builds(
    PlannedModel,
    parameters=st.floats(1e6, 2e12),
    bits_per_weight=st.floats(1, 20),
    context_tokens=st.integers(1, 1_000_000),
    batch=st.integers(1, 64),
)


@pytest.mark.parametrize(
    ("precision", "gigabytes"),
    [(Precision.FP32, 280), (Precision.FP16, 140), (Precision.INT8, 70), (Precision.INT4, 35)],
)
def test_seventy_billion_parameters_in_every_precision(precision: Precision, gigabytes: int) -> None:
    model = msgspec.structs.replace(SEVENTY_BILLION, bits_per_weight=precision.value)

    assert plan_inference(model).weights_bytes == gigabytes * GB


def test_seventy_billion_parameters_take_over_a_terabyte_to_train() -> None:
    plan = plan_training(SEVENTY_BILLION)

    assert plan.weights_bytes + plan.gradients_bytes + plan.optimizer_bytes == 16 * 70 * GB
    assert plan.optimizer_bytes == 12 * 70 * GB
    assert plan.total_bytes > 1000 * GB
    # 34 bytes × 4096 tokens × about 80 layers × about 8192 units of width
    assert plan.activations_bytes == pytest.approx(34 * 4096 * 80 * 8192, rel=0.03)


def test_what_it_is_run_in_changes_nothing_about_training() -> None:
    narrow = msgspec.structs.replace(SEVENTY_BILLION, bits_per_weight=4)

    assert plan_training(narrow) == plan_training(SEVENTY_BILLION)


def test_the_kv_cache_of_llama_3() -> None:
    """128 KiB a token for 8B and 320 KiB for 70B."""
    for size, kib in ((8.03e9, 128), (70.6e9, 320)):
        plan = plan_inference(PlannedModel(parameters=size, bits_per_weight=16, context_tokens=1000, batch=3))
        assert plan.kv_cache_bytes == pytest.approx(kib * 1024 * 3000, rel=1e-6)


def test_a_known_shape_is_taken_as_it_is() -> None:
    shape = TransformerShape(layers=10, hidden_size=100, kv_width=50)
    model = PlannedModel(parameters=1e9, bits_per_weight=8, context_tokens=7, shape=shape)

    assert plan_inference(model).kv_cache_bytes == 2 * 10 * 50 * 2 * 7
    assert plan_training(model).activations_bytes == 34 * 7 * 10 * 100


@pytest.mark.parametrize(("size", "shape"), LLAMA_3)
def test_models_that_are_known_have_their_own_shape(size: float, shape: TransformerShape) -> None:
    usual = usual_shape(size)

    assert (usual.layers, usual.hidden_size, usual.kv_width) == pytest.approx(
        (shape.layers, shape.hidden_size, shape.kv_width)
    )


@given(model=MODELS)
def test_a_total_is_the_sum_of_its_terms(model: PlannedModel) -> None:
    inference, training = plan_inference(model), plan_training(model)

    assert inference.total_bytes == sum(msgspec.structs.astuple(inference))
    assert training.total_bytes == sum(msgspec.structs.astuple(training))
    assert min(*msgspec.structs.astuple(inference), *msgspec.structs.astuple(training)) > 0


@given(
    model=MODELS,
    factor=st.floats(1, 3),
    name=st.sampled_from(["parameters", "bits_per_weight", "context_tokens", "batch"]),
)
def test_more_of_anything_never_takes_less(model: PlannedModel, factor: float, name: str) -> None:
    value = getattr(model, name) * factor
    whole = name in {"context_tokens", "batch"}
    larger = msgspec.structs.replace(model, **{name: math.ceil(value) if whole else value})

    for plan in (plan_inference, plan_training):
        terms = zip(msgspec.structs.astuple(plan(model)), msgspec.structs.astuple(plan(larger)), strict=True)
        assert all(less <= more for less, more in terms)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("parameters", 0),
        ("parameters", -1.0),
        ("parameters", math.nan),
        ("parameters", math.inf),
        ("bits_per_weight", 0),
        ("bits_per_weight", 65),
        ("context_tokens", 0),
        ("batch", 0),
    ],
)
def test_numbers_out_of_range_are_refused(name: str, value: float) -> None:
    model = msgspec.structs.replace(SEVENTY_BILLION, **{name: value})

    for plan in (plan_inference, plan_training):
        with pytest.raises(InvalidRequestError, match="Choose from"):
            plan(model)
