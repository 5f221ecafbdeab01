"""Requests of the benchmark: quiet ones bring back figures alone, chats what a person gets, and all of them stop."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from runtime.bench.requests import Arrival, Outcome, RunStoppedError, StopSignal, ask, chat_request, engine_request
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


async def outcome_of(tmp_path: Path, *arrivals: Arrival) -> Outcome:
    """Return a reply whose tokens arrived like that, its first token made 10 ms after the submit."""
    async with worker() as client:
        await client.load(scripted_model(tmp_path, FAST))
        outcome = await ask(client, chat_request(PROMPT, 5, SamplingParams(), reuse_cache=False), StopSignal())
    stats = msgspec.structs.replace(outcome.stats, token_times_ms=(10.0, 20.0, 30.0, 40.0, 50.0))
    return msgspec.structs.replace(outcome, stats=stats, submitted_ns=1_000_000_000, arrivals=arrivals)


async def test_a_reply_that_arrives_in_two_bursts_was_not_written_in_the_moment_between_them(tmp_path: Path) -> None:
    outcome = await outcome_of(tmp_path, Arrival(1_060_000_000, 2), Arrival(1_060_000_100, 3))
    assert outcome.first_arrival_ns == 1_060_000_000
    assert outcome.delivery_ns == 50_000_100


async def test_a_reply_without_text_has_no_delivery_and_is_there_when_its_token_is_made(tmp_path: Path) -> None:
    outcome = await outcome_of(tmp_path)
    assert outcome.first_arrival_ns == 1_010_000_000
    assert outcome.delivery_ns == 0
