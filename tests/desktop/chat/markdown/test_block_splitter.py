"""Splitting does not depend on how the text arrives, and agrees with a batch parser on where blocks are."""

from __future__ import annotations

import re
from itertools import pairwise

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from desktop.chat.markdown.block import Block, BlockKind, ListItem
from desktop.chat.markdown.block_splitter import BlockSplitter, split_blocks
from desktop.chat.markdown.line_parser import MAX_DEPTH

Shape = tuple[str, tuple[str, ...], str]
"""A block's kind, the containers around it, and its text without white space."""

REFERENCE = MarkdownIt("commonmark", {"html": False}).enable("table").disable("reference")
LEAVES = {"paragraph_open": "paragraph", "heading_open": "heading"}
LINES = [
    "",
    "  ",
    "plain words",
    "two  spaces  ",
    "# Heading #",
    "#hashtag",
    "====",
    "---",
    "***",
    "- item",
    "  - nested item",
    "    - deep",
    "-",
    "+ plus",
    "* star",
    "1. one",
    "2. two",
    "   1) paren",
    "7) seven",
    "- - twice",
    "- # heading in item",
    "> quote",
    "> > twice quoted",
    "> - item in quote",
    ">",
    "- > quote in item",
    "```",
    "```python",
    "~~~",
    "  ```",
    "- ```",
    "````",
    "    indented",
    "\tafter a tab",
    "-\titem after a tab",
    "  continued",
    "   deeper",
    "| a | b |",
    "|---|:-:|",
    "| 1 | `2\\|3` |",
    "a | b",
    "--- | ---",
    "> | a |",
    "> |---|",
    "<b>html</b>",
    "[ref]: https://example.org",
]
# Where markdown-it reads what the specifications do not: a table of which only the header is quoted, and a line that
# lazily continues a paragraph in two quotes as code.
UNLIKE_SPEC = re.compile(r"^>.*\n(?:\|---\||--- \|)|> >.*\n(?:.+\n)*(?: {4}|\t)", re.MULTILINE)
documents = st.lists(st.sampled_from(LINES), max_size=14).map("\n".join)


def shape(block: Block) -> Shape:
    """Return what of a block a batch parser knows, too."""
    containers = tuple("item" if isinstance(c, ListItem) else "quote" for c in block.containers)
    return block.kind.value, containers, "".join(block.text.split())


def reference_shapes(text: str) -> list[Shape]:
    """Return the shapes of markdown-it's blocks, its tree made flat."""
    tokens = REFERENCE.parse(text)
    lines = text.split("\n")
    containers: list[str] = []
    shapes: list[Shape] = []
    for token, following in pairwise([*tokens, Token("end", "", 0)]):
        inside = tuple(containers)
        match token.type:
            case "list_item_open" | "blockquote_open":
                containers.append("item" if token.type == "list_item_open" else "quote")
                if following.type in {"list_item_close", "blockquote_close"}:
                    shapes.append(("paragraph", tuple(containers), ""))
            case "list_item_close" | "blockquote_close":
                containers.pop()
            case "fence" | "code_block":
                shapes.append(("code", inside, "".join(token.content.split())))
            case "hr":
                shapes.append(("rule", inside, ""))
            case "paragraph_open" | "heading_open":
                shapes.append((LEAVES[token.type], inside, "".join(following.content.split())))
            case "table_open":
                assert token.map is not None
                rows = "".join(line.lstrip("> ") for line in lines[token.map[0] : token.map[1]])
                shapes.append(("table", inside, "".join(rows.split())))
    return shapes


def fed_in_pieces(text: str, cuts: list[int]) -> list[Block]:
    """Return the blocks of a text that comes in pieces, with a look at the tail after each."""
    splitter = BlockSplitter()
    blocks: list[Block] = []
    for start, end in pairwise([0, *sorted(cut % (len(text) + 1) for cut in cuts), len(text)]):
        blocks += splitter.feed(text[start:end])
        splitter.tail()
    return blocks + splitter.finish()


