"""Against earlier results: a change counts when its interval excludes chance, whoever wrote the earlier file."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest

from runtime.bench.comparison import Metric, Verdict, compare, earlier_of, is_regression, read_earlier
from runtime.bench.report import OutputFormat, rendered
from runtime.bench.workload import CacheState, ChatReply, Decode, Prefill
from runtime.values.errors import InvalidRequestError
from tests.runtime.bench.examples import row

STEADY = (100.0, 100.5, 99.5, 100.2, 99.8)
CHAT = ChatReply(32, CacheState.WARM)


def slower(by: float) -> tuple[float, ...]:
    return tuple(rate * (1 - by) for rate in STEADY)


@pytest.mark.parametrize(
    ("now", "verdict"),
    [
        (STEADY, Verdict.SAME),
        (slower(0.1), Verdict.SLOWER),
        (slower(-0.1), Verdict.FASTER),
        (slower(0.015), Verdict.SAME),
        ((60.0, 140.0, 90.0), Verdict.SAME),
        ((50.0,), Verdict.UNKNOWN),
    ],
)
def test_a_change_counts_when_it_is_larger_than_chance_and_than_two_percent(
    now: tuple[float, ...], verdict: Verdict
) -> None:
    (comparison,) = compare([row(*now)], earlier_of([row(*STEADY)]))

    assert comparison.verdict is verdict
    assert is_regression(comparison) is (verdict is Verdict.SLOWER)


def test_the_change_comes_with_its_interval() -> None:
    (comparison,) = compare([row(*slower(0.1))], earlier_of([row(*STEADY)]))

    assert comparison.change is not None
    assert comparison.change.interval is not None
    assert comparison.change.relative == pytest.approx(-0.1)
    assert comparison.change.interval.low < -0.1 < comparison.change.interval.high < 0
    assert [comparison.earlier, comparison.now] == pytest.approx([100, 90])


def test_a_longer_wait_is_a_regression_though_the_number_grew() -> None:
    before = row(*STEADY, workload=CHAT, ttft_ms=(50.0, 50.5, 49.5))
    after = row(*STEADY, workload=CHAT, ttft_ms=(80.0, 80.5, 79.5))
    speed, wait = compare([after], earlier_of([before]))

    assert (speed.metric, speed.verdict) == (Metric.SPEED, Verdict.SAME)
    assert (wait.metric, wait.verdict) == (Metric.TTFT, Verdict.SLOWER)


@pytest.mark.parametrize("output", [OutputFormat.JSON, OutputFormat.JSON_LINES])
def test_our_own_files_are_read_back(tmp_path: Path, output: OutputFormat) -> None:
    file = tmp_path / "results"
    file.write_text(rendered([row(*STEADY), row(*STEADY, workload=Prefill(512, 64))], output), encoding="utf-8")
    earlier = read_earlier(file)

    assert [one.test_name for one in earlier] == ["tg128", "pp512@d64"]
    assert len(compare([row(*slower(0.1))], earlier)) == 1


def llama_bench_row(**changes: object) -> dict[str, object]:
    """A row as llama-bench writes it, shortened."""
    return {
        "build_commit": "abc",
        "model_filename": "models/tiny-q4_0.gguf",
        "model_type": "qwen3 ?B Q4_0",
        "n_threads": 2,
        "n_prompt": 0,
        "n_gen": 128,
        "n_depth": 0,
        "avg_ns": 1,
        "avg_ts": 100.0,
        "stddev_ts": 0.5,
        "samples_ns": [1, 2],
        "samples_ts": list(STEADY),
        **changes,
    }


@pytest.mark.parametrize(
    ("changes", "test"),
    [
        ({}, "tg128"),
        ({"n_depth": 4096}, "tg128@d4096"),
        ({"n_prompt": 512, "n_gen": 0}, "pp512"),
        ({"n_prompt": 512}, "pp512+tg128@c1"),
        ({"model_filename": "C:\\models\\tiny-q4_0.gguf"}, "tg128"),
    ],
)
def test_llama_benchs_files_are_read_and_matched_by_file_name(
    tmp_path: Path, changes: dict[str, object], test: str
) -> None:
    file = tmp_path / "llama-bench.json"
    file.write_text(json.dumps([llama_bench_row(**changes)]), encoding="utf-8")
    (earlier,) = read_earlier(file)

    assert earlier.test_name == test
    assert len(compare([row(*STEADY)], [earlier])) == (1 if test == "tg128" else 0)


def test_only_the_same_model_test_and_engine_are_compared() -> None:
    (old,) = earlier_of([row(*STEADY)])

    assert compare([row(*STEADY, model_name="other")], [old]) == ()
    assert compare([row(*STEADY, workload=Decode(64))], [old]) == ()
    assert compare([row(*STEADY)], [msgspec.structs.replace(old, engine="mlx")]) == ()
    assert compare([row()], [old]) == ()


def test_what_else_has_changed_is_said() -> None:
    (old,) = earlier_of([row(*STEADY)])
    other_machine = msgspec.structs.replace(
        old,
        environment=msgspec.structs.replace(old.environment, chip="Another"),
        model=msgspec.structs.replace(old.model, sha256="cd" * 32),
    )

    assert compare([row(*STEADY)], [old])[0].differences == ()
    assert compare([row(*STEADY)], [other_machine])[0].differences == ("another machine", "other model files")


@pytest.mark.parametrize(
    "content", [b"", b"  \n", b"[]", b"{", b"hello", b"[1, 2]", b'{"n_prompt": "many"}', b"\xff\xfe", b"[" * 5000]
)
def test_a_file_without_results_is_refused_by_name(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "results.json"
    file.write_bytes(content)

    with pytest.raises(InvalidRequestError, match=r"results\.json holds no benchmark results"):
        read_earlier(file)


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "absent.json"):
        with pytest.raises(InvalidRequestError, match="cannot be read"):
            read_earlier(path)
