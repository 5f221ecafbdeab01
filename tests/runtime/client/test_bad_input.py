"""Whatever is wrong with a model or a request ends in one clear error, and the worker is good for the next one."""

from __future__ import annotations

import asyncio
from pathlib import Path
from time import perf_counter_ns

import msgspec
import pytest

from runtime.client.worker_client import WorkerClient
from runtime.values.errors import UserFacingError
from runtime.values.generation import Cancelled, Failed, Finished, GenerateRequest, GenerationEvent, TextDelta
from runtime.values.model import EngineName
from runtime.values.prompt import ChatPrompt, Message, Prompt, Role, TextPrompt, TokenPrompt
from runtime.values.sampling import GREEDY, SamplingParams
from tests.models.random_gguf import TINY, GgufRecipe
from tests.runtime.client.real_models import BROKEN_MODELS, ENGINES, model_at, write_model
from tests.runtime.client.scripted_worker import worker

TIME_LIMIT_S = 60
HELLO = ChatPrompt((Message(Role.USER, "Hello"),))
ROOMY = GgufRecipe(context_tokens=100_000_000)


def asking(prompt: Prompt = HELLO, **changes: object) -> GenerateRequest:
    request = GenerateRequest(
        id=0, prompt=prompt, submitted_ns=perf_counter_ns(), max_tokens=3, sampling=GREEDY, ignore_end_token=True
    )
    return msgspec.structs.replace(request, **changes)


async def last_event(client: WorkerClient, request: GenerateRequest) -> GenerationEvent:
    async def read() -> list[GenerationEvent]:
        return [event async for event in await client.generate(request)]

    events = await asyncio.wait_for(read(), TIME_LIMIT_S)
    assert sum(isinstance(event, Finished | Cancelled | Failed) for event in events) == 1
    return events[-1]


async def assert_still_good(client: WorkerClient, folder: Path, engine: EngineName) -> None:
    good = folder / "good"
    await asyncio.wait_for(client.load(model_at(write_model(good, engine), engine)), TIME_LIMIT_S)
    assert isinstance(await last_event(client, asking()), Finished)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("case", BROKEN_MODELS)
async def test_a_broken_model_is_one_error_and_the_worker_loads_the_next(
    tmp_path: Path, engine: EngineName, case: str
) -> None:
    damage, codes = BROKEN_MODELS[case]
    path = damage(tmp_path, engine)
    async with worker() as client:
        with pytest.raises(UserFacingError) as caught:
            await asyncio.wait_for(client.load(model_at(path, engine)), TIME_LIMIT_S)
        assert caught.value.code in codes, caught.value
        assert caught.value.next_step
        await assert_still_good(client, tmp_path, engine)


@pytest.mark.parametrize("engine", ENGINES)
async def test_a_context_beyond_memory_says_what_it_would_take(tmp_path: Path, engine: EngineName) -> None:
    path = write_model(tmp_path, engine, ROOMY)
    async with worker() as client:
        with pytest.raises(UserFacingError, match="GB") as caught:
            await client.load(model_at(path, engine, context_tokens=100_000_000))
        assert caught.value.code == "memory-short"
        await assert_still_good(client, tmp_path, engine)


BAD_TEMPLATES = {
    "missing": None,
    "broken": "{% for message in messages %}{{ message['content'] }}",
    "raises": "{{ raise_exception('No roles here.') }}",
    "loops": "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
    "eats memory": "{% set ns = namespace(x='xxxx') %}{% for i in range(99) %}{% set ns.x = ns.x ~ ns.x %}{% endfor %}",
    "escapes": "{{ ''.__class__.__mro__[1].__subclasses__() }}{{ messages.foo.bar }}",
}


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("case", BAD_TEMPLATES)
async def test_a_bad_chat_template_is_one_error_and_plain_text_still_works(
    tmp_path: Path, engine: EngineName, case: str
) -> None:
    path = write_model(tmp_path, engine, msgspec.structs.replace(TINY, chat_template=BAD_TEMPLATES[case]))
    async with worker() as client:
        await client.load(model_at(path, engine))
        failed = await last_event(client, asking())
        assert isinstance(failed, Failed)
        assert failed.error.code == "chat-template", failed.error
        assert failed.error.next_step
        assert isinstance(await last_event(client, asking(TextPrompt("Hello"))), Finished)


BAD_REQUESTS = [
    (asking(TextPrompt("word " * 5000)), "context-overflow"),
    (asking(ChatPrompt((Message(Role.USER, "half a \ud83d pair"),))), "invalid-request"),
    (asking(stop_strings=("\udcff",)), "invalid-request"),
    (asking(TokenPrompt((5, 10**9))), "invalid-request"),
    (asking(TokenPrompt((-1,))), "invalid-request"),
    (asking(TokenPrompt(())), "invalid-request"),
    (asking(max_tokens=0), "invalid-request"),
    (asking(max_tokens=-5), "invalid-request"),
    (asking(top_logprobs=10**6), "invalid-request"),
    (asking(sampling=SamplingParams(temperature=float("nan"))), "invalid-request"),
    (asking(sampling=SamplingParams(temperature=-1.0)), "invalid-request"),
    (asking(sampling=SamplingParams(top_p=7.0)), "invalid-request"),
    (asking(sampling=SamplingParams(min_p=float("inf"))), "invalid-request"),
    (asking(sampling=SamplingParams(top_k=-3)), "invalid-request"),
    (asking(sampling=SamplingParams(seed=2**40)), "invalid-request"),
]


@pytest.mark.parametrize("engine", ENGINES)
async def test_bad_requests_fail_one_by_one_and_leave_the_model_as_it_was(tmp_path: Path, engine: EngineName) -> None:
    seeded = asking(sampling=SamplingParams(temperature=1.0, seed=7), reuse_cache=False, max_tokens=8)
    async with worker() as client:
        await client.load(model_at(write_model(tmp_path, engine), engine))
        before = [event async for event in await client.generate(seeded)]
        for request, code in BAD_REQUESTS:
            event = await last_event(client, request)
            assert isinstance(event, Failed), request
            assert event.error.code == code, (request, event.error)
            assert event.error.next_step
        after = [event async for event in await client.generate(seeded)]

    assert _text(before) == _text(after)


def _text(events: list[GenerationEvent]) -> str:
    """Return the reply; how it is cut into events, and how much progress is reported between them, may differ."""
    return "".join(event.text for event in events if isinstance(event, TextDelta))
