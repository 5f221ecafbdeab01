"""One repetition of each kind of test, from the state of the cache before it to the figures after.

What counts as the timed part:

    prefill   from the KV cache being ready to the last prompt token being evaluated, in the worker
    decode    from the first token to the last, n intervals for n tokens, in the worker
    serving   from the submit of all requests to the last token of the last one
    chat      from the first token being made to the arrival of the last one here, n intervals for n tokens; TTFT from
              the submit to the first arrival
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from time import perf_counter_ns
from typing import assert_never

import msgspec

from runtime.bench.prompts import chat_prompt, preparing_prompt, random_ids, random_prompt
from runtime.bench.record import Sample
from runtime.bench.requests import Outcome, StopSignal, ask, chat_request, engine_request
from runtime.bench.workload import CacheState, ChatReply, Decode, Prefill, Serving, Workload, name_of
from runtime.client.base import EngineClient
from runtime.metrics.timeline import NS_PER_MS
from runtime.values.errors import ModelUnsupportedError
from runtime.values.generation import GenerationStats
from runtime.values.model import LoadedModel
from runtime.values.prompt import TokenPrompt
from runtime.values.sampling import SamplingParams

WARM_UP_TOKENS = 8
CACHE_TRIES = 3
"""The token after a prepared prompt is cached, too; of as many prompts as there are token ids, one begins with it."""


class Measured(msgspec.Struct, frozen=True):
    """A repetition: its figures, and the worker's own about the last reply."""

    sample: Sample
    stats: GenerationStats


class Meter:
    """Measures on one loaded model.

    Args:
        client: talks to it.
        model: the model as it was loaded.
        seed: of prompts and of sampling.
        stop: says when to give up.
    """

    def __init__(self, client: EngineClient, model: LoadedModel, seed: int, stop: StopSignal) -> None:
        self.model = model
        self._client = client
        self._vocabulary_size = model.vocabulary_size
        self._seed = seed
        self._stop = stop

    async def warm_up(self, workload: Workload) -> None:
        """Have everything that the workload needs run once, without depth and briefly.

        Raises:
            FirstTokenError: the model failed.
            RunStoppedError: the run was cancelled.
        """
        match workload:
            case Prefill(prompt, _):
                await self._read(random_prompt(self._seed, "warm-up", prompt, self._vocabulary_size))
            case Decode(generate, _):
                await self._write(0, min(generate, WARM_UP_TOKENS))
            case Serving(prompt, generate, concurrency):
                await self._serve(Serving(prompt, min(generate, WARM_UP_TOKENS), concurrency), "warm-up")
            case ChatReply(generate, _):
                await self._chat(ChatReply(min(generate, WARM_UP_TOKENS), CacheState.WARM), perf_counter_ns())
            case _:
                assert_never(workload)

    async def measure(self, workload: Workload, repetition: int, submitted_ns: int | None = None) -> Measured:
        """Measure once. `submitted_ns` is when a cold chat was submitted, before the model was loaded.

        Raises:
            FirstTokenError: the model failed, or it cannot do what the workload asks for.
            RunStoppedError: the run was cancelled.
        """
        match workload:
            case Prefill():
                return await self._prefill(workload, repetition)
            case Decode():
                return await self._decode(workload)
            case Serving():
                return await self._serve(workload, str(repetition))
            case ChatReply():
                return await self._chat(workload, submitted_ns)
            case _:
                assert_never(workload)

    async def _prefill(self, workload: Prefill, repetition: int) -> Measured:
        name, depth = name_of(workload), workload.depth_tokens
        before = random_ids(self._seed, "depth", depth, self._vocabulary_size)
        cached = 0
        for attempt in range(CACHE_TRIES):
            if depth:
                await self._read(TokenPrompt(before), reuse_cache=True)
            purpose = f"{name}/{repetition}/{attempt}"
            fresh = random_ids(self._seed, purpose, workload.prompt_tokens, self._vocabulary_size)
            outcome = await self._read(TokenPrompt(before + fresh), reuse_cache=depth > 0)
            cached = outcome.stats.cached_tokens
            if cached == depth:
                return _measured(outcome, workload.prompt_tokens, outcome.prefill_ns)
        raise ModelUnsupportedError(
            f"The test {name} cannot be measured: {cached:,} instead of {depth:,} tokens stayed in the KV cache.",
            "Measure this model's prefill at depth 0: its cache cannot be kept at will.",
        )

    async def _decode(self, workload: Decode) -> Measured:
        outcome = await self._write(workload.depth_tokens, workload.generate_tokens)
        return _measured(outcome, workload.generate_tokens, outcome.decode_ns)

    async def _read(self, prompt: TokenPrompt, *, reuse_cache: bool = False) -> Outcome:
        return await ask(self._client, engine_request(prompt, 1, reuse_cache=reuse_cache), self._stop)

    async def _write(self, depth: int, tokens: int) -> Outcome:
        """Have `tokens` written after the first one, which the prompt of at least one token gives."""
        prompt = random_prompt(self._seed, "depth", max(depth, 1), self._vocabulary_size)
        outcome = await ask(self._client, engine_request(prompt, tokens + 1, reuse_cache=True), self._stop)
        _check_written(outcome, tokens + 1)
        return outcome

    async def _serve(self, workload: Serving, purpose: str) -> Measured:
        prompts = [
            random_prompt(self._seed, f"serving/{purpose}/{user}", workload.prompt_tokens, self._vocabulary_size)
            for user in range(workload.concurrency)
        ]
        requests = [engine_request(prompt, workload.generate_tokens, reuse_cache=False) for prompt in prompts]
        submitted = min(request.submitted_ns for request in requests)
        outcomes = await _together([ask(self._client, request, self._stop) for request in requests])
        for outcome in outcomes:
            _check_written(outcome, workload.generate_tokens)
        stats = outcomes[-1].stats
        each = workload.prompt_tokens + workload.generate_tokens
        sample = Sample(
            tokens=each * workload.concurrency,
            elapsed_ns=max(outcome.ended_ns for outcome in outcomes) - submitted,
            prompt_tokens=workload.prompt_tokens,
            cached_tokens=max(outcome.stats.cached_tokens for outcome in outcomes),
            ttft_ms=tuple(one.stats.ttft_ms for one in outcomes if one.stats.ttft_ms is not None),
            request_ts=tuple(rate for one in outcomes if (rate := one.stats.decode_tokens_per_second) is not None),
            requests=workload.concurrency,
            generated_tokens=sum(outcome.stats.generated_tokens for outcome in outcomes),
            memory=stats.memory,
        )
        return Measured(sample, stats)

    async def _chat(self, workload: ChatReply, submitted_ns: int | None) -> Measured:
        cached = workload.cache is CacheState.CACHED
        sampling = SamplingParams(seed=self._seed)
        if cached:
            await ask(self._client, chat_request(preparing_prompt(), 1, sampling, reuse_cache=True), self._stop)
        request = chat_request(chat_prompt(workload.cache), workload.generate_tokens + 1, sampling, reuse_cache=cached)
        if submitted_ns is not None:
            request = msgspec.structs.replace(request, submitted_ns=submitted_ns)
        outcome = await ask(self._client, request, self._stop)
        _check_written(outcome, workload.generate_tokens + 1)
        measured = _measured(outcome, workload.generate_tokens, outcome.delivery_ns)
        waited_ms = (outcome.first_arrival_ns - outcome.submitted_ns) / NS_PER_MS
        sample = msgspec.structs.replace(measured.sample, ttft_ms=(waited_ms,), ttft_parts=outcome.stats.ttft_parts)
        return Measured(sample, outcome.stats)


