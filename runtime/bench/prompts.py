"""What models are asked in a benchmark: random token ids for engines, a conversation of our own for chats.

Random ids need no tokenizer, and no cache can know them; llama-bench does the same. Every draw has a seed made of the
run's seed and of what it is for, so that a run can be repeated and no two repetitions share a prompt.
"""

from __future__ import annotations

import random

from runtime.bench.workload import CacheState
from runtime.values.prompt import ChatPrompt, Message, Role, TokenPrompt

SYSTEM = "You are a careful assistant. Answer in plain words, and say so when you are not sure."
FIRST_QUESTION = (
    "I am new to running language models on my own computer. Please explain what happens between the moment I press"
    " Enter and the moment the first word appears, and why the words that follow come at an even pace."
)
FIRST_ANSWER = (
    "First your text is cut into tokens, and the chat template puts marks around it. Then the model reads the whole"
    " prompt in one go, which is called prefill: it is bound by how fast the chip can multiply. What it computes for"
    " each token is kept in the KV cache. Then it writes one token after another, which is called decode. For each"
    " token it reads all its weights once, so the pace is set by the speed of the memory, and is even."
)
SECOND_QUESTION = "And what changes when the conversation grows long? Give me two effects that I would notice."
PREPARING_QUESTION = "Thank you. One more thing that I would like to know is how long the context can be."


def random_ids(seed: int, purpose: str, count: int, vocabulary_size: int) -> tuple[int, ...]:
    """Return `count` token ids below `vocabulary_size`; the same for the same seed and purpose.

    Of one purpose, fewer ids are the beginning of more.
    """
    draw = random.Random(f"{seed}/{purpose}")  # noqa: S311 - prompts, not secrets
    return tuple(draw.randrange(vocabulary_size) for _ in range(count))


def random_prompt(seed: int, purpose: str, count: int, vocabulary_size: int) -> TokenPrompt:
    """Return a prompt of random ids; see `random_ids`."""
    return TokenPrompt(random_ids(seed, purpose, count, vocabulary_size))


def chat_prompt(state: CacheState) -> ChatPrompt:
    """Return the chat that is timed: a first question, or with a cached conversation a second one."""
    opening = (Message(Role.SYSTEM, SYSTEM), Message(Role.USER, FIRST_QUESTION))
    if state is not CacheState.CACHED:
        return ChatPrompt(opening)
    return ChatPrompt((*opening, Message(Role.ASSISTANT, FIRST_ANSWER), Message(Role.USER, SECOND_QUESTION)))


def preparing_prompt() -> ChatPrompt:
    """Return a chat that leaves all but the last question of `chat_prompt(CACHED)` in the KV cache."""
    *before, _ = chat_prompt(CacheState.CACHED).messages
    return ChatPrompt((*before, Message(Role.USER, PREPARING_QUESTION)))
