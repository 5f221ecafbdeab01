"""Neighbouring text joined into one event."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from runtime.values.generation import GenerationEvent, PromptProgress, TextDelta, TextKind, merged

events = st.lists(
    st.one_of(
        st.builds(
            TextDelta,
            st.integers(1, 2),
            st.text(max_size=3),
            st.sampled_from(TextKind),
            st.lists(st.integers(0, 9), max_size=2).map(tuple),
        ),
        st.builds(PromptProgress, st.integers(1, 2), st.just(1), st.just(2), st.just(0)),
    ),
    max_size=30,
)


def by_stream(given_events: list[GenerationEvent]) -> dict[tuple[int, TextKind], tuple[str, tuple[int, ...]]]:
    streams: dict[tuple[int, TextKind], tuple[str, tuple[int, ...]]] = {}
    for event in given_events:
        if isinstance(event, TextDelta):
            text, times = streams.get((event.id, event.kind), ("", ()))
            streams[event.id, event.kind] = (text + event.text, times + event.token_times_ns)
    return streams


@given(events)
def test_merging_loses_no_text_no_time_and_no_order(given_events: list[GenerationEvent]) -> None:
    result = merged(given_events)

    assert by_stream(result) == by_stream(given_events)
    assert [e for e in result if isinstance(e, PromptProgress)] == [
        e for e in given_events if isinstance(e, PromptProgress)
    ]
    assert not any(
        isinstance(a, TextDelta) and isinstance(b, TextDelta) and (a.id, a.kind) == (b.id, b.kind)
        for a, b in pairwise(result)
    )
