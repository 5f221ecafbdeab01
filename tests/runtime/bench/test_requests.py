"""Requests of the benchmark: quiet ones bring back figures alone, chats what a person gets, and all of them stop."""

from __future__ import annotations

from pathlib import Path

import pytest

from runtime.bench.requests import Arrival, RunStoppedError, StopSignal, arrival_rate, ask, chat_request, engine_request
from runtime.values.errors import InvalidRequestError
from runtime.values.generation import Finished
from runtime.values.prompt import TextPrompt, TokenPrompt
from runtime.values.sampling import SamplingParams
from tests.runtime.bench.running import FAST
from tests.runtime.client.scripted_worker import scripted_model, worker

PROMPT = TextPrompt("some words")


async def test_an_engine_request_brings_back_figures_and_nothing_else(tmp_path: Path) -> None:
    async with worker() as client:
        await client.load(scripted_model(tmp_path, FAST))
        events = [event async for event in await client.generate(engine_request(PROMPT, 5, reuse_cache=False))]

    (end,) = events
    assert isinstance(end, Finished)
    assert end.stats.generated_tokens == len(end.stats.token_times_ms) == 5


async def test_a_failed_engine_request_says_why(tmp_path: Path) -> None:
    async with worker() as client:
        await client.load(scripted_model(tmp_path, FAST))
        with pytest.raises(InvalidRequestError, match="token ids"):
            await ask(client, engine_request(TokenPrompt((9999,)), 5, reuse_cache=False), StopSignal())


async def test_a_chat_request_arrives_token_by_token(tmp_path: Path) -> None:
    async with worker() as client:
        await client.load(scripted_model(tmp_path, FAST))
        outcome = await ask(client, chat_request(PROMPT, 5, SamplingParams(), reuse_cache=False), StopSignal())

    assert sum(arrival.tokens for arrival in outcome.arrivals) == 5
    assert outcome.arrivals[0].time_ns >= outcome.submitted_ns
    assert outcome.ended_ns <= outcome.arrivals[-1].time_ns


async def test_after_a_stop_nothing_begins(tmp_path: Path) -> None:
    stop = StopSignal()
    stop.request()
    async with worker() as client:
        await client.load(scripted_model(tmp_path, FAST))
        with pytest.raises(RunStoppedError):
            await ask(client, engine_request(PROMPT, 5, reuse_cache=False), stop)


@pytest.mark.parametrize(
    ("arrivals", "rate"),
    [((), (0, 0)), (((10, 3),), (0, 0)), (((10, 1), (20, 2), (40, 1)), (3, 30))],
)
def test_the_rate_of_arrival_counts_from_the_first(
    arrivals: tuple[tuple[int, int], ...], rate: tuple[int, int]
) -> None:
    assert arrival_rate([Arrival(*one) for one in arrivals]) == rate
