"""What the details under a reply say."""

from __future__ import annotations

import msgspec
import pytest

from desktop.chat.message_words import wait_lines
from runtime.values.generation import TtftParts
from tests.runtime.store.chat_examples import STATS

QUICK = TtftParts(queue_ms=1, load_ms=0, tokenize_ms=1, cache_restore_ms=1, prefill_ms=1, first_decode_ms=1)


@pytest.mark.parametrize(
    ("part", "said"),
    [
        ("queue_ms", "waiting for other work, 2.50 s"),
        ("load_ms", "loading the model, 2.50 s"),
        ("cache_restore_ms", "fetching what is cached, 2.50 s"),
        ("prefill_ms", "reading 3,900 tokens that were not cached, 2.50 s"),
        ("first_decode_ms", "the first token itself, 2.50 s"),
    ],
)
def test_says_what_took_most_of_the_wait(part: str, said: str) -> None:
    parts = msgspec.structs.replace(QUICK, **{part: 2500})
    stats = msgspec.structs.replace(STATS, prompt_tokens=4000, cached_tokens=100, ttft_parts=parts)
    assert wait_lines(stats) == [f"Most of the wait: {said}"]


def test_says_nothing_of_a_wait_that_had_no_end() -> None:
    assert wait_lines(msgspec.structs.replace(STATS, ttft_parts=None)) == []
