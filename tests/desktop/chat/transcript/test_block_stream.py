"""Rows of streamed text are those of the whole text, however it was cut."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from desktop.chat.markdown.block_splitter import split_blocks
from desktop.chat.transcript.block_stream import BlockStream
from desktop.chat.transcript.message_body import BodyMaker
from desktop.chat.transcript.row import Row, TextRow
from tests.desktop.chat.transcript.messages import EVERYTHING

WIDTH = 620.0

pieces = st.sampled_from(
    [
        *(
            "- item\n",
            "  - nested\n",
            "\n",
            "text **bold** ",
            "line\n",
            "```python\n",
            "x = 1  # one\n",
            "```\n",
            "*it* ",
        ),
        *("| a | b |\n", "|---|---|\n", "| 1 | `2` |\n", "> quote\n", "# Head\n", "$$\n", "x^2\n", "---\n", "1. one\n"),
    ]
)
documents = st.lists(pieces, max_size=30).map("".join)
cuts = st.lists(st.integers(0, 5000), max_size=25)

RowShape = tuple[type[Row], str, float, float]


def shapes(rows: list[Row]) -> list[RowShape]:
    """Return what of rows can be compared, laid out."""
    for row in rows:
        row.measure(WIDTH)
    for row in rows:  # columns of a table are as wide as all of its rows say
        row.measure(WIDTH)
    return [
        (type(row), row.plain_text() if isinstance(row, TextRow) else "", row.height, row.gap_above) for row in rows
    ]


def streamed(maker: BodyMaker, text: str, at: list[int], *, laid_out: bool = True) -> BlockStream:
    """Return the stream after a text that came in pieces, each of them shown."""
    stream = BlockStream(maker.answer_rows)
    for start, end in pairwise([0, *sorted(cut % (len(text) + 1) for cut in at), len(text)]):
        stream.feed(text[start:end])
        for row in stream.rows if laid_out else ():
            row.measure(WIDTH)
    stream.finish()
    return stream


def batch(maker: BodyMaker, text: str) -> BlockStream:
    """Return the stream of a whole text."""
    stream = BlockStream(maker.answer_rows)
    stream.show(split_blocks(text))
    return stream


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(text=documents, at=cuts)
def test_streamed_rows_are_those_of_the_whole(maker: BodyMaker, text: str, at: list[int]) -> None:
    assert shapes(streamed(maker, text, at).rows) == shapes(batch(maker, text).rows)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=20)
@given(at=cuts)
def test_a_whole_page_streamed_in_pieces(maker: BodyMaker, at: list[int]) -> None:
    assert shapes(streamed(maker, EVERYTHING, at).rows) == shapes(batch(maker, EVERYTHING).rows)


@pytest.mark.parametrize("step", [1, 7, 40])
def test_changed_rows_are_reported(maker: BodyMaker, step: int) -> None:
    """Rows before the reported one are the same objects with the same text and height as before."""
    stream = BlockStream(maker.answer_rows)
    before: list[tuple[Row, str, float]] = []
    for start in range(0, len(EVERYTHING), step):
        first = stream.feed(EVERYTHING[start : start + step])
        shown = [(row, *shape[1:3]) for row, shape in zip(stream.rows, shapes(stream.rows), strict=True)]
        assert shown[:first] == before[:first]
        before = shown


def test_finished_rows_stay_the_same_objects(maker: BodyMaker) -> None:
    stream = BlockStream(maker.answer_rows)
    stream.feed("First paragraph.\n\n")
    first = stream.rows[0]
    stream.feed("Second.\n\n```\n" + "code\n" * 200)
    code = stream.rows[2:6]
    stream.feed("more code\n" * 50)
    assert stream.rows[0] is first
    assert stream.rows[2:6] == code
