"""Quality: perplexity as an independent computation gives it, no divergence of a model from itself, on both engines."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from importlib import import_module
from pathlib import Path

import mlx.core as mx
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mlx_lm.utils import load_model

from runtime.bench.quality import (
    DEFAULT_TOKENS,
    QualityText,
    against,
    divergence,
    figures_of,
    shipped_text,
    wilson_interval,
)
from runtime.bench.requests import StopSignal
from runtime.bench.scoring import Scored, score, score_tokens
from runtime.client.worker_client import WorkerClient
from runtime.config.paths import assets_folder
from runtime.values.errors import InvalidRequestError
from runtime.values.generation import TokenChoice, TokenLogprob
from runtime.values.model import EngineName, LoadedModel
from tests.models.random_gguf import TINY, write_random_gguf
from tests.models.random_mlx import write_random_mlx
from tests.runtime.client.real_models import ENGINES, model_at
from tests.runtime.client.scripted_worker import worker

TEXT = shipped_text(assets_folder())
TOKENS = 48


def choice(logprobs: dict[int, float], chosen: int = 0) -> TokenChoice:
    top = sorted(logprobs.items(), key=lambda one: -one[1])
    return TokenChoice(
        TokenLogprob(chosen, "x", logprobs[chosen]), tuple(TokenLogprob(token, "x", value) for token, value in top)
    )


def distribution(weights: list[float]) -> dict[int, float]:
    return {token: math.log(weight / sum(weights)) for token, weight in enumerate(weights)}


def weight_pairs(least: int) -> st.SearchStrategy[tuple[list[float], list[float]]]:
    """Return two lists of weights of one length."""
    sizes = st.integers(least, 8)
    weights = sizes.flatmap(lambda size: st.lists(st.floats(1e-4, 1.0), min_size=2 * size, max_size=2 * size))
    return weights.map(lambda both: (both[: len(both) // 2], both[len(both) // 2 :]))


distributions = st.lists(st.floats(1e-6, 1.0), min_size=2, max_size=12).map(distribution)


@given(distributions)
def test_nothing_diverges_from_itself(one: dict[int, float]) -> None:
    assert divergence(choice(one), choice(one)) == 0


@given(weight_pairs(2))
def test_of_whole_distributions_the_divergence_is_the_textbooks(pair: tuple[list[float], list[float]]) -> None:
    p, q = (distribution(weights) for weights in pair)
    expected = sum(math.exp(p[token]) * (p[token] - q[token]) for token in p)

    assert divergence(choice(p), choice(q)) == pytest.approx(expected, abs=1e-9)


@given(weight_pairs(3), st.integers(1, 7))
def test_fewer_reported_tokens_never_make_the_divergence_larger(
    pair: tuple[list[float], list[float]], kept: int
) -> None:
    p, q = (distribution(weights) for weights in pair)
    cut = [choice({token: one[token] for token in range(min(kept, len(one)))}) for one in (p, q)]

    assert 0 <= divergence(*cut) <= divergence(choice(p), choice(q)) + 1e-9


def test_perplexity_of_even_odds_is_their_number() -> None:
    even = [choice(distribution([1.0] * 8))] * 10
    figures = figures_of(TEXT, even)

    assert figures.perplexity == pytest.approx(8)
    assert figures.perplexity_interval is not None
    assert figures.perplexity_interval.low == pytest.approx(8)
    assert figures.bits_per_byte == pytest.approx(3)
    assert figures.tokens == 10


def test_agreement_counts_equal_favourites() -> None:
    one, other = choice(distribution([5.0, 1.0])), choice(distribution([1.0, 5.0]))
    figures = against(figures_of(TEXT, [one] * 4), [one, one, one, other], "best", [one] * 4)

    assert figures.top1_agreement == 0.75
    assert figures.reference == "best"
    assert figures.divergence is not None
    assert figures.divergence > 0
    assert figures.covered == pytest.approx(1)


@given(st.integers(1, 500).flatmap(lambda trials: st.tuples(st.integers(0, trials), st.just(trials))))
def test_the_interval_of_a_share_holds_it_and_stays_within_bounds(counts: tuple[int, int]) -> None:
    hits, trials = counts
    interval = wilson_interval(hits, trials)

    assert 0 <= interval.low <= hits / trials <= interval.high <= 1


def test_the_interval_of_a_share_is_wilsons() -> None:
    # Brown, Cai and DasGupta 2001: 95 % for 8 of 10.
    interval = wilson_interval(8, 10)

    assert [interval.low, interval.high] == pytest.approx([0.4902, 0.9433], abs=5e-5)


def test_the_shipped_text_is_long_enough_and_says_who_it_is() -> None:
    assert 1_800 <= len(TEXT.text.split()) <= 2_300
    assert len(TEXT.text.split()) > DEFAULT_TOKENS
    assert len(TEXT.sha256) == 64


DEMO = {
    EngineName.MLX: assets_folder() / "demo-model" / "mlx-int8",
    EngineName.LLAMACPP: assets_folder() / "demo-model" / "demo-q8_0.gguf",
}


@asynccontextmanager
async def loaded(folder: Path, engine: EngineName) -> AsyncIterator[tuple[WorkerClient, LoadedModel]]:
    path = folder / "model.gguf" if engine is EngineName.LLAMACPP else folder / "model"
    if engine is EngineName.LLAMACPP:
        write_random_gguf(path, TINY)
    else:
        write_random_mlx(path, TINY)
    async with worker() as client:
        yield client, await client.load(model_at(path, engine, context_tokens=512))


def by_mlx(token_ids: tuple[int, ...]) -> list[float]:
    """Return what the demo model says of each token but the first, computed in one pass."""
    network, _ = load_model(DEMO[EngineName.MLX])
    logits: mx.array = network(mx.array([token_ids[:-1]])).astype(mx.float32)[0]
    logprobs = logits - mx.logsumexp(logits, axis=-1, keepdims=True)
    rows = msgspec.convert(logprobs.tolist(), list[list[float]])
    return [row[token] for row, token in zip(rows, token_ids[1:], strict=True)]


def by_llamacpp(token_ids: tuple[int, ...]) -> list[float]:
    """Return the same from the library's own server: each whole distribution, every prompt evaluated from its start."""
    library = import_module("xllamacpp")
    params = library.CommonParams()
    params.model.path = str(DEMO[EngineName.LLAMACPP])
    params.n_ctx, params.n_parallel, params.verbosity = 512, 1, 1
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = 1
    server = library.Server(params)
    found = []
    for place in range(1, len(token_ids)):
        # A choice that is half a character would be held back, and its probabilities with it.
        whole_character = [[token_ids[0], 1000.0]]
        body = {"prompt": list(token_ids[:place]), "n_predict": 1, "n_probs": 100_000, "logit_bias": whole_character}
        answer = msgspec.convert(server.handle_completions({**body, "cache_prompt": False}), _Answer)
        distribution_there = {one.id: one.logprob for one in answer.choices[0].logprobs.content[0].top_logprobs}
        found.append(distribution_there[token_ids[place]])
    return found


