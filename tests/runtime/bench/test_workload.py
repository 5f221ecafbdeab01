"""Names of workloads: as llama-bench writes them, there and back; and what cannot be run is refused by name."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.bench.workload import (
    CacheState,
    ChatReply,
    Decode,
    Prefill,
    Serving,
    Workload,
    context_need_tokens,
    name_of,
    parse_workload,
    weight_of,
)
from runtime.values.errors import InvalidRequestError

tokens = st.integers(1, 10_000_000)
depths = st.integers(0, 10_000_000)
workloads: st.SearchStrategy[Workload] = st.one_of(
    st.builds(Prefill, tokens, depths),
    st.builds(Decode, tokens, depths),
    st.builds(Serving, tokens, tokens, st.integers(1, 64)),
    st.builds(ChatReply, tokens, st.sampled_from(CacheState)),
)


@pytest.mark.parametrize(
    ("name", "workload"),
    [
        ("pp512", Prefill(512)),
        ("tg128", Decode(128)),
        ("pp512@d4096", Prefill(512, 4096)),
        ("tg128@d16384", Decode(128, 16384)),
        ("pp512+tg128@c4", Serving(512, 128, 4)),
        ("chat128@cold", ChatReply(128, CacheState.COLD)),
        ("chat32@cached", ChatReply(32, CacheState.CACHED)),
    ],
)
def test_a_workload_has_the_name_llama_bench_gives_it(name: str, workload: Workload) -> None:
    assert name_of(workload) == name
    assert parse_workload(name) == workload


@given(workloads)
def test_a_name_leads_back_to_its_workload(workload: Workload) -> None:
    assert parse_workload(name_of(workload)) == workload


def test_names_may_be_written_as_llama_bench_prints_them() -> None:
    assert parse_workload("PP512 @ d4096") == Prefill(512, 4096)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "512",
        "pp",
        "pp-1",
        "pp512@",
        "pp512@c4",
        "tg128@c4",
        "chat128",
        "chat128@hot",
        "pp512+tg128",
        "pp1.5",
        "pp٥",
    ],
)
def test_a_name_that_means_nothing_is_refused_with_an_example(name: str) -> None:
    with pytest.raises(InvalidRequestError, match="no test") as refused:
        parse_workload(name)
    assert "pp512@d4096" in refused.value.next_step


@pytest.mark.parametrize("name", ["pp0", "tg0", "pp8+tg8@c0", "pp8+tg8@c65", "pp10000001", "tg5@d99999999"])
def test_a_number_out_of_range_is_refused(name: str) -> None:
    with pytest.raises(InvalidRequestError, match="cannot run"):
        parse_workload(name)


def test_a_number_without_end_is_refused_before_it_is_read() -> None:
    with pytest.raises(InvalidRequestError, match="too large"):
        parse_workload("pp" + "9" * 10_000)


@given(workloads)
def test_more_work_takes_more_room_and_more_time(workload: Workload) -> None:
    longer: Workload
    match workload:
        case Prefill(prompt, depth):
            longer = Prefill(prompt + 1, depth)
        case Decode(generate, depth):
            longer = Decode(generate + 1, depth)
        case Serving(prompt, generate, concurrency):
            longer = Serving(prompt, generate + 1, concurrency)
        case ChatReply(generate, cache):
            longer = ChatReply(generate + 1, cache)
    assert context_need_tokens(longer) == context_need_tokens(workload) + 1
    assert weight_of(longer) > weight_of(workload) > 0


def test_writing_needs_room_for_the_token_before_the_first_interval() -> None:
    assert context_need_tokens(Decode(128)) == 130
    assert context_need_tokens(Decode(128, 4096)) == 4096 + 129
    assert context_need_tokens(Prefill(512, 4096)) == 4096 + 513
