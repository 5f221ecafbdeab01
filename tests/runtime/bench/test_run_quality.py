"""Quality as part of a run: on the rows and in a table, the best variant as reference, failures told."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from runtime.bench.plan import BenchPlan, checked_plan
from runtime.bench.progress import Activity, BenchProgress
from runtime.bench.quality import QualityText, shipped_text
from runtime.bench.report import OutputFormat, quality_table, rendered
from runtime.bench.workload import Prefill
from runtime.client.base import ModelToLoad
from runtime.config.paths import assets_folder
from runtime.values.errors import InvalidRequestError
from runtime.values.model import EngineName, LoadOptions
from tests.models.random_gguf import TINY, write_random_gguf
from tests.runtime.bench.running import Watched, plan_for

TEXT = shipped_text(assets_folder())


def gguf(folder: Path, weights: str) -> ModelToLoad:
    path = folder / f"{weights}.gguf"
    write_random_gguf(path, msgspec.structs.replace(TINY, weights=weights))
    options = LoadOptions(model_name=weights, threads=1)
    return ModelToLoad(engine=EngineName.LLAMACPP, path=str(path), options=options)


def scoring_plan(models: list[ModelToLoad], text: QualityText = TEXT) -> BenchPlan:
    return plan_for(models, [Prefill(8)], quality=text, quality_tokens=24, repetitions=1)


async def test_each_variant_is_compared_with_the_one_of_most_bits(tmp_path: Path) -> None:
    plan = scoring_plan([gguf(tmp_path, "Q4_0"), gguf(tmp_path, "F32"), gguf(tmp_path, "Q8_0")])
    result = await Watched(plan, tmp_path).run()
    four, best, eight = (one.figures for one in result.quality)

    assert four is not None
    assert best is not None
    assert eight is not None
    assert {one.reference for one in (four, best, eight)} == {"F32"}
    assert best.divergence == 0
    assert best.top1_agreement == 1
    assert four.divergence is not None
    assert eight.divergence is not None
    assert 0 < eight.divergence < four.divergence
    assert [row.quality for row in result.rows] == [four, best, eight]
    assert four.tokens == 24
    table = rendered(result.rows, OutputFormat.MARKDOWN, (), result.quality)
    assert table.count("F32; 24 tokens of the text essay") == 3


async def test_one_variant_alone_has_a_perplexity_and_nothing_to_be_compared_with(tmp_path: Path) -> None:
    (found,) = (await Watched(scoring_plan([gguf(tmp_path, "Q8_0")]), tmp_path).run()).quality

    assert found.figures is not None
    assert found.figures.perplexity > 1
    assert (found.figures.reference, found.figures.divergence, found.figures.top1_agreement) == (None, None, None)


async def test_a_text_that_is_too_short_is_told_and_costs_no_row(tmp_path: Path) -> None:
    plan = scoring_plan([gguf(tmp_path, "Q8_0")], QualityText("empty", ""))
    result = await Watched(plan, tmp_path).run()
    (found,) = result.quality

    assert found.figures is None
    assert found.error is not None
    assert "too short" in found.error.what
    assert result.rows[0].samples_ns
    assert "failed: " in quality_table(result.quality, result.rows)


async def test_scoring_can_be_cancelled_and_keeps_the_rows(tmp_path: Path) -> None:
    def cancel(run: Watched, progress: BenchProgress) -> None:
        if progress.activity is Activity.SCORING:
            run.bench.cancel()

    result = await Watched(scoring_plan([gguf(tmp_path, "Q8_0")]), tmp_path, cancel).run()

    assert result.cancelled
    assert result.quality == ()
    assert result.rows[0].samples_ns


async def test_a_run_may_be_of_quality_alone(tmp_path: Path) -> None:
    plan = plan_for([gguf(tmp_path, "Q8_0")], [], quality=TEXT, quality_tokens=8)
    watched = Watched(plan, tmp_path)
    result = await watched.run()

    assert result.rows == ()
    assert len(result.quality) == 1
    left = [one.remaining_s for one in watched.progress if one.activity is Activity.SCORING]
    assert left[0]
    assert left[-1] == 0


@pytest.mark.parametrize("tokens", [0, 1, 100_001])
def test_a_number_of_tokens_that_makes_no_sense_is_refused(tmp_path: Path, tokens: int) -> None:
    plan = msgspec.structs.replace(scoring_plan([gguf(tmp_path, "Q8_0")]), quality_tokens=tokens)

    with pytest.raises(InvalidRequestError, match="cannot be scored"):
        checked_plan(plan)
