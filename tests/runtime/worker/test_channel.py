"""Framing: however the bytes are cut, the same lines come out."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from runtime.worker.channel import LineBuffer


@given(st.lists(st.binary().map(lambda line: line.replace(b"\n", b"")), max_size=20), st.lists(st.integers(1, 20)))
def test_lines_survive_any_cutting(lines: list[bytes], cuts: list[int]) -> None:
    stream = b"".join(line + b"\n" for line in lines)
    buffer = LineBuffer()
    received: list[bytes] = []
    for size in cuts:
        received += buffer.feed(stream[:size])
        stream = stream[size:]
    received += buffer.feed(stream)

    assert received == lines


def test_an_unfinished_line_is_held_back() -> None:
    buffer = LineBuffer()

    assert buffer.feed(b"ab") == []
    assert buffer.feed(b"c\nd") == [b"abc"]
