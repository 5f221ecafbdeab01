"""A conversation longer than the context, on both engines: it goes on, and says what a fresh run of its prompt says."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from time import perf_counter_ns

import msgspec
import pytest

from runtime.client.base import EngineClient
from runtime.client.context_window import ContextWindow, SentPrompt, room_for_prompt
from runtime.values.generation import Finished, GenerateRequest, GenerationStats, StopReason, TextDelta
from runtime.values.model import EngineName
from runtime.values.prompt import ChatPrompt, Message, Role
from runtime.values.sampling import GREEDY
from tests.runtime.client.plain_demo import write_plain_demo
from tests.runtime.client.real_models import ENGINES, model_at
from tests.runtime.client.scripted_worker import worker

LIMIT_TOKENS = 256
SYSTEM = Message(Role.SYSTEM, "Answer in one sentence.")
QUESTIONS = (
    "What is the time to first token?",
    "What is prefill?",
    "How much memory does the KV cache take?",
    "Why is decode bound by memory bandwidth?",
    "What is quantization?",
    "What is a token?",
    "What does the chat template do?",
    "Why does the context have a limit?",
    "What is a KV cache?",
    "What is sampling?",
)


class Answer(msgspec.Struct, frozen=True):
    """A reply that has ended."""

    text: str
    stop_reason: StopReason
    stats: GenerationStats


@pytest.fixture(scope="module")
def plain_demo(tmp_path_factory: pytest.TempPathFactory) -> dict[EngineName, Path]:
    return write_plain_demo(tmp_path_factory.mktemp("demo-f32"))


@pytest.fixture(params=ENGINES)
async def client(request: pytest.FixtureRequest, plain_demo: dict[EngineName, Path]) -> AsyncIterator[EngineClient]:
    """Return a real worker with the demo model in a context that a few exchanges fill."""
    engine: EngineName = request.param
    async with worker() as started:
        await started.load(model_at(plain_demo[engine], engine, context_tokens=LIMIT_TOKENS))
        yield started


async def answered(client: EngineClient, prompt: ChatPrompt, **changes: object) -> Answer:
    """Return the greedy reply to `prompt`."""
    usual = GenerateRequest(id=0, prompt=prompt, submitted_ns=perf_counter_ns(), max_tokens=24, sampling=GREEDY)
    events = [event async for event in await client.generate(msgspec.structs.replace(usual, **changes))]
    end = events[-1]
    assert isinstance(end, Finished), end
    text = "".join(event.text for event in events if isinstance(event, TextDelta))
    return Answer(text, end.stop_reason, end.stats)


async def test_a_long_conversation_goes_on_with_its_newest_exchanges(client: EngineClient) -> None:
    window = ContextWindow(client.count_tokens)
    messages: tuple[Message, ...] = (SYSTEM,)
    sent: list[SentPrompt] = []
    answers: list[Answer] = []
    for question in QUESTIONS:
        messages = (*messages, Message(Role.USER, question))
        sent.append(await window.sent(ChatPrompt(messages), LIMIT_TOKENS))
        assert await client.count_tokens(sent[-1].prompt) <= room_for_prompt(LIMIT_TOKENS)
        assert sent[-1].prompt.messages == (SYSTEM, *messages[1 + sent[-1].left_out :])
        answers.append(await answered(client, sent[-1].prompt))
        messages = (*messages, Message(Role.ASSISTANT, answers[-1].text))

    left_out = [one.left_out for one in sent]
    drops = [index for index in range(1, len(sent)) if left_out[index] != left_out[index - 1]]
    assert left_out == sorted(left_out)
    assert 1 <= len(drops) <= 3, "in blocks: most turns begin like the one before"
    for index in range(1, len(sent)):
        begun = answers[index - 1].stats.prompt_tokens
        cached = answers[index].stats.cached_tokens
        assert cached < begun - 1 if index in drops else cached >= begun - 1
    fresh = [await answered(client, one.prompt, reuse_cache=False) for one in sent]
    assert [one.text for one in fresh] == [one.text for one in answers]


async def test_what_comes_next_is_told_before_it_happens(client: EngineClient) -> None:
    window = ContextWindow(client.count_tokens)
    messages: tuple[Message, ...] = (SYSTEM,)
    told = await window.outlook(ChatPrompt(messages), LIMIT_TOKENS, drops=True)
    assert told.used_tokens is None
    for question in QUESTIONS:
        draft = question
        told = await window.outlook(ChatPrompt(messages), LIMIT_TOKENS, draft, drops=True)
        stopping = await window.outlook(ChatPrompt(messages), LIMIT_TOKENS, draft, drops=False)
        messages = (*messages, Message(Role.USER, question))
        sent = await window.sent(ChatPrompt(messages), LIMIT_TOKENS)

        assert told.left_out_next == sent.left_out
        assert told.is_nearly_full == (told.left_out_next > told.left_out)
        assert (stopping.left_out, stopping.left_out_next) == (0, 0)
        assert not told.is_nearly_full or stopping.is_nearly_full
        messages = (*messages, Message(Role.ASSISTANT, "It is explained in the manual, at some length, as always."))
    assert told.left_out > 0


async def test_a_reply_that_filled_the_context_goes_on_without_the_oldest_exchanges(client: EngineClient) -> None:
    window = ContextWindow(client.count_tokens)
    messages: tuple[Message, ...] = (SYSTEM,)
    for question in QUESTIONS[:4]:
        messages = (*messages, Message(Role.USER, question), Message(Role.ASSISTANT, "It takes a while to explain."))
    asked = (*messages, Message(Role.USER, QUESTIONS[4]))
    full = await answered(client, ChatPrompt(asked), max_tokens=None, ignore_end_token=True)
    assert full.stop_reason is StopReason.CONTEXT_FULL

    begun = (*asked, Message(Role.ASSISTANT, full.text))
    sent = await window.sent(ChatPrompt(begun), LIMIT_TOKENS)
    more = await answered(client, sent.prompt, ignore_end_token=True)

    assert sent.left_out > 0
    assert sent.prompt.messages[-1] == begun[-1]
    assert more.stop_reason is StopReason.LENGTH
    assert more.stats.generated_tokens == 24