class _Alternative(msgspec.Struct):
    id: int
    logprob: float


class _Token(msgspec.Struct):
    top_logprobs: list[_Alternative]


class _Logprobs(msgspec.Struct):
    content: list[_Token]


class _Choice(msgspec.Struct):
    logprobs: _Logprobs


class _Answer(msgspec.Struct):
    choices: list[_Choice]


async def scored_by(folder: Path, engine: EngineName) -> Scored:
    async with loaded(folder, engine) as (client, model):
        return await score(client, model, TEXT, TOKENS, StopSignal())


@pytest.mark.parametrize(("engine", "independent"), [(EngineName.MLX, by_mlx), (EngineName.LLAMACPP, by_llamacpp)])
async def test_perplexity_is_that_of_an_independent_computation(
    engine: EngineName, independent: Callable[[tuple[int, ...]], list[float]]
) -> None:
    async with worker() as client:
        model = await client.load(model_at(DEMO[engine], engine, context_tokens=512))
        scored = await score(client, model, TEXT, TOKENS, StopSignal())
    truth = independent(scored.token_ids)
    perplexity = figures_of(TEXT, scored.known).perplexity

    assert len(scored.known) == TOKENS
    assert perplexity == pytest.approx(math.exp(-sum(truth) / len(truth)), rel=5e-5)


@pytest.mark.parametrize("engine", ENGINES)
async def test_a_model_does_not_diverge_from_itself(tmp_path: Path, engine: EngineName) -> None:
    first, again = await scored_by(tmp_path, engine), await scored_by(tmp_path, engine)
    figures = against(figures_of(TEXT, again.known), again.choices, "itself", first.choices)

    assert figures.divergence == 0
    assert figures.top1_agreement == 1
    assert figures.covered == pytest.approx(1, abs=1e-4)


async def test_both_engines_say_the_same_of_the_same_weights(tmp_path: Path) -> None:
    one, other = [await scored_by(tmp_path, engine) for engine in ENGINES]
    figures = against(figures_of(TEXT, one.known), one.choices, "the other engine", other.choices)

    assert one.token_ids == other.token_ids
    assert figures.divergence is not None
    assert figures.divergence < 1e-5
    assert figures.top1_agreement == 1


async def test_fewer_bits_are_further_from_the_best(tmp_path: Path) -> None:
    best = await scored_by(tmp_path, EngineName.LLAMACPP)
    distances = []
    for weights in ("Q8_0", "Q4_0"):
        path = tmp_path / f"{weights}.gguf"
        write_random_gguf(path, msgspec.structs.replace(TINY, weights=weights))
        async with worker() as client:
            model = await client.load(model_at(path, EngineName.LLAMACPP, context_tokens=512))
            scored = await score_tokens(client, model, best.token_ids, StopSignal())
        figures = against(figures_of(TEXT, scored.known), scored.choices, "F32", best.choices)
        distances.append(figures.divergence)

    assert distances[0] is not None
    assert distances[1] is not None
    assert 0 < distances[0] < distances[1]


@pytest.mark.parametrize("engine", ENGINES)
async def test_tokens_that_are_half_a_character_do_not_spoil_a_text(tmp_path: Path, engine: EngineName) -> None:
    text = QualityText("mixed", "plain words, then 你好 👋 and plain words again")
    async with loaded(tmp_path, engine) as (client, model):
        scored = await score(client, model, text, TOKENS, StopSignal())

    assert len(scored.choices) == len(scored.token_ids) - 1
    assert len(scored.known) > len(scored.choices) // 2
    figures = against(figures_of(text, scored.known), scored.choices, "itself", scored.choices)
    assert figures.divergence == 0
    assert figures.tokens == len(scored.known)


@pytest.mark.parametrize("engine", ENGINES)
async def test_what_cannot_be_scored_is_refused(tmp_path: Path, engine: EngineName) -> None:
    async with loaded(tmp_path, engine) as (client, model):
        with pytest.raises(InvalidRequestError, match="too short"):
            await score(client, model, QualityText("nothing", ""), TOKENS, StopSignal())
        with pytest.raises(InvalidRequestError, match=r"no token 100000"):
            await score_tokens(client, model, (5, 100_000), StopSignal())
