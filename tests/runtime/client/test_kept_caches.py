"""Which KV caches a real worker keeps, whose they are, and that they can be forgotten."""

from __future__ import annotations

from pathlib import Path

import pytest

from runtime.client.base import EngineClient
from runtime.engine.scripted_engine import Script
from runtime.values.generation import Finished, GenerateRequest, GenerationStats
from runtime.values.kv_cache import CacheOrigin
from runtime.values.model import EngineName
from runtime.values.prompt import TokenPrompt
from runtime.values.sampling import GREEDY
from tests.runtime.client.real_models import ENGINES, model_at, write_model
from tests.runtime.client.scripted_worker import scripted_model, worker

PROMPT = tuple(5 + index * 7 % 200 for index in range(60))


async def answer(client: EngineClient, conversation: str, *token_ids: int) -> GenerationStats:
    """Return the figures of a short reply."""
    reply = await client.generate(
        GenerateRequest(
            id=1,
            prompt=TokenPrompt(token_ids),
            submitted_ns=0,
            max_tokens=3,
            sampling=GREEDY,
            ignore_end_token=True,
            conversation=conversation,
        )
    )
    events = [event async for event in reply]
    last = events[-1]
    assert isinstance(last, Finished), last
    return last.stats


@pytest.mark.parametrize("engine", ENGINES)
async def test_what_is_kept_is_known_by_its_conversation(tmp_path: Path, engine: EngineName) -> None:
    async with worker() as client:
        await client.load(model_at(write_model(tmp_path, engine), engine))
        first = await answer(client, "one", *PROMPT)
        again = await answer(client, "one", *PROMPT, 7, 8, 9)
        kept = await client.kept_caches()

    assert (first.cache_origin, again.cache_origin) == (CacheOrigin.NONE, CacheOrigin.MEMORY)
    assert again.cached_tokens >= len(PROMPT) - 1
    assert [cache.conversation for cache in kept] == ["one"]
    assert kept[0].tokens >= len(PROMPT) + 3
    assert kept[0].nbytes > 0


@pytest.mark.parametrize(("forgotten", "left"), [("one", ["two"]), ("none of them", ["one", "two"]), (None, [])])
async def test_a_conversation_is_forgotten_alone_or_with_all(
    tmp_path: Path, forgotten: str | None, left: list[str]
) -> None:
    async with worker() as client:
        await client.load(model_at(write_model(tmp_path, EngineName.MLX), EngineName.MLX))
        await answer(client, "one", *PROMPT)
        await answer(client, "two", *reversed(PROMPT))
        await client.forget_caches(forgotten)
        kept = await client.kept_caches()

    assert [cache.conversation for cache in kept] == left


async def test_where_nothing_is_loaded_nothing_is_kept() -> None:
    async with worker() as client:
        await client.forget_caches(None)
        assert await client.kept_caches() == ()


async def test_the_script_forgets_its_last_prompt(tmp_path: Path) -> None:
    async with worker() as client:
        await client.load(scripted_model(tmp_path, Script(remembers_prompt=True, prefill_tokens_per_second=1e6)))
        await answer(client, "one", *PROMPT)
        assert [cache.conversation for cache in await client.kept_caches()] == ["one"]
        await client.forget_caches("one")
        forgotten = await client.kept_caches()
        cached_tokens = (await answer(client, "one", *PROMPT)).cached_tokens

    assert forgotten == ()
    assert cached_tokens == 0
