"""Reasoning and answer come apart at the tags, however the text is cut into pieces."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from runtime.engine.reasoning import TAGS, ReasoningSplitter, TextSpan
from runtime.values.generation import TextKind

ANALYSIS, FINAL, END, START = "<|channel|>analysis<|message|>", "<|channel|>final<|message|>", "<|end|>", "<|start|>"
FRAGMENTS = ["<think>", "</think>", "<thinking>", "</thinking>", "[THINK]", "[/THINK]", ANALYSIS, FINAL, END]
FRAGMENTS += [f"{START}assistant", "<", "</", ">", "think", "a", " ", "\n", "🙂"]
REPLIES = st.lists(st.sampled_from(FRAGMENTS), max_size=12).map("".join)


def texts(spans: list[TextSpan]) -> tuple[str, str]:
    """Reasoning and answer."""
    reasoning = "".join(span.text for span in spans if span.kind is TextKind.REASONING)
    return reasoning, "".join(span.text for span in spans if span.kind is TextKind.ANSWER)


def split(*pieces: str, prompt: str = "") -> tuple[str, str]:
    splitter = ReasoningSplitter.after_prompt(prompt)
    return texts([span for piece in pieces for span in splitter.feed(piece)] + splitter.flush())


def batch(reply: str, prompt: str) -> tuple[str, str]:
    """The definition for paired tags, on the whole reply at once."""
    body = reply.lstrip()
    opener = next((opener for opener in TAGS if prompt.rstrip().endswith(opener)), None)
    if opener is None:
        opener = next((opener for opener in TAGS if body.startswith(opener)), None)
        if opener is None:
            return "", reply
        body = body.removeprefix(opener).lstrip()
    reasoning, _, answer = body.partition(TAGS[opener])
    return reasoning, answer.lstrip()


@given(REPLIES, st.lists(st.integers(0, 200)), st.sampled_from(["", "<think>\n", f"{START}assistant"]))
@example(" <think> a</think> b", [3, 9, 12, 16], "")
def test_every_chunking_gives_the_same(reply: str, cuts: list[int], prompt: str) -> None:
    borders = [0, *sorted(min(cut, len(reply)) for cut in cuts), len(reply)]
    pieces = [reply[begin:end] for begin, end in pairwise(borders)]
    assert split(*pieces, prompt=prompt) == split(reply, prompt=prompt)
    assert split(*reply, prompt=prompt) == split(reply, prompt=prompt)


@given(
    REPLIES.filter(lambda reply: "<|" not in reply),
    st.sampled_from(["", "Hi <think> you", "<think>\n", "… [THINK]", "<think>\n\n</think>\n\n"]),
)
@example("<think>\n", "<think>\n")
def test_equals_the_definition(reply: str, prompt: str) -> None:
    assert split(reply, prompt=prompt) == batch(reply, prompt)


@given(REPLIES)
def test_shows_at_once_what_cannot_be_a_tag(reply: str) -> None:
    splitter = ReasoningSplitter()
    for character in reply:
        splitter.feed(character)
    held = "".join(span.text for span in splitter.flush()).lstrip()
    markers = [*TAGS, *TAGS.values(), ANALYSIS, FINAL, END, f"{START}assistant{ANALYSIS}", f"{START}assistant{FINAL}"]
    assert any(marker.startswith(held) for marker in markers)


@pytest.mark.parametrize(("opener", "closer"), TAGS.items())
def test_knows_the_tag(opener: str, closer: str) -> None:
    reply = f"\n{opener}\nfirst this{closer}\n\nThe answer."
    assert split(*reply) == ("first this", "The answer.")
    assert split(*reply[len(opener) + 1 :], prompt=f"user: hi\nassistant: {opener}\n") == ("first this", "The answer.")


@pytest.mark.parametrize(
    "reply",
    [
        "Use <think>plan</think> tags.",
        "```\n<think>plan</think>\n```",
        "  \n no tag here",
        "</think> alone",
        "<thin",
        "<Think>x</Think>",
        "",
        "\n \n",
    ],
)
def test_text_that_opens_no_block_is_the_answer_untouched(reply: str) -> None:
    assert split(*reply) == ("", reply)


@pytest.mark.parametrize(
    ("prompt", "kind"),
    [
        ("<|im_start|>assistant\n<think>\n", TextKind.REASONING),
        ("assistant\n[THINK]", TextKind.REASONING),
        (f"{START}assistant{ANALYSIS}", TextKind.REASONING),
        ("assistant\n<think>\n\n</think>\n\n", TextKind.ANSWER),
        ("user: what does <think> mean?\nassistant:", TextKind.ANSWER),
        ("<think>", TextKind.REASONING),
        ("", TextKind.ANSWER),
    ],
)
def test_only_a_block_open_at_the_end_of_the_prompt_counts(prompt: str, kind: TextKind) -> None:
    assert ReasoningSplitter.after_prompt(prompt).kind is kind


def test_kind_follows_the_tags() -> None:
    splitter = ReasoningSplitter()
    kinds = []
    for piece in ["<thi", "nk>", "why", "</think", ">", "\n\n", "because"]:
        splitter.feed(piece)
        kinds.append(splitter.kind)
    reasoning, answer = TextKind.REASONING, TextKind.ANSWER
    assert kinds == [answer, reasoning, reasoning, reasoning, answer, answer, answer]


def test_an_unclosed_block_is_reasoning_to_its_end() -> None:
    assert split("<think>still </thin", "king") == ("still </thinking", "")
    assert split("<think>still </thin") == ("still </thin", "")


def test_a_second_block_is_text() -> None:
    assert split("<think>a</think> <think>b</think>") == ("a", "<think>b</think>")


@pytest.mark.parametrize("between", [f"{END}{START}assistant", END, ""])
def test_harmony_channels(between: str) -> None:
    reply = f"{ANALYSIS}think it over{between}{FINAL}Paris. {ANALYSIS} is a channel."
    assert split(*reply, prompt=f"{START}assistant") == ("think it over", f"Paris. {ANALYSIS} is a channel.")


def test_harmony_may_reason_twice_or_not_at_all() -> None:
    again = f"{ANALYSIS}one{END}{START}assistant{ANALYSIS}two{END}{START}assistant{FINAL}Done"
    assert split(*again) == ("onetwo", "Done")
    assert split(f"{FINAL}Done") == ("", "Done")
