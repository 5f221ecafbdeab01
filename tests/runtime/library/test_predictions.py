"""What is foretold follows from bandwidth and bytes, and moves to what replies on this machine really come to."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.config.paths import AppPaths
from runtime.library.predictions import (
    FILE_NAME,
    MAX_RECORDS,
    USUAL_EFFICIENCY,
    EngineHistory,
    Workload,
    loaded_workload,
    median_error,
    predict,
    read_history,
    with_reply,
    write_history,
)
from runtime.metrics.device import read_device
from runtime.values.errors import StoreError
from runtime.values.generation import GenerationStats, TtftParts
from runtime.values.memory_reads import DecodeReads, KvReads
from runtime.values.model import EngineName, LoadedModel
from tests.runtime.library.model_stand_ins import paths
from tests.runtime.metrics.test_roofline import BANDWIDTH, MODEL, STATS

__all__ = ["paths"]
GB = 10**9
LLAMACPP = EngineName.LLAMACPP
MEASURED = EngineHistory(bandwidth=BANDWIDTH)
READS = DecodeReads(weights_bytes=GB - 512 * 100_000, kv=(KvReads(token_bytes=100_000),))
WORKLOAD = Workload(reads=READS, active_parameters=2e9)
PARTS = TtftParts(queue_ms=0, load_ms=400, tokenize_ms=1, cache_restore_ms=0, prefill_ms=900, first_decode_ms=20)


def reply(
    speed: float, *, prefill: float = 1000.0, cached_tokens: int = 0, prompt_tokens: int = 900
) -> GenerationStats:
    return msgspec.structs.replace(
        STATS,
        decode_tokens_per_second=speed,
        prefill_tokens_per_second=prefill,
        cached_tokens=cached_tokens,
        prompt_tokens=prompt_tokens,
        ttft_ms=1321.0,
        ttft_parts=PARTS,
    )


def learned(*speeds: float) -> EngineHistory:
    history = MEASURED
    for speed in speeds:
        history = with_reply(history, reply(speed), MODEL, None)
    return history


def test_without_a_bandwidth_nothing_is_foretold() -> None:
    prediction = predict(EngineHistory(), WORKLOAD)

    assert (prediction.tokens_per_second, prediction.ttft_ms, prediction.replies) == (None, None, 0)


def test_before_the_first_reply_the_usual_part_of_the_ceiling_is_foretold() -> None:
    """100 GB/s and 1 GB a token, 512 tokens of context included."""
    prediction = predict(MEASURED, WORKLOAD)

    assert prediction.tokens_per_second == pytest.approx(100 * USUAL_EFFICIENCY)
    assert prediction.ttft_ms is None


def test_replies_correct_the_speed_by_their_median() -> None:
    """The reply's own ceiling is 100 tok/s: see `test_roofline`."""
    history = learned(90, 50, 52)

    assert history.efficiency == pytest.approx(0.52)
    assert predict(history, WORKLOAD).tokens_per_second == pytest.approx(52)
    assert predict(history, WORKLOAD).replies == 3


def test_each_reply_keeps_what_had_been_foretold_of_it() -> None:
    first, second = learned(50, 60).records

    assert first.predicted_tokens_per_second == pytest.approx(70)
    assert second.predicted_tokens_per_second == pytest.approx(50)
    assert median_error([first, second]) == pytest.approx((20 / 50 + 10 / 60) / 2)
    assert median_error([]) is None


def test_the_first_token_is_foretold_once_a_prompt_was_read() -> None:
    history = learned(50)
    workload = loaded_workload(MODEL)
    assert workload is not None
    operations = 1000.0 * 2 * workload.active_parameters

    assert history.operations_per_second == pytest.approx(operations)
    prediction = predict(history, WORKLOAD)
    assert prediction.ttft_ms == pytest.approx(512 * 2 * 2e9 / operations * 1000 + 1000 / 50)
    (record,) = history.records
    assert record.ttft_ms == pytest.approx(921)
    assert record.predicted_ttft_ms is None


@pytest.mark.parametrize(
    "stats", [reply(50, cached_tokens=880), reply(50, prompt_tokens=30), reply(50, cached_tokens=500)]
)
def test_a_prompt_that_was_not_read_whole_says_nothing_about_the_first_token(stats: GenerationStats) -> None:
    (record,) = with_reply(MEASURED, stats, MODEL, None).records

    assert record.ttft_ms is None
    assert (record.operations_per_second is None) == (stats.prompt_tokens - stats.cached_tokens < 64)


