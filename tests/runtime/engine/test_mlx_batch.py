"""Requests that write together: each as if it were alone, in whatever company, and what they have in common."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import mlx.core as mx
import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mlx_lm.models.qwen3 import Model

from runtime.engine.mlx_engine import MlxEngine
from runtime.values.errors import InternalError, MemoryShortError
from runtime.values.generation import Cancelled, GenerateRequest, GenerationEvent, StopReason, TextDelta
from runtime.values.prompt import TokenPrompt
from runtime.values.sampling import GREEDY, SamplingParams
from tests.models.random_architectures import (
    COMMON,
    LATENT_ATTENTION,
    MIXTURE_OF_EXPERTS,
    RECURRENT_STATE,
    SLIDING_WINDOW,
    Config,
    write_random_architecture,
)
from tests.models.random_mlx import write_random_mlx
from tests.runtime.engine.mlx_running import Reply, ask, drain, loaded, replies, run

SEEDED = SamplingParams(temperature=1.0, top_p=0.95, seed=42)
PENALIZED = SamplingParams(temperature=0.0, presence_penalty=1.0, frequency_penalty=0.5, repetition_penalty=1.3)
MOST_TOGETHER = 4


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that speaks nonsense, in 32-bit floats."""
    place = tmp_path_factory.mktemp("models") / "tiny"
    write_random_mlx(place)
    return place


@pytest.fixture(scope="module")
def alone(folder: Path) -> Iterator[MlxEngine]:
    engine = loaded(folder, prefill_chunk_tokens=64)
    yield engine
    engine.unload()


@pytest.fixture(scope="module")
def together(folder: Path) -> Iterator[MlxEngine]:
    engine = loaded(folder, prefill_chunk_tokens=64, parallel_requests=MOST_TOGETHER)
    yield engine
    engine.unload()


def tokens(begin: int, count: int) -> TokenPrompt:
    return TokenPrompt(tuple(5 + (begin + index * 7) % 400 for index in range(count)))


def fresh(request: GenerateRequest, **changes: object) -> GenerateRequest:
    return msgspec.structs.replace(request, reuse_cache=False, ignore_end_token=True, **changes)


def one_by_one(engine: MlxEngine, *requests: GenerateRequest) -> list[Reply]:
    return [reply for request in requests for reply in run(engine, request)]


def writes(engine: MlxEngine, request_id: int, events: list[GenerationEvent]) -> None:
    """Step until the request has written its first token."""
    while not any(isinstance(event, TextDelta) and event.id == request_id for event in events):
        assert engine.busy()
        events += engine.step()


