"""Rows: llama-bench's fields mean what they mean there, and every row stands alone."""

from __future__ import annotations

import statistics

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.bench.conditions import PowerSource, Readings, conditions_between
from runtime.bench.record import BenchRow, RowStatus, Sample, row_of
from runtime.bench.thermal import ThermalPressure
from runtime.bench.workload import CacheState, ChatReply, Decode, Prefill, Serving
from runtime.values.generation import MemoryFigures, TtftParts
from tests.runtime.bench.examples import CONTEXT, LOST, row, samples_at

LLAMA_BENCH_FIELDS = {
    *("model_filename", "model_type", "model_size", "model_n_params", "n_prompt", "n_gen", "n_depth", "test_time"),
    *("avg_ns", "stddev_ns", "avg_ts", "stddev_ts", "samples_ns", "samples_ts"),
}


@given(st.lists(st.floats(0.5, 1e5), min_size=2, max_size=10), st.integers(1, 4096))
def test_the_means_are_llama_benchs(rates: list[float], tokens: int) -> None:
    context = msgspec.structs.replace(CONTEXT, workload=Prefill(tokens))
    made = row_of(context, samples_at(*rates, tokens=tokens), RowStatus.DONE)

    # get_ts, avg_ts and stdev_ts of llama-bench.cpp.
    assert made.samples_ts == pytest.approx([1e9 * made.n_prompt / time for time in made.samples_ns])
    assert made.avg_ts == pytest.approx(statistics.fmean(made.samples_ts))
    assert made.avg_ns == round(statistics.fmean(made.samples_ns))
    assert made.stddev_ts == pytest.approx(statistics.stdev(made.samples_ts), abs=1e-6)


def test_a_row_has_llama_benchs_fields_and_says_everything_about_itself() -> None:
    fields = msgspec.to_builtins(row(100.0, 101.0))

    assert fields.keys() >= LLAMA_BENCH_FIELDS
    assert (fields["n_prompt"], fields["n_gen"], fields["n_depth"]) == (0, 128, 0)
    for name in ("model", "environment", "settings", "cache", "scope", "engine_version", "device", "schema_version"):
        assert fields[name], name
    assert len(fields["model"]["sha256"]) == 64


@pytest.mark.parametrize(
    ("workload", "counts"),
    [
        (Prefill(512, 4096), (512, 0, 4096)),
        (Decode(128, 1024), (0, 128, 1024)),
        (Serving(64, 32, 4), (64, 32, 0)),
        (ChatReply(16, CacheState.WARM), (1, 16, 0)),
    ],
)
def test_prompt_reply_and_depth_are_counted_as_llama_bench_does(
    workload: Prefill | Decode | Serving | ChatReply, counts: tuple[int, int, int]
) -> None:
    made = row(10.0, workload=workload)

    assert (made.n_prompt, made.n_gen, made.n_depth) == counts


def test_one_sample_has_neither_spread_nor_interval() -> None:
    made = row(100.0)

    assert made.avg_ts == pytest.approx(100)
    assert (made.stddev_ts, made.stddev_ns, made.interval_ts) == (None, None, None)


def test_a_row_that_failed_before_its_first_sample_has_no_figures_but_a_reason() -> None:
    made = row(status=RowStatus.FAILED, error=LOST)

    assert (made.avg_ts, made.avg_ns, made.median_ts, made.ttft, made.conditions) == (None, None, None, None, None)
    assert made.error == LOST
    assert made.samples_ns == ()


def test_every_ttft_is_kept_and_its_parts_are_averaged() -> None:
    parts = [
        TtftParts(queue_ms=ms, load_ms=0, tokenize_ms=1, cache_restore_ms=0, prefill_ms=ms, first_decode_ms=0)
        for ms in (10.0, 20.0)
    ]
    samples = [
        msgspec.structs.replace(sample, ttft_parts=part, ttft_ms=(2 * part.prefill_ms + 1,))
        for sample, part in zip(samples_at(5.0, 6.0), parts, strict=True)
    ]
    made = row_of(CONTEXT, samples, RowStatus.DONE)

    assert made.ttft is not None
    assert made.ttft.samples_ms == (21.0, 41.0)
    assert made.ttft.median_ms == made.ttft.p50_ms == made.ttft.mean_ms == 31.0
    assert made.ttft.parts is not None
    assert made.ttft.parts.prefill_ms == 15.0


def test_servings_say_what_all_and_each_came_to() -> None:
    burst = Sample(
        tokens=4 * 96,
        elapsed_ns=2_000_000_000,
        prompt_tokens=64,
        cached_tokens=0,
        ttft_ms=(100.0, 200.0, 300.0, 400.0),
        request_ts=(18.0, 20.0, 20.0, 22.0),
        requests=4,
        generated_tokens=4 * 32,
    )
    made = row_of(msgspec.structs.replace(CONTEXT, workload=Serving(64, 32, 4)), [burst], RowStatus.DONE)

    assert made.serving is not None
    assert made.serving.generated_ts == 64.0
    assert made.serving.generated_ts_per_user == 20.0
    assert made.serving.requests_per_second == 2.0
    assert made.ttft is not None
    assert [made.ttft.p50_ms, made.ttft.p95_ms] == pytest.approx([250.0, 385.0])
    assert made.avg_ts == 192.0


def test_disturbed_repetitions_mark_the_row() -> None:
    quiet = Readings(
        at_s=0,
        system_busy_s=0,
        own_busy_s=0,
        swap_used_bytes=0,
        swapped_out_bytes=0,
        thermal=ThermalPressure.UNKNOWN,
        throttle_events=None,
        temperature_c=None,
        power=PowerSource.MAINS,
    )
    loud = msgspec.structs.replace(quiet, at_s=1.0, system_busy_s=3.0, own_busy_s=1.0)
    conditions = conditions_between(quiet, loud)
    samples = [msgspec.structs.replace(sample, conditions=conditions) for sample in samples_at(5.0)]

    assert [one.kind for one in row_of(CONTEXT, samples, RowStatus.DONE).disturbances] == ["load"]


def test_the_memory_of_a_row_is_the_most_of_its_repetitions() -> None:
    figures = [
        MemoryFigures(
            weights_bytes=1, kv_cache_bytes=2, compute_buffer_bytes=None, worker_resident_bytes=3, peak_bytes=peak
        )
        for peak in (5, 9, 7)
    ]
    samples = [
        msgspec.structs.replace(sample, memory=memory)
        for sample, memory in zip(samples_at(1, 2, 3), figures, strict=True)
    ]

    assert row_of(CONTEXT, samples, RowStatus.DONE).memory == figures[1]


def test_a_row_survives_json() -> None:
    made = row(100.0, 101.0, ttft_ms=(5.0,))

    assert msgspec.json.decode(msgspec.json.encode(made), type=BenchRow) == made


def test_an_interval_of_rates_or_times_does_not_reach_below_zero() -> None:
    made = row(1.0, 1000.0)
    assert made.interval_ts is not None
    assert made.interval_ts.low == 0.0
    assert made.interval_ts.high > 1000.0