def test_replies_that_memory_did_not_bound_teach_nothing() -> None:
    cached = msgspec.structs.replace(BANDWIDTH, cached_bytes=2 * GB)
    other = msgspec.structs.replace(MODEL, name="another")
    unread = msgspec.structs.replace(MODEL, decode_reads=None)

    assert with_reply(EngineHistory(bandwidth=cached), reply(50), MODEL, None).records == ()
    assert learned(500).records == ()  # Faster than memory: one of the figures does not apply.
    assert with_reply(MEASURED, reply(50), other, None).records == ()
    assert with_reply(MEASURED, reply(50), unread, None).records == ()
    assert with_reply(EngineHistory(), reply(50), MODEL, None).records == ()


def test_bandwidth_and_working_set_are_kept() -> None:
    mac = msgspec.structs.replace(MODEL, working_set_bytes=12 * GB)
    history = with_reply(EngineHistory(), reply(50), mac, BANDWIDTH)

    assert (history.bandwidth, history.working_set_bytes, len(history.records)) == (BANDWIDTH, 12 * GB, 1)
    later = with_reply(history, reply(50), MODEL, None)
    assert (later.bandwidth, later.working_set_bytes) == (BANDWIDTH, 12 * GB)


def test_old_replies_give_way() -> None:
    history = learned(*[30.0] * MAX_RECORDS, *[60.0] * MAX_RECORDS)

    assert len(history.records) == MAX_RECORDS
    assert history.efficiency == pytest.approx(0.6)


@given(speeds=st.lists(st.floats(1, 100), min_size=1, max_size=9), factor=st.floats(1, 10))
def test_more_to_read_is_never_foretold_to_be_faster(speeds: list[float], factor: float) -> None:
    history = learned(*speeds)
    larger = msgspec.structs.replace(READS, weights_bytes=round(READS.weights_bytes * factor))
    near = predict(history, WORKLOAD)
    far = predict(history, msgspec.structs.replace(WORKLOAD, reads=larger, active_parameters=2e9 * factor))

    assert near.tokens_per_second is not None
    assert far.tokens_per_second is not None
    assert near.ttft_ms is not None
    assert far.ttft_ms is not None
    assert far.tokens_per_second <= near.tokens_per_second
    assert far.ttft_ms >= near.ttft_ms


def test_a_machine_that_always_comes_to_the_same_part_is_foretold_exactly() -> None:
    history = MEASURED
    for _ in range(5):
        history = with_reply(history, reply(61), MODEL, None)

    assert median_error(history.records[1:]) == pytest.approx(0)


# --- the file ---


def test_histories_are_kept_by_machine_and_engine(paths: AppPaths) -> None:
    here = read_device()
    there = msgspec.structs.replace(here, chip="Another 9000")
    write_history(paths, here, LLAMACPP, learned(50))
    write_history(paths, here, EngineName.MLX, learned(60))
    write_history(paths, there, LLAMACPP, learned(70))

    assert read_history(paths, here, LLAMACPP).efficiency == pytest.approx(0.5)
    assert read_history(paths, here, EngineName.MLX).efficiency == pytest.approx(0.6)
    assert read_history(paths, there, LLAMACPP).efficiency == pytest.approx(0.7)
    assert read_history(paths, there, EngineName.MLX) == EngineHistory()


@pytest.mark.parametrize("content", [b"", b"[]", b'{"form": 9, "machines": {}}', b"\xff"])
def test_a_file_that_cannot_be_understood_counts_as_none(paths: AppPaths, content: bytes) -> None:
    paths.data.mkdir(parents=True)
    (paths.data / FILE_NAME).write_bytes(content)

    assert read_history(paths, read_device(), LLAMACPP) == EngineHistory()


def test_a_file_that_cannot_be_written_is_reported(paths: AppPaths) -> None:
    paths.data.parent.mkdir(parents=True, exist_ok=True)
    paths.data.write_text("a file where the folder should be", encoding="utf-8")

    with pytest.raises(StoreError, match="cannot be written"):
        write_history(paths, read_device(), LLAMACPP, MEASURED)


def test_a_model_whose_reads_are_not_known_has_no_workload() -> None:
    unread: LoadedModel = msgspec.structs.replace(MODEL, decode_reads=None)

    assert loaded_workload(unread) is None