class Evaluations:
    """How many conversations the model was given in each evaluation of one token."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.sizes: list[int] = []
        healthy: Callable[..., mx.array] = Model.__call__

        def counting(network: Model, inputs: mx.array, *arguments: object, **named: object) -> mx.array:
            if inputs.shape[1] == 1:
                self.sizes.append(inputs.shape[0])
            return healthy(network, inputs, *arguments, **named)

        monkeypatch.setattr(Model, "__call__", counting)


def test_one_evaluation_writes_for_all(together: MlxEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    evaluations = Evaluations(monkeypatch)
    run(together, *(fresh(ask("Hello", id=number, max_tokens=20)) for number in range(MOST_TOGETHER)))
    assert max(evaluations.sizes) == MOST_TOGETHER
    # Four times twenty tokens; the last prompts are read while the first replies are begun.
    assert len(evaluations.sizes) <= 20 + 3 * MOST_TOGETHER


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.tuples(
            st.integers(1, 150),  # Prompt tokens.
            st.integers(1, 25),  # Tokens to write.
            st.integers(0, 12),  # Steps between its submit and the one before.
            st.sampled_from([GREEDY, GREEDY, SEEDED, PENALIZED]),
            st.sampled_from([0, 1, 5]),
        ),
        min_size=2,
        max_size=7,
    )
)
def test_each_request_gets_what_it_would_get_alone(
    alone: MlxEngine, together: MlxEngine, wishes: list[tuple[int, int, int, SamplingParams, int]]
) -> None:
    requests = [
        fresh(ask(tokens(number, length), id=number, max_tokens=most, sampling=sampling, top_logprobs=top))
        for number, (length, most, _, sampling, top) in enumerate(wishes)
    ]
    events: list[GenerationEvent] = []
    for request, (_, _, steps, _, _) in zip(requests, wishes, strict=True):
        for _ in range(steps):
            events += together.step()
        together.submit(request)
    events += drain(together)
    found = replies(events, [request.id for request in requests])
    expected = one_by_one(alone, *requests)
    assert [reply.text for reply in found] == [reply.text for reply in expected]
    assert [reply.token_ids for reply in found] == [reply.token_ids for reply in expected]
    for one, other in zip(found, expected, strict=True):
        assert logprobs_of(one) == pytest.approx(logprobs_of(other), abs=1e-4)


def logprobs_of(reply: Reply) -> list[float]:
    deltas = [event for event in reply.events if isinstance(event, TextDelta)]
    choices = [choice for delta in deltas for choice in delta.choices]
    return [one.logprob for choice in choices for one in (choice.chosen, *choice.top)]


@pytest.mark.parametrize(
    "config",
    [SLIDING_WINDOW, MIXTURE_OF_EXPERTS, RECURRENT_STATE, LATENT_ATTENTION],
    ids=["sliding window", "mixture of experts", "recurrent state", "latent attention"],
)
def test_writes_together_with_every_kind_of_cache(tmp_path: Path, config: Config) -> None:
    write_random_architecture(tmp_path / "model", {**COMMON, **config})
    requests = [
        fresh(ask(tokens(number, length), id=number, max_tokens=most))
        for number, (length, most) in enumerate([(70, 20), (3, 40), (90, 6), (31, 12)])
    ]
    alone = loaded(tmp_path / "model", prefill_chunk_tokens=16)
    expected = one_by_one(alone, *requests)
    alone.unload()
    together = loaded(tmp_path / "model", prefill_chunk_tokens=16, parallel_requests=3)
    found = run(together, *requests)
    assert [reply.token_ids for reply in found] == [reply.token_ids for reply in expected]
    last = max(
        found, key=lambda reply: reply.stats.token_times_ms[-1] + requests[found.index(reply)].submitted_ns / 1e6
    )
    prompt = requests[found.index(last)].prompt
    assert isinstance(prompt, TokenPrompt)
    turn = ask(TokenPrompt((*prompt.token_ids, *last.token_ids, 7, 8)), ignore_end_token=True)
    (warm,) = run(together, turn)
    (cold,) = run(together, fresh(turn))
    together.unload()
    assert warm.stats.cached_tokens == len(prompt.token_ids) + len(last.token_ids)
    assert warm.token_ids == cold.token_ids


def test_a_request_that_is_cancelled_disturbs_no_other(alone: MlxEngine, together: MlxEngine) -> None:
    requests = [fresh(ask(tokens(number, 40 + 9 * number), id=number, max_tokens=30)) for number in range(3)]
    expected = one_by_one(alone, *requests)
    events: list[GenerationEvent] = []
    for request in requests:
        together.submit(request)
    writes(together, 2, events)
    together.cancel(1)
    found = replies(events + drain(together), [0, 1, 2])
    assert isinstance(found[1].end, Cancelled)
    assert 0 < len(found[1].token_ids) < 30
    assert found[1].token_ids == expected[1].token_ids[: len(found[1].token_ids)]
    assert [found[0].token_ids, found[2].token_ids] == [expected[0].token_ids, expected[2].token_ids]


def test_what_a_cancelled_request_has_evaluated_is_kept(together: MlxEngine) -> None:
    for number in range(2):
        together.submit(fresh(ask(tokens(number, 50), id=number, max_tokens=None)))
    events: list[GenerationEvent] = []
    writes(together, 1, events)
    together.cancel(0)
    events += together.step()
    together.cancel(1)
    found = replies(events + drain(together), [0, 1])
    (again,) = run(together, ask(TokenPrompt((*tokens(1, 50).token_ids, *found[1].token_ids, 9))))
    assert again.stats.cached_tokens == 50 + len(found[1].token_ids)


def test_a_stop_string_ends_one_request_only(alone: MlxEngine, together: MlxEngine) -> None:
    plain = [fresh(ask(tokens(number, 30), id=number, max_tokens=24)) for number in range(3)]
    expected = one_by_one(alone, *plain)
    stop = expected[1].text[8:12]
    requests = [plain[0], msgspec.structs.replace(plain[1], stop_strings=(stop,)), plain[2]]
    found = run(together, *requests)
    assert found[1].stop_reason is StopReason.STOP_STRING
    assert found[1].text == expected[1].text.partition(stop)[0]
    assert [found[0].text, found[2].text] == [expected[0].text, expected[2].text]


def test_a_bad_request_disturbs_no_other(alone: MlxEngine, together: MlxEngine) -> None:
    good = [fresh(ask(tokens(number, 30), id=number)) for number in range(2)]
    expected = one_by_one(alone, *good)
    bad = ask(TokenPrompt((5, 416)), id=9)
    first, refused, second = run(together, good[0], bad, good[1])
    assert refused.error.code == "invalid-request"
    assert [first.token_ids, second.token_ids] == [reply.token_ids for reply in expected]


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (RuntimeError("[malloc] Unable to allocate 123 bytes."), MemoryShortError.code),
        (ValueError("[broadcast_shapes] Shapes cannot be broadcast."), InternalError.code),
    ],
)
def test_what_fails_for_all_ends_all_and_the_engine_goes_on(
    alone: MlxEngine, together: MlxEngine, monkeypatch: pytest.MonkeyPatch, error: Exception, code: str
) -> None:
    requests = [fresh(ask(tokens(number, 30), id=number, max_tokens=30)) for number in range(3)]
    expected = one_by_one(alone, *requests)
    events: list[GenerationEvent] = []
    for request in requests:
        together.submit(request)
    writes(together, 2, events)

    def failing(*_arguments: object, **_named: object) -> mx.array:
        raise error

    monkeypatch.setattr(Model, "__call__", failing)
    found = replies(events + drain(together), [0, 1, 2])
    assert {reply.error.code for reply in found} == {code}
    monkeypatch.undo()
    assert [reply.token_ids for reply in run(together, *requests)] == [reply.token_ids for reply in expected]


def test_a_failing_prompt_ends_its_own_request_only(
    alone: MlxEngine, together: MlxEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    good, bad = fresh(ask(tokens(0, 30), id=0, max_tokens=30)), fresh(ask(tokens(1, 40), id=1))
    (expected,) = run(alone, good)
    together.submit(good)
    events: list[GenerationEvent] = []
    writes(together, 0, events)
    together.submit(bad)
    healthy: Callable[..., mx.array] = Model.__call__

    def failing(network: Model, inputs: mx.array, *arguments: object, **named: object) -> mx.array:
        if inputs.shape[1] > 1:
            raise RuntimeError("[malloc] Unable to allocate 123 bytes.")
        return healthy(network, inputs, *arguments, **named)

    monkeypatch.setattr(Model, "__call__", failing)
    written, failed = replies(events + drain(together), [0, 1])
    assert failed.error.code == MemoryShortError.code
    assert written.token_ids == expected.token_ids


def test_a_short_question_does_not_wait_for_a_long_document(together: MlxEngine) -> None:
    document, question = fresh(ask(tokens(0, 1500), id=0)), fresh(ask(tokens(1, 40), id=1))
    long, short = run(together, document, question)
    assert long.stats.ttft_ms is not None
    assert short.stats.ttft_ms is not None
    assert short.stats.ttft_ms < long.stats.ttft_ms


def test_waiting_for_other_prompts_counts_as_queueing(together: MlxEngine) -> None:
    requests = [fresh(ask(tokens(number, 600), id=number)) for number in range(3)]
    found = run(together, *requests)
    parts = [reply.stats.ttft_parts for reply in found]
    for reply, part in zip(found, parts, strict=True):
        assert part is not None
        assert all(value >= 0 for value in msgspec.structs.astuple(part))
        assert sum(msgspec.structs.astuple(part)) == pytest.approx(reply.stats.ttft_ms)
    first, _, last = parts
    assert first is not None
    assert last is not None
    # The last one has waited for the prompts of the two before it, each as long as its own.
    assert last.queue_ms > first.queue_ms + first.prefill_ms


def test_counts_what_the_caches_of_all_take(together: MlxEngine) -> None:
    for number in range(3):
        together.submit(fresh(ask(tokens(number, 30), id=number, max_tokens=30)))
    events: list[GenerationEvent] = []
    writes(together, 2, events)
    each = 30 * 2 * 2 * 2 * 32 * 4  # Tokens × layers × heads × keys and values of 32 elements × 4 bytes.
    assert together.memory().kv_cache_bytes >= 3 * each
    drain(together)
    # What is kept for the next turns is the conversations' 60 tokens, and of the last one room for a step of 256.
    assert together.memory().kv_cache_bytes <= (3 * 60 + 256) / 30 * each


@pytest.mark.parametrize("bits", [4, 8])
def test_takes_turns_where_the_cache_is_quantized(folder: Path, monkeypatch: pytest.MonkeyPatch, bits: int) -> None:
    requests = [fresh(ask(tokens(number, 20 + 30 * number), id=number)) for number in range(3)]
    engine = loaded(folder, kv_cache_bits=bits, parallel_requests=3)
    expected = one_by_one(engine, *requests)
    evaluations = Evaluations(monkeypatch)
    found = run(engine, *requests)
    engine.unload()
    assert [reply.token_ids for reply in found] == [reply.token_ids for reply in expected]
    assert set(evaluations.sizes) == {1}