CHAT_CACHE_TEXTS = {
    CacheState.COLD: "@cold: TTFT counts from before a new process loads the model; the system may have cached files",
    CacheState.WARM: "@warm: model loaded and warmed up, nothing of the prompt cached",
    CacheState.CACHED: "@cached: all but the last question is in the KV cache",
}


def cache_text(workload: Workload) -> str:
    """Return the state of the KV cache at the beginning of a repetition, in words."""
    match workload:
        case Prefill(_, depth) | Decode(_, depth):
            if depth:
                return f"@d{depth}: that many tokens are in the KV cache before the timing begins"
            return "pp, tg without depth: nothing cached; random token ids, greedy, no template, no tokenizer"
        case Serving():
            return "@c: requests at once, nothing cached; t/s counts the tokens that all of them read and wrote"
        case ChatReply(_, state):
            return CHAT_CACHE_TEXTS[state]
        case _:
            assert_never(workload)


async def _together(replies: Sequence[Coroutine[None, None, Outcome]]) -> list[Outcome]:
    """Return all outcomes, or raise what the first one failed with, once none is under way any more."""
    results = await asyncio.gather(*replies, return_exceptions=True)
    outcomes = [result for result in results if isinstance(result, Outcome)]
    for result in results:
        if isinstance(result, BaseException):
            raise result
    return outcomes


def _measured(outcome: Outcome, tokens: int, elapsed_ns: int) -> Measured:
    stats = outcome.stats
    sample = Sample(
        tokens=tokens,
        elapsed_ns=elapsed_ns,
        prompt_tokens=stats.prompt_tokens,
        cached_tokens=stats.cached_tokens,
        generated_tokens=stats.generated_tokens,
        memory=stats.memory,
    )
    return Measured(sample, stats)


def _check_written(outcome: Outcome, tokens: int) -> None:
    written = outcome.stats.generated_tokens
    if written != tokens:
        raise ModelUnsupportedError(
            f"The model wrote {written:,} instead of {tokens:,} tokens.", "Ask for fewer tokens, or a smaller depth."
        )
