"""The memory estimate against what a worker really takes: some cases of what the benchmark measures."""

from __future__ import annotations

from pathlib import Path

import pytest

from runtime.values.model import EngineName
from tests.benchmarks.fit_accuracy import Case, made, measured

CASES = (
    Case(model="dense, grouped queries", engine=EngineName.LLAMACPP, stored="Q8_0", context_tokens=2048),
    Case(model="dense, grouped queries", engine=EngineName.MLX, stored="FP32", context_tokens=512),
    Case(model="mixture of experts", engine=EngineName.MLX, stored="INT4", context_tokens=128),
)


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES, ids=[f"{case.engine} {case.stored}" for case in CASES])
def test_the_estimate_is_within_a_tenth_of_the_peak(case: Case, tmp_path: Path) -> None:
    outcome = measured(case, made(case, tmp_path))

    assert abs(outcome.error) <= 0.1, outcome
