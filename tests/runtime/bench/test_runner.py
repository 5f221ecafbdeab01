"""Runs: what a script says is what is measured, variants take turns, and nothing that fails takes the rest with it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import msgspec
import psutil
import pytest

from runtime.bench.progress import Activity, BenchProgress
from runtime.bench.record import BenchRow, RowStatus, Scope
from runtime.bench.runner import BenchResult
from runtime.bench.workload import CacheState, ChatReply, Decode, Prefill, Serving
from runtime.client.base import ModelToLoad
from runtime.engine.scripted_engine import Script
from runtime.metrics.roofline import Bound
from runtime.values.errors import InvalidRequestError
from runtime.values.model import EngineName, LoadOptions
from tests.runtime.bench.running import FAST, Watched, plan_for, script_at

CHAT = ChatReply(8, CacheState.WARM)


def by_name(result: BenchResult) -> dict[tuple[str, str], BenchRow]:
    return {(row.model.name, row.test): row for row in result.rows}


async def test_rates_are_those_of_the_script_and_rows_are_whole(tmp_path: Path) -> None:
    plan = plan_for([script_at(tmp_path, "a")], [Prefill(200), Decode(20)], repetitions=3)
    result = await Watched(plan, tmp_path).run()
    prefill, decode = result.rows

    assert [row.status for row in result.rows] == [RowStatus.DONE, RowStatus.DONE]
    assert not result.cancelled
    # A sleep may take longer than asked for, never shorter; but a first token that comes late shortens the rest.
    assert max(prefill.samples_ts) <= FAST.prefill_tokens_per_second
    assert min(decode.samples_ts) <= FAST.decode_tokens_per_second * 1.01
    assert len(prefill.samples_ns) == len(decode.samples_ns) == 3
    assert (prefill.cached_tokens, decode.n_gen, prefill.n_prompt) == (0, 20, 200)
    for row in result.rows:
        assert row.model.sha256
        assert row.engine_version == "scripted 1"
        assert row.conditions is not None
        assert row.memory is not None
        assert row.load_ms is not None
        assert row.settings.load.context_tokens == 256
        assert row.settings.load.requested_ns is None
        assert row.scope is Scope.ENGINE


async def test_decoding_n_tokens_is_timed_over_n_intervals(tmp_path: Path) -> None:
    script = msgspec.structs.replace(FAST, decode_tokens_per_second=20.0)
    result = await Watched(plan_for([script_at(tmp_path, "a", script)], [Decode(2)]), tmp_path).run()

    # Two intervals of 50 ms; a first token that comes late shortens the first one.
    assert max(result.rows[0].samples_ns) >= 75 * 1_000_000


async def test_depth_is_in_the_cache_before_the_timing_begins(tmp_path: Path) -> None:
    plan = plan_for([script_at(tmp_path, "a")], [Prefill(32, 300), Decode(8, 300)])
    prefill, decode = (await Watched(plan, tmp_path).run()).rows

    assert (prefill.status, prefill.cached_tokens, prefill.n_depth) == (RowStatus.DONE, 300, 300)
    assert (decode.status, decode.cached_tokens, decode.n_depth) == (RowStatus.DONE, 299, 300)
    assert prefill.memory is not None
    assert "@d300" in prefill.cache


async def test_an_engine_that_keeps_no_cache_is_told_not_measured_wrongly(tmp_path: Path) -> None:
    forgetful = msgspec.structs.replace(FAST, remembers_prompt=False)
    plan = plan_for([script_at(tmp_path, "a", forgetful)], [Prefill(32, 300), Decode(8, 300)])
    prefill, decode = (await Watched(plan, tmp_path).run()).rows

    assert prefill.status is RowStatus.FAILED
    assert prefill.error is not None
    assert "0 instead of 300 tokens stayed" in prefill.error.what
    assert decode.status is RowStatus.DONE


async def test_variants_take_turns(tmp_path: Path) -> None:
    watched = Watched(plan_for([script_at(tmp_path, name) for name in "ab"], [Prefill(8), Decode(4)]), tmp_path)
    result = await watched.run()

    assert watched.measured() == [("a", "pp8"), ("b", "pp8"), ("a", "tg4"), ("b", "tg4")] * 2
    assert [(row.test, row.model.name) for row in result.rows] == [
        ("pp8", "a"), ("pp8", "b"), ("tg4", "a"), ("tg4", "b"),
    ]  # fmt: skip
    assert all(row.settings.shared_memory for row in result.rows)


async def test_a_warm_up_precedes_the_first_repetition_of_each_test_and_is_not_counted(tmp_path: Path) -> None:
    watched = Watched(plan_for([script_at(tmp_path, "a")], [Prefill(8), Prefill(8, 16), Decode(4)]), tmp_path)
    result = await watched.run()
    warmed = [one.test for one in watched.progress if one.activity is Activity.WARMING_UP]

    assert warmed == ["pp8", "tg4"]
    assert [len(row.samples_ns) for row in result.rows] == [2, 2, 2]


async def test_a_chat_is_measured_as_a_person_gets_it(tmp_path: Path) -> None:
    states = [ChatReply(8, state) for state in CacheState]
    slow_load = msgspec.structs.replace(FAST, load_s=0.3, tokenize_s=0.01)
    plan = plan_for([script_at(tmp_path, "a", slow_load)], states)
    cold, warm, cached = (await Watched(plan, tmp_path).run()).rows

    for row in (cold, warm, cached):
        assert (row.status, row.scope) == (RowStatus.DONE, Scope.CHAT)
        assert row.ttft is not None
        assert len(row.ttft.samples_ms) == 2
        assert row.ttft.parts is not None
        assert row.settings.sampling.temperature > 0
        # What a person waits for is at least what the worker counts.
        assert row.ttft.mean_ms >= sum(getattr(row.ttft.parts, name) for name in row.ttft.parts.__struct_fields__)
    assert cold.ttft is not None
    assert cold.ttft.parts is not None
    assert warm.ttft is not None
    assert warm.ttft.parts is not None
    assert cold.ttft.parts.load_ms >= 300
    assert (warm.ttft.parts.load_ms, warm.cached_tokens) == (0, 0)
    assert warm.ttft.parts.tokenize_ms >= 10
    assert cached.cached_tokens is not None
    assert 0 < cached.cached_tokens < cached.n_prompt


async def test_requests_at_once_share_the_engine(tmp_path: Path) -> None:
    plan = plan_for([script_at(tmp_path, "a")], [Serving(32, 16, users) for users in (1, 4)], repetitions=3)
    watched = Watched(plan, tmp_path)
    one, four = (await watched.run()).rows

    assert [row.status for row in (one, four)] == [RowStatus.DONE] * 2
    assert four.settings.load.parallel_requests == one.settings.load.parallel_requests == 4
    assert four.ttft is not None
    assert len(four.ttft.samples_ms) == 12
    assert four.ttft.p50_ms <= four.ttft.p95_ms
    assert four.serving is not None
    assert one.serving is not None
    assert four.serving.generated_ts_per_user is not None
    assert (one.serving.concurrency, four.serving.concurrency) == (1, 4)
    assert four.serving.requests_per_second * 16 == pytest.approx(four.serving.generated_ts)


async def test_the_limit_of_memory_is_part_of_a_decode_row(tmp_path: Path) -> None:
    prefill, decode = (
        await Watched(plan_for([script_at(tmp_path, "a")], [Prefill(8), Decode(100, 50)]), tmp_path).run()
    ).rows

    assert prefill.roofline is None
    assert decode.roofline is not None
    # 101 tokens after 50: interval i of 100 reads 50 + i tokens of 1,000 bytes each, and the weights.
    assert decode.roofline.bytes_per_token == pytest.approx(FAST.weights_bytes + 1000 * (50 + 50.5))
    assert decode.roofline.ceiling_ts == pytest.approx(1e9 / decode.roofline.bytes_per_token)
    assert decode.roofline.bound is Bound.MEMORY
    assert decode.avg_ts is not None
    assert decode.roofline.share == pytest.approx(decode.avg_ts / decode.roofline.ceiling_ts)


async def test_a_worker_that_dies_fails_its_row_and_the_run_goes_on(tmp_path: Path) -> None:
    def kill_during_tg(run: Watched, progress: BenchProgress) -> None:
        if (progress.activity, progress.test, progress.done_steps) == (Activity.MEASURING, "tg150", 4):
            pid = run.clients[0].worker_pid
            assert pid is not None
            # In the middle of the 300 ms that 150 tokens take: a worker that is gone before would just be replaced.
            asyncio.get_running_loop().call_later(0.1, psutil.Process(pid).kill)

    plan = plan_for([script_at(tmp_path, "a")], [Prefill(8), Decode(150), Prefill(16)], repetitions=3)
    watched = Watched(plan, tmp_path, kill_during_tg)
    first, killed, last = (await watched.run()).rows

    assert (killed.status, len(killed.samples_ns)) == (RowStatus.FAILED, 1)
    assert killed.error is not None
    assert killed.error.code == "worker-lost"
    assert [(row.status, len(row.samples_ns)) for row in (first, last)] == [(RowStatus.DONE, 3)] * 2


def missing(model: ModelToLoad) -> None:
    Path(model.path).unlink()


def damaged(model: ModelToLoad) -> None:
    Path(model.path).write_bytes(b"no script")


@pytest.mark.parametrize("damage", [missing, damaged])
async def test_a_model_that_cannot_be_loaded_fails_its_rows_and_the_others_go_on(
    tmp_path: Path, damage: Callable[[ModelToLoad], None]
) -> None:
    broken = script_at(tmp_path, "broken")
    damage(broken)
    plan = plan_for([broken, script_at(tmp_path, "whole")], [Prefill(8), Decode(4)])
    watched = Watched(plan, tmp_path)
    rows = by_name(await watched.run())

    for test in ("pp8", "tg4"):
        assert rows["broken", test].status is RowStatus.FAILED
        assert rows["broken", test].error is not None
        assert rows["whole", test].status is RowStatus.DONE
    assert {model for model, _ in watched.measured()} == {"whole"}


async def test_cancelling_keeps_what_is_done(tmp_path: Path) -> None:
    def cancel_in_second_round(run: Watched, progress: BenchProgress) -> None:
        if progress.activity is Activity.MEASURING and progress.done_steps == 3:
            run.bench.cancel()

    plan = plan_for([script_at(tmp_path, "a")], [Prefill(8), Decode(100)], repetitions=5)
    result = await Watched(plan, tmp_path, cancel_in_second_round).run()

    assert result.cancelled
    assert [(row.status, len(row.samples_ns)) for row in result.rows] == [
        (RowStatus.CANCELLED, 2), (RowStatus.CANCELLED, 1),
    ]  # fmt: skip


@pytest.mark.parametrize("activity", [Activity.IDENTIFYING, Activity.LOADING, Activity.WARMING_UP])
async def test_a_run_can_be_cancelled_at_any_moment(tmp_path: Path, activity: Activity) -> None:
    def cancel(run: Watched, progress: BenchProgress) -> None:
        if progress.activity is activity:
            run.bench.cancel()

    slow = msgspec.structs.replace(FAST, load_s=60.0 if activity is Activity.LOADING else 0.0)
    result = await Watched(plan_for([script_at(tmp_path, "a", slow)], [Decode(100)]), tmp_path, cancel).run()

    assert result.cancelled
    assert all(row.status is RowStatus.CANCELLED for row in result.rows)


async def test_a_depth_beyond_the_context_is_refused_before_anything_is_loaded(tmp_path: Path) -> None:
    model = script_at(tmp_path, "a", options=LoadOptions(context_tokens=512))
    watched = Watched(plan_for([model], [Prefill(8), Prefill(128, 400)]), tmp_path)

    with pytest.raises(InvalidRequestError, match="pp128@d400 takes a context of 529 tokens"):
        await watched.run()
    assert watched.measured() == []


async def test_a_preset_leaves_out_what_a_context_has_no_room_for_and_says_so(tmp_path: Path) -> None:
    model = script_at(tmp_path, "a", options=LoadOptions(context_tokens=512))
    plan = plan_for([model], [Prefill(8), Prefill(128, 400)], leave_out=True)
    fits, left_out = (await Watched(plan, tmp_path).run()).rows

    assert (fits.status, left_out.status) == (RowStatus.DONE, RowStatus.LEFT_OUT)
    assert left_out.error is not None
    assert "512" in left_out.error.what


async def test_a_run_keeps_to_its_time_with_fewer_repetitions(tmp_path: Path) -> None:
    plan = plan_for([script_at(tmp_path, "a")], [Decode(100)], repetitions=1000, budget_s=2.0)
    (row,) = (await Watched(plan, tmp_path).run()).rows

    assert row.status is RowStatus.DONE
    assert 1 <= len(row.samples_ns) < 1000
    assert row.settings.repetitions == 1000


async def test_progress_counts_up_and_says_how_long_it_will_take(tmp_path: Path) -> None:
    watched = Watched(plan_for([script_at(tmp_path, "a")], [Prefill(8), Decode(4)]), tmp_path)
    await watched.run()
    measuring = [one for one in watched.progress if one.activity is Activity.MEASURING]

    assert [one.done_steps for one in measuring] == [0, 1, 2, 3]
    assert {one.total_steps for one in measuring} == {4}
    assert measuring[0].remaining_s is None
    assert all(one.remaining_s is not None and one.remaining_s > 0 for one in measuring[1:])
    assert [len(row.samples_ns) for row in watched.rows] == [1, 1, 2, 2]


async def test_a_reply_that_ends_early_is_no_measurement(tmp_path: Path) -> None:
    short = Script(replies=(("one ", "two "),))
    (row,) = (await Watched(plan_for([script_at(tmp_path, "a", short)], [Decode(50)]), tmp_path).run()).rows

    assert row.status is RowStatus.FAILED
    assert row.error is not None
    assert row.engine is EngineName.SCRIPTED
