"""A hash beside the thread that feeds it is the same hash."""

from __future__ import annotations

import hashlib
import random

from hypothesis import given
from hypothesis import strategies as st

from runtime.download.running_hash import BUFFER_BYTES, MOST_BUFFERS, RunningHash

SIZES = st.lists(st.sampled_from([0, 1, 1000, BUFFER_BYTES - 1, BUFFER_BYTES, BUFFER_BYTES + 7]), max_size=8)


def feed(running: RunningHash, data: bytes) -> None:
    """Put `data` where there is space, as often as that takes."""
    while data:
        space = running.space()
        count = min(len(space), len(data))
        space[:count] = data[:count]
        running.take(count)
        data = data[count:]


@given(SIZES)
def test_in_whatever_pieces(sizes: list[int]) -> None:
    pieces = [bytes([index]) * size for index, size in enumerate(sizes)]
    running = RunningHash(hashlib.sha256())
    for piece in pieces:
        feed(running, piece)

    assert running.hexdigest() == hashlib.sha256(b"".join(pieces)).hexdigest()
    running.close()
    running.close()


def test_it_can_be_asked_in_between_and_fed_far_more_than_waits() -> None:
    generator = random.Random(3)
    running, plain = RunningHash(hashlib.sha256()), hashlib.sha256()
    for _ in range(3):
        data = generator.randbytes(2 * MOST_BUFFERS * BUFFER_BYTES + 5)
        feed(running, data)
        plain.update(data)
        assert running.hexdigest() == plain.hexdigest()
    running.close()


def test_closing_in_the_middle_ends_the_thread() -> None:
    running = RunningHash(hashlib.sha256())
    feed(running, bytes(MOST_BUFFERS * BUFFER_BYTES))

    running.close()
