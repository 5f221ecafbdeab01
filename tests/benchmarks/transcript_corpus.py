"""Text for the transcript's benchmarks: answers of any length that are alike all over, long chats, and hostile shapes.

A token is four characters here: what English has on average with the tokenizers of today.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count, islice
from random import Random

from desktop.chat.transcript.message_view import REPLY_ACTIONS, USER_ACTIONS, MessageView
from runtime.values.chat import MessageId, MessageState
from runtime.values.prompt import Role

CHARACTERS_PER_TOKEN = 4
SECTION_TOKENS = 250
_WORDS = """model weights layer attention cache memory bandwidth token decode prefill quantization group scale bias
    matrix vector kernel latency throughput context window batch queue stream worker process signal slot event loop
    paint layout document text block cursor format the a of and to in is that it for on with as by this be are from at
    or which when while because each every small large fast slow better worse first second next before during"""
WORDS = _WORDS.split()
MARKS = ("**{}**", "*{}*", "`{}`", "[{}](https://example.org/)", "~~{}~~")


def sentence(draw: Random, words: int) -> str:
    """Return a sentence of made-up words, one in ten of them marked up."""
    chosen = draw.choices(WORDS, k=words)
    marked = [draw.choice(MARKS).format(word) if draw.random() < 0.1 else word for word in chosen]
    return " ".join(marked).capitalize() + "."


def code_line(draw: Random) -> str:
    """Return a line of Python."""
    one, other = draw.sample(WORDS[:20], 2)
    templates = (
        "def {}_{}(self, x: int = 4) -> str:",
        "    {} = {}[4:9] + 'text'  # why",
        "        return f'{{{}}} {}'",
    )
    return draw.choice(templates).format(one, other)


def table_row(draw: Random) -> str:
    """Return a row of four columns."""
    return (
        f"| Q{draw.randint(2, 8)}_K | **{draw.random() * 9:.2f}** | {draw.randint(50, 900)} ms | {draw.choice(WORDS)} |"
    )


def section(draw: Random) -> str:
    """Return about `SECTION_TOKENS` tokens with every kind of block in them."""
    parts = [
        f"## {draw.choice(WORDS).capitalize()} and {draw.choice(WORDS)}",
        " ".join(sentence(draw, 14) for _ in range(2)),
        "\n".join(f"- {sentence(draw, 5)}\n  - {sentence(draw, 4)}" for _ in range(2)),
        "```python\n" + "\n".join(code_line(draw) for _ in range(6)) + "\n```",
        "| Name | Size | TTFT | Why |\n|---|---:|---:|---|\n" + "\n".join(table_row(draw) for _ in range(3)),
        r"$$ \sum_{i=0}^{n} x_i^2 = \frac{a}{b} $$",
        sentence(draw, 18),
    ]
    return "\n\n".join(parts) + "\n\n"


def answer(tokens: int, seed: int = 1) -> str:
    """Return an answer of `tokens` tokens, one section like the other."""
    draw = Random(seed)
    text = "".join(section(draw) for _ in range(tokens // SECTION_TOKENS + 2))
    return text[: tokens * CHARACTERS_PER_TOKEN]


def chat(messages: int, *, first_id: int = 1, seed: int = 1) -> list[MessageView]:
    """Return questions and answers by turns."""
    draw = Random(seed)
    return list(islice(_messages(draw, first_id), messages))


def _messages(draw: Random, first_id: int) -> Iterator[MessageView]:
    for number in count(first_id, 2):
        yield MessageView(id=MessageId(number), role=Role.USER, text=sentence(draw, 12), actions=USER_ACTIONS)
        text = answer(draw.choice((60, 120, 250, 400)), seed=number)
        yield MessageView(
            id=MessageId(number + 1),
            role=Role.ASSISTANT,
            text=text,
            figures="182 ms · 39.2 tok/s · 250 tokens",
            actions=REPLY_ACTIONS,
        )


def streaming_message(number: int) -> MessageView:
    """Return a reply that is about to stream."""
    return MessageView(id=MessageId(number), role=Role.ASSISTANT, text="", state=MessageState.STREAMING)


def table(rows: int) -> str:
    """Return a table."""
    draw = Random(1)
    return "| Name | Size | TTFT | Why |\n|---|---:|---:|---|\n" + "".join(table_row(draw) + "\n" for _ in range(rows))


def code(lines: int) -> str:
    """Return a code block that is not closed."""
    draw = Random(1)
    return "```python\n" + "".join(code_line(draw) + "\n" for _ in range(lines))


def long_line(characters: int) -> str:
    """Return a paragraph without a line break."""
    draw = Random(1)
    return " ".join(sentence(draw, 14) for _ in range(characters // 60))[:characters]


def long_word(characters: int) -> str:
    """Return one word: base64, say."""
    draw = Random(1)
    return "".join(draw.choices("abcdefghijklmnopqrstuvwxyzABCDEFGHIJ0123456789+/", k=characters))


def nested_list(items: int, depth: int) -> str:
    """Return a list that goes down to `depth` and up again, over and over."""
    draw = Random(1)
    levels = [*range(depth), *range(depth - 2, 0, -1)]
    return "".join("  " * levels[number % len(levels)] + f"- {sentence(draw, 8)}\n" for number in range(items))
