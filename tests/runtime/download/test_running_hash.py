"""A hash beside the thread that feeds it is the same hash."""

from __future__ import annotations

import hashlib

from hypothesis import given
from hypothesis import strategies as st

from runtime.download.running_hash import BATCH_BYTES, MOST_BATCHES, RunningHash

SIZES = st.lists(st.sampled_from([0, 1, 1000, BATCH_BYTES - 1, BATCH_BYTES, BATCH_BYTES + 7]), max_size=8)


@given(SIZES)
def test_in_whatever_pieces(sizes: list[int]) -> None:
    pieces = [bytes([index]) * size for index, size in enumerate(sizes)]
    running = RunningHash(hashlib.sha256())
    for piece in pieces:
        running.update(piece)

    assert running.hexdigest() == hashlib.sha256(b"".join(pieces)).hexdigest()
    running.close()
    running.close()


def test_it_can_be_asked_in_between_and_fed_far_more_than_waits() -> None:
    piece = bytes(range(256)) * (BATCH_BYTES // 256)
    running, plain = RunningHash(hashlib.sha256()), hashlib.sha256()
    for _ in range(3 * MOST_BATCHES):
        running.update(piece)
        plain.update(piece)
    assert running.hexdigest() == plain.hexdigest()
    running.update(b"more")
    plain.update(b"more")
    assert running.hexdigest() == plain.hexdigest()
    running.close()


def test_closing_in_the_middle_ends_the_thread() -> None:
    running = RunningHash(hashlib.sha256())
    for _ in range(MOST_BATCHES):
        running.update(bytes(BATCH_BYTES))

    running.close()
