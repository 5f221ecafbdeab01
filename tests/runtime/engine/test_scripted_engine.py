"""Every figure against an independent clock: the script says when things happen, the test does the arithmetic."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from runtime.engine.scripted_engine import Script, ScriptedEngine, read_script
from runtime.values.errors import ModelBrokenError, ModelMissingError
from runtime.values.generation import (
    Cancelled,
    Failed,
    Finished,
    GenerateRequest,
    GenerationEvent,
    GenerationStats,
    StopReason,
    TextDelta,
)
from runtime.values.model import LoadOptions
from runtime.values.prompt import TextPrompt
from runtime.values.sampling import SamplingParams
from tests.runtime.engine.virtual_clock import VirtualClock

TEN_WORDS = TextPrompt(" ".join(["word"] * 10))


class Bench:
    """A loaded scripted engine on a virtual clock."""

    def __init__(self, folder: Path, script: Script, options: LoadOptions | None = None) -> None:
        path = folder / "script.json"
        path.write_bytes(msgspec.json.encode(script))
        self.clock = VirtualClock()
        self.engine = ScriptedEngine(self.clock.now_ns, self.clock.sleep_s)
        self.engine.load(path, options or LoadOptions(), lambda _: None)

    def run(self, *requests: GenerateRequest, cancel_after: int | None = None) -> list[GenerationEvent]:
        """Step until nothing runs; cancel the first of `requests` before step `cancel_after`."""
        for request in requests:
            self.engine.submit(request)
        events: list[GenerationEvent] = []
        steps = 0
        while self.engine.busy():
            if steps == cancel_after:
                self.engine.cancel(requests[0].id)
            events += self.engine.step()
            steps += 1
        return events


def request(
    number: int = 1, *, at_ns: int = 0, max_tokens: int | None = None, stop: tuple[str, ...] = ()
) -> GenerateRequest:
    return GenerateRequest(id=number, prompt=TEN_WORDS, submitted_ns=at_ns, max_tokens=max_tokens, stop_strings=stop)


def final_stats(events: list[GenerationEvent]) -> GenerationStats:
    match events[-1]:
        case Finished(stats=stats):
            return stats
        case Cancelled(stats=GenerationStats() as stats):
            return stats
        case _:
            raise AssertionError(events[-1])


def shown_text(events: list[GenerationEvent]) -> str:
    return "".join(event.text for event in events if isinstance(event, TextDelta))


def script_of(*tokens: str, **settings: float) -> Script:
    base = Script(
        replies=(tokens,), load_s=0.5, tokenize_s=0.25, prefill_tokens_per_second=20, decode_tokens_per_second=8
    )
    return msgspec.structs.replace(base, **settings)


def test_the_figures_are_those_of_the_script(tmp_path: Path) -> None:
    bench = Bench(tmp_path, script_of("a", "b", "c", "d"))
    stats = final_stats(bench.run(request(at_ns=bench.clock.time_ns)))
    parts = stats.ttft_parts

    assert parts is not None
    assert (parts.queue_ms, parts.load_ms, parts.tokenize_ms, parts.cache_restore_ms) == (0, 0, 250, 0)
    assert (parts.prefill_ms, parts.first_decode_ms) == (500, 125)
    assert stats.ttft_ms == stats.token_times_ms[0] == 875
    assert stats.token_times_ms == (875, 1000, 1125, 1250)
    assert (stats.prefill_tokens_per_second, stats.decode_tokens_per_second) == (20, 8)
    assert (stats.prompt_tokens, stats.cached_tokens, stats.generated_tokens) == (10, 0, 4)
    assert stats.context_used_tokens == 14


def test_a_request_made_before_the_model_was_there_waits_for_loading(tmp_path: Path) -> None:
    bench = Bench(tmp_path, script_of("a"))
    bench.clock.sleep_s(0.1)
    parts = final_stats(bench.run(request(at_ns=100_000_000))).ttft_parts

    assert parts is not None
    assert (parts.load_ms, parts.queue_ms) == (400, 100)


@pytest.mark.parametrize(("tokens", "ttft_ms", "decode"), [((), None, None), (("a",), 875, None), (("a", "b"), 875, 8)])
def test_too_few_tokens_leave_figures_undefined(
    tmp_path: Path, tokens: tuple[str, ...], ttft_ms: float | None, decode: float | None
) -> None:
    bench = Bench(tmp_path, script_of(*tokens))
    stats = final_stats(bench.run(request(at_ns=bench.clock.time_ns)))

    assert (stats.ttft_ms, stats.decode_tokens_per_second, stats.generated_tokens) == (ttft_ms, decode, len(tokens))
    assert (stats.prefill_tokens_per_second, stats.token_times_ms) == (20, (875, 1000)[: len(tokens)])


def test_cached_tokens_are_not_counted_as_evaluated(tmp_path: Path) -> None:
    bench = Bench(tmp_path, script_of("a", remembers_prompt=True))
    bench.run(request(1))
    stats = final_stats(bench.run(request(2, at_ns=bench.clock.time_ns)))

    assert (stats.prompt_tokens, stats.cached_tokens) == (10, 9)
    assert stats.ttft_parts is not None
    assert stats.ttft_parts.prefill_ms == 50
    assert stats.prefill_tokens_per_second == 20


def test_a_cancelled_request_keeps_the_figures_it_has(tmp_path: Path) -> None:
    bench = Bench(tmp_path, script_of("a", "b", "c", "d"))
    events = bench.run(request(at_ns=bench.clock.time_ns), cancel_after=3)

    assert isinstance(events[-1], Cancelled)
    assert final_stats(events).token_times_ms == (875, 1000)
    assert final_stats(events).decode_tokens_per_second == 8


def test_a_request_cancelled_in_the_queue_has_no_figures(tmp_path: Path) -> None:
    bench = Bench(tmp_path, script_of("a", "b"))
    bench.engine.submit(request(1))
    bench.engine.submit(request(2))
    bench.engine.cancel(2)

    assert Cancelled(2, None) in bench.run()


def test_parallel_requests_take_turns_and_each_ends_once(tmp_path: Path) -> None:
    bench = Bench(tmp_path, script_of("a", "b"), LoadOptions(parallel_requests=2))
    events = bench.run(request(1), request(2), request(3))
    ends = [event.id for event in events if isinstance(event, Finished)]

    assert sorted(ends) == [1, 2, 3]
    assert ends[-1] == 3


def test_the_token_limit_and_the_context_end_a_reply(tmp_path: Path) -> None:
    limited = Bench(tmp_path, script_of(*"abcdef")).run(request(max_tokens=2))
    full = Bench(tmp_path, script_of(*"abcdef", context_tokens=13)).run(request())

    assert [event.stop_reason for event in (limited[-1], full[-1]) if isinstance(event, Finished)] == [
        StopReason.LENGTH,
        StopReason.CONTEXT_FULL,
    ]
    assert (shown_text(limited), shown_text(full)) == ("ab", "abc")


def test_a_stop_string_ends_the_reply_before_itself(tmp_path: Path) -> None:
    events = Bench(tmp_path, script_of("one", " st", "op", " two")).run(request(stop=(" stop",)))

    assert shown_text(events) == "one"
    assert final_stats(events).generated_tokens == 3
    assert isinstance(events[-1], Finished)
    assert events[-1].stop_reason is StopReason.STOP_STRING


def test_reasoning_is_counted_apart_and_in_the_speed(tmp_path: Path) -> None:
    events = Bench(tmp_path, script_of("<think>", "hm", "</think>", "yes", ".")).run(request())
    stats = final_stats(events)

    assert shown_text(events) == "hmyes."
    assert (stats.generated_tokens, stats.reasoning_tokens, stats.decode_tokens_per_second) == (5, 3, 8)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"max_tokens": 0}, "invalid-request"),
        ({"sampling": SamplingParams(temperature=float("nan"))}, "invalid-request"),
        ({"sampling": SamplingParams(top_p=0.0)}, "invalid-request"),
        ({"sampling": SamplingParams(seed=-1)}, "invalid-request"),
        ({"top_logprobs": 99}, "invalid-request"),
        ({"prompt": TextPrompt("")}, "invalid-request"),
        ({"prompt": TextPrompt("w " * 5000)}, "context-overflow"),
    ],
)
def test_a_bad_request_fails_and_the_next_one_is_answered(
    tmp_path: Path, changes: dict[str, object], code: str
) -> None:
    bench = Bench(tmp_path, script_of("a"))
    failed = bench.run(msgspec.structs.replace(request(), **changes))

    assert [event.error.code for event in failed if isinstance(event, Failed)] == [code]
    assert shown_text(bench.run(request())) == "a"


def test_a_script_that_is_missing_or_broken_says_so(tmp_path: Path) -> None:
    (tmp_path / "broken.json").write_text('{"replies": 3}', encoding="utf-8")

    with pytest.raises(ModelMissingError):
        read_script(tmp_path / "absent.json")
    with pytest.raises(ModelBrokenError):
        read_script(tmp_path / "broken.json")
