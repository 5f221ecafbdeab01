"""A paragraph parsed as it grows reads as the paragraph parsed at once."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from desktop.chat.markdown.growing_text import SETTLE_CHARACTERS, GrowingText
from desktop.chat.markdown.inline import InlineParser
from desktop.chat.markdown.run import Run, merged

PARSER = InlineParser()
WORDS = [
    *("plain ", "words, ", "more of them ", "**bold** ", "*it* ", "snake_case ", "`code` ", "[link](https://e.org) "),
    *(
        "**open ",
        "close** ",
        "`tick ",
        "[open ",
        "](https://e.org) ",
        "$x$ ",
        "$5 ",
        "\n",
        "  \n",
        "\\( ",
        "\\) ",
        "_a ",
    ),
    *(
        "a* ",
        "~~ ",
        "<br ",
        "/> ",
        "https://e.org/a ",
        "& ",
        "! ",
        "x" * 40 + " ",
        "&amp; ",
        "__b__ ",
        "*",
        "_",
        "\\",
        " ",
    ),
]
sources = st.lists(st.sampled_from(WORDS), min_size=120, max_size=200).map("".join)


@given(sources, st.integers(50, 400))
def test_growing_equals_batch(source: str, step: int) -> None:
    growing = GrowingText(PARSER)
    for end in range(step, len(source), step):
        assert growing.runs(source[:end]) == PARSER.runs(source[:end])
    assert growing.runs(source) == PARSER.runs(source)


def test_a_long_paragraph_is_parsed_in_pieces() -> None:
    parsed: list[int] = []

    class Counting(InlineParser):
        def runs(self, source: str) -> tuple[Run, ...]:
            parsed.append(len(source))
            return super().runs(source)

    growing = GrowingText(Counting())
    source = "Some **bold** words, `code`. " * 400
    for end in range(0, len(source), 50):
        growing.runs(source[:end])
    assert max(parsed) <= 2 * SETTLE_CHARACTERS
    assert growing.runs(source) == tuple(merged(PARSER.runs(source)))


def test_a_text_that_changed_is_parsed_anew() -> None:
    growing = GrowingText(PARSER)
    growing.runs("word " * 300)
    assert growing.runs("*other*") == PARSER.runs("*other*")