@given(documents, st.lists(st.integers(0, 1000), max_size=20))
def test_pieces_give_the_same_blocks_as_the_whole(text: str, cuts: list[int]) -> None:
    assert fed_in_pieces(text, cuts) == split_blocks(text)


@given(documents)
def test_blocks_are_those_of_a_batch_parser(text: str) -> None:
    assume(not UNLIKE_SPEC.search(text))
    assert [shape(block) for block in split_blocks(text)] == reference_shapes(text)


@given(documents)
def test_tail_completes_what_is_finished(text: str) -> None:
    assume(not text.rpartition("\n")[2].lstrip("> ").startswith("|"))  # may still become a table's header
    splitter = BlockSplitter()
    assert splitter.feed(text + "\n") + splitter.tail() == split_blocks(text + "\n")


@given(documents)
def test_spans_lead_back_to_the_source(text: str) -> None:
    blocks = split_blocks(text)
    assert all(text[block.start : block.end].count("\n") >= block.text.count("\n") for block in blocks)
    assert all(first.end <= second.start for first, second in pairwise(blocks))


def test_containers_of_a_nested_list() -> None:
    blocks = split_blocks("3. one\n   - [x] done\n   - [ ] open\n\n     more\n9. two\n-\n")
    numbers = [[c.number for c in block.containers if isinstance(c, ListItem)] for block in blocks]
    assert numbers == [[3], [3, None], [3, None], [3, None], [4], [None]]
    assert [block.begins for block in blocks] == [1, 1, 1, 0, 1, 1]
    assert [block.checked for block in blocks] == [None, True, False, None, None, None]
    assert [block.text for block in blocks] == ["one", "done", "open", "more", "two", ""]
    assert [block.after_blank_line for block in blocks] == [False, False, False, True, False, False]


def test_code_keeps_its_white_space_and_language() -> None:
    (block,) = split_blocks("1. \n   ```python title=x\n   if a:\n   \tb\n\n   ```")[0:1]
    assert (block.kind, block.language, block.text) == (BlockKind.CODE, "python", "if a:\n\tb\n")


@pytest.mark.parametrize(
    ("text", "kind", "shown"),
    [
        ("$$\nx^2\n$$", BlockKind.MATH, "x^2"),
        ("\\[ x \\]", BlockKind.MATH, "x"),
        ("so:\n\\begin{align}\na\n\\end{align}", BlockKind.MATH, "\\begin{align}\na\n\\end{align}"),
        ("$$ is money\n\nafter", BlockKind.PARAGRAPH, "$$ is money"),
        ("$$x$$ goes on", BlockKind.PARAGRAPH, "$$x$$ goes on"),
    ],
)
def test_display_math(text: str, kind: BlockKind, shown: str) -> None:
    assert (kind, shown) in [(block.kind, block.text) for block in split_blocks(text)]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("above\n-", ["above"]),  # an underlined heading, a list item, a rule?
        ("above\n1", ["above"]),
        ("- one\n- ", ["one"]),
        ("```py", []),
        ("```python\ncode\n``", ["code"]),
        ("| a | b", []),
        ("above\n| a | b |\n", ["above"]),
        ("| a |\n|---|\n| 1", ["| a |\n|---|"]),
        ("$$\nx", ["x"]),
        ("above\n# be", ["above", "be"]),
    ],
)
def test_tail_shows_nothing_that_may_turn_into_something_else(text: str, shown: list[str]) -> None:
    splitter = BlockSplitter()
    finished = splitter.feed(text)
    assert [block.text for block in finished + splitter.tail()] == shown


def test_hostile_depth_is_bounded() -> None:
    (block,) = split_blocks("> " * 5000 + "deep")
    assert len(block.containers) == MAX_DEPTH
    assert block.text.endswith("> deep")
