"""What a benchmark can time, under the names llama-bench gives: `pp512`, `tg128`, `pp512@d4096`, `pp512+tg128@c4`.

pp512           reading a prompt of 512 tokens, nothing cached
pp512@d4096     reading 512 more after the 4,096 that are in the KV cache already
tg128           writing 128 tokens after a prompt of one token
tg128@d4096     writing 128 tokens after a prompt of 4,096
pp512+tg128@c4  four requests at once, each with a prompt of 512 tokens and a reply of 128
chat128@warm    128 tokens in answer to a chat, as a person gets them; `cold` loads the model first, `cached` has
the conversation so far in the KV cache
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import assert_never

import msgspec

from runtime.values.errors import InvalidRequestError

MOST_TOKENS = 10_000_000
MOST_CONCURRENCY = 64
CHAT_PROMPT_ROOM_TOKENS = 768
"""What the chats of `runtime.bench.prompts` take at most, chat template included, with a tokenizer of few words."""
DECODE_WEIGHT = 10
"""How many prompt tokens are read in the time of writing one, for guessing how long a workload takes."""


class CacheState(StrEnum):
    """What is there before a chat request: nothing, the loaded model, or the conversation in the KV cache, too."""

    COLD = "cold"
    WARM = "warm"
    CACHED = "cached"


class Prefill(msgspec.Struct, frozen=True, tag="prefill"):
    """Reading `prompt_tokens` after `depth_tokens` that are cached."""

    prompt_tokens: int
    depth_tokens: int = 0


class Decode(msgspec.Struct, frozen=True, tag="decode"):
    """Writing `generate_tokens` one by one after `depth_tokens`."""

    generate_tokens: int
    depth_tokens: int = 0


class Serving(msgspec.Struct, frozen=True, tag="serving"):
    """`concurrency` requests at once, each reading `prompt_tokens` and writing `generate_tokens`."""

    prompt_tokens: int
    generate_tokens: int
    concurrency: int


class ChatReply(msgspec.Struct, frozen=True, tag="chat"):
    """Writing `generate_tokens` in answer to a chat: template, tokenizer, sampling and delivery included."""

    generate_tokens: int
    cache: CacheState


Workload = Prefill | Decode | Serving | ChatReply

_DEPTH = r"(?:@d(?P<depth>[0-9]+))?"
_FORMS = (
    re.compile(rf"pp(?P<prompt>[0-9]+){_DEPTH}"),
    re.compile(rf"tg(?P<generate>[0-9]+){_DEPTH}"),
    re.compile(r"pp(?P<prompt>[0-9]+)\+tg(?P<generate>[0-9]+)@c(?P<concurrency>[0-9]+)"),
    re.compile(r"chat(?P<generate>[0-9]+)@(?P<cache>cold|warm|cached)"),
)


def name_of(workload: Workload) -> str:
    """Return the name of a workload; `parse_workload` turns it back."""
    match workload:
        case Prefill(prompt, depth):
            return f"pp{prompt}" + (f"@d{depth}" if depth else "")
        case Decode(generate, depth):
            return f"tg{generate}" + (f"@d{depth}" if depth else "")
        case Serving(prompt, generate, concurrency):
            return f"pp{prompt}+tg{generate}@c{concurrency}"
        case ChatReply(generate, cache):
            return f"chat{generate}@{cache}"
        case _:
            assert_never(workload)


def parse_workload(name: str) -> Workload:
    """Return the workload of that name; spaces and capitals do not matter.

    Raises:
        InvalidRequestError: there is none, or a number in it is out of range.
    """
    plain = "".join(name.split()).lower()
    found = next((match for form in _FORMS if (match := form.fullmatch(plain))), None)
    if found is None:
        raise InvalidRequestError(
            f'There is no test called "{name[:60]}".',
            "Name tests like pp512, tg128, pp512@d4096, pp512+tg128@c4 or chat128@warm.",
        )
    parts = found.groupdict()
    numbers = {key: _number(value, name) for key, value in parts.items() if value is not None and value.isdecimal()}
    return checked_workload(_built(numbers, parts.get("cache")))


def checked_workload(workload: Workload) -> Workload:
    """Return `workload` unchanged.

    Raises:
        InvalidRequestError: a number in it is out of range; the text names it.
    """
    ranges = {
        "prompt_tokens": (1, MOST_TOKENS),
        "generate_tokens": (1, MOST_TOKENS),
        "depth_tokens": (0, MOST_TOKENS),
        "concurrency": (1, MOST_CONCURRENCY),
    }
    for field in workload.__struct_fields__:
        value = getattr(workload, field)
        if field in ranges and not ranges[field][0] <= value <= ranges[field][1]:
            least, most = ranges[field]
            raise InvalidRequestError(
                f"The test {name_of(workload)} cannot run: {field} is {value}.",
                f"Choose a whole number from {least} to {most:,}.",
            )
    return workload


def context_need_tokens(workload: Workload) -> int:
    """Return the context that one request of the workload takes; writing n tokens after a first one needs n + 1."""
    match workload:
        case Prefill(prompt, depth):
            return depth + prompt + 1
        case Decode(generate, depth):
            return max(depth, 1) + generate + 1
        case Serving(prompt, generate, _):
            return prompt + generate + 1
        case ChatReply(generate, _):
            return CHAT_PROMPT_ROOM_TOKENS + generate + 1
        case _:
            assert_never(workload)


def depth_of(workload: Workload) -> int:
    """Return how many tokens are in the KV cache before the timing begins."""
    return workload.depth_tokens if isinstance(workload, Prefill | Decode) else 0


def weight_of(workload: Workload) -> int:
    """Return roughly how long one repetition takes, preparation included, in units of a prompt token."""
    match workload:
        case Prefill(prompt, depth):
            return depth + prompt
        case Decode(generate, depth):
            return depth + DECODE_WEIGHT * generate
        case Serving(prompt, generate, concurrency):
            return concurrency * (prompt + DECODE_WEIGHT * generate)
        case ChatReply(generate, _):
            return CHAT_PROMPT_ROOM_TOKENS // 2 + DECODE_WEIGHT * generate
        case _:
            assert_never(workload)


def _number(digits: str, name: str) -> int:
    if len(digits) > len(str(MOST_TOKENS)):
        raise InvalidRequestError(
            f'A number in the test "{name[:60]}" is too large.', f"Choose whole numbers up to {MOST_TOKENS:,}."
        )
    return int(digits)


def _built(numbers: dict[str, int], cache: str | None) -> Workload:
    depth = numbers.get("depth", 0)
    if cache is not None:
        return ChatReply(numbers["generate"], CacheState(cache))
    if "concurrency" in numbers:
        return Serving(numbers["prompt"], numbers["generate"], numbers["concurrency"])
    return Prefill(numbers["prompt"], depth) if "prompt" in numbers else Decode(numbers["generate"], depth)
