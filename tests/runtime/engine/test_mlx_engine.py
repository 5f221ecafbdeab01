"""Real MLX on models made on the spot: every promise of the `Engine` protocol."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from time import perf_counter_ns

import mlx.core as mx
import msgspec
import pytest
from mlx_lm.models.qwen3 import Model
from tokenizers import Tokenizer

from runtime.engine.mlx_engine import MlxEngine
from runtime.values.errors import EngineUnavailableError, InternalError, MemoryShortError, SettingsError
from runtime.values.generation import (
    Cancelled,
    Finished,
    GenerateRequest,
    PromptProgress,
    StopReason,
    TextDelta,
)
from runtime.values.model import LoadOptions
from runtime.values.prompt import ChatPrompt, Message, Role, TextPrompt, TokenPrompt
from runtime.values.sampling import SamplingParams
from tests.models.random_gguf import GgufRecipe
from tests.models.random_mlx import write_random_mlx
from tests.models.tiny_tokenizer import write_tokenizer
from tests.runtime.engine.mlx_running import Reply, ask, drain, loaded, replies, run

SPOKEN = "So 日🚀! is the cache."
LONG_PROMPT = TokenPrompt(tuple(5 + index * 7 % 400 for index in range(300)))
SEEDED = SamplingParams(temperature=1.0, top_p=0.95, seed=42)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that speaks nonsense, in 32-bit floats."""
    place = tmp_path_factory.mktemp("models") / "tiny"
    write_random_mlx(place)
    return place


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Tokenizer:
    return write_tokenizer(tmp_path_factory.mktemp("tokenizer"))


@pytest.fixture(scope="module")
def speaking_folder(tmp_path_factory: pytest.TempPathFactory, tokenizer: Tokenizer) -> Path:
    """A model that says `SPOKEN` whatever it is asked."""
    place = tmp_path_factory.mktemp("models") / "speaking"
    chain = tuple(tokenizer.encode(SPOKEN).ids)
    assert len(set(chain)) == len(chain)
    write_random_mlx(place, GgufRecipe(chain=chain))
    return place


@pytest.fixture(scope="module")
def shared_engine(folder: Path) -> Iterator[MlxEngine]:
    engine = loaded(folder, prefill_chunk_tokens=64)
    yield engine
    engine.unload()


@pytest.fixture
def engine(shared_engine: MlxEngine) -> Iterator[MlxEngine]:
    yield shared_engine
    assert not shared_engine.busy()


@pytest.fixture(scope="module")
def speaker(speaking_folder: Path) -> Iterator[MlxEngine]:
    engine = loaded(speaking_folder)
    yield engine
    engine.unload()


def fresh(request: GenerateRequest, **changes: object) -> GenerateRequest:
    return msgspec.structs.replace(request, reuse_cache=False, **changes)


def only(engine: MlxEngine, request: GenerateRequest) -> Reply:
    (reply,) = run(engine, request)
    return reply


def test_says_what_it_loaded(folder: Path) -> None:
    engine = MlxEngine()
    fractions: list[float] = []
    before_ns = perf_counter_ns()
    model = engine.load(folder, LoadOptions(context_tokens=512, model_name="My model"), fractions.append)
    assert model.name == "My model"
    assert model.engine_version.startswith("mlx 0.")
    assert "mlx-lm 0." in model.engine_version
    assert model.device
    assert (model.quantization.name, model.quantization.bits_per_weight) == ("FP32", 32.0)
    # The file is the tensors and a header of a few kilobytes.
    assert 0 < (folder / "model.safetensors").stat().st_size - model.weights_bytes < 10_000
    assert model.context_limit_tokens == 512
    assert model.vocabulary_size == 416
    assert before_ns <= model.load_started_ns < model.load_ended_ns <= perf_counter_ns()
    assert fractions == sorted(fractions)
    assert (fractions[0], fractions[-1]) == (0.0, 1.0)
    engine.unload()


def test_takes_the_name_of_the_directory_when_nobody_names_the_model(folder: Path) -> None:
    engine = MlxEngine()
    assert engine.load(folder, LoadOptions(), lambda _fraction: None).name == "tiny"
    engine.unload()


def test_streams_text_with_characters_that_are_split_over_tokens(speaker: MlxEngine) -> None:
    reply = only(speaker, ask("Say it?", max_tokens=None))
    assert reply.text == SPOKEN
    assert reply.stop_reason is StopReason.END
    deltas = [event.text for event in reply.events if isinstance(event, TextDelta)]
    assert not any("\ufffd" in text for text in deltas)
    # Three tokens make the character; the last of them shows it.
    assert deltas[deltas.index("日") - 2 : deltas.index("日")] == ["", ""]


def test_counts_neither_the_end_token_nor_its_text(speaker: MlxEngine, tokenizer: Tokenizer) -> None:
    reply = only(speaker, ask("Say it?", max_tokens=None))
    assert reply.stats.generated_tokens == len(tokenizer.encode(SPOKEN).ids)
    assert reply.token_ids == tuple(tokenizer.encode(SPOKEN).ids)


def test_goes_on_after_the_end_token_if_told_to(speaker: MlxEngine) -> None:
    reply = only(speaker, ask("Say it?", max_tokens=40, ignore_end_token=True))
    assert reply.stats.generated_tokens == 40
    assert reply.stop_reason is StopReason.LENGTH


def test_ends_before_a_stop_string(speaker: MlxEngine) -> None:
    reply = only(speaker, ask("Say it?", max_tokens=None, stop_strings=("! is", "never")))
    assert reply.text == "So 日🚀"
    assert reply.stop_reason is StopReason.STOP_STRING


def test_answers_a_conversation_by_its_template(speaker: MlxEngine, tokenizer: Tokenizer) -> None:
    chat = ChatPrompt((Message(Role.USER, "Hello"),))
    rendered = "<|im_start|>user\nHello<|im_end|>\n<|im_start|>assistant\n"
    reply = only(speaker, ask(chat))
    assert reply.stats.prompt_tokens == len(tokenizer.encode(rendered).ids) == speaker.count_tokens(chat)
    assert reply.text == SPOKEN[: len(reply.text)] != ""


def test_counts_tokens_of_every_kind_of_prompt(engine: MlxEngine, tokenizer: Tokenizer) -> None:
    assert engine.count_tokens(TextPrompt("Hello there")) == len(tokenizer.encode("Hello there").ids)
    assert engine.count_tokens(TokenPrompt((5, 6, 7))) == 3


def test_reports_how_far_it_has_read_the_prompt(engine: MlxEngine) -> None:
    reply = only(engine, fresh(ask(LONG_PROMPT)))
    progress = [event for event in reply.events if isinstance(event, PromptProgress)]
    assert [(event.done, event.total, event.cached) for event in progress] == [
        (done, 300, 0) for done in (0, 64, 128, 192, 256, 299, 300)
    ]


def test_gives_figures_that_fit_together(engine: MlxEngine) -> None:
    request = fresh(ask(LONG_PROMPT))
    stats = only(engine, request).stats
    ended_ms = (perf_counter_ns() - request.submitted_ns) / 1e6
    assert (stats.prompt_tokens, stats.cached_tokens, stats.generated_tokens) == (300, 0, 12)
    assert stats.ttft_ms is not None
    assert stats.ttft_parts is not None
    assert stats.ttft_ms == pytest.approx(sum(msgspec.structs.astuple(stats.ttft_parts)))
    assert stats.ttft_ms == stats.token_times_ms[0]
    assert list(stats.token_times_ms) == sorted(stats.token_times_ms)
    assert stats.token_times_ms[-1] <= ended_ms
    assert all(part >= 0 for part in msgspec.structs.astuple(stats.ttft_parts))
    assert stats.prefill_tokens_per_second == pytest.approx(300 / stats.ttft_parts.prefill_ms * 1000)
    assert stats.context_used_tokens == 312
    assert 0 < stats.memory.weights_bytes < stats.memory.worker_resident_bytes <= stats.memory.peak_bytes
    # 512 tokens (two steps of 256) × 2 layers × 2 heads × keys and values of 32 elements × 4 bytes.
    assert stats.memory.kv_cache_bytes == 512 * 2 * 2 * 2 * 32 * 4


def test_reads_a_prompt_of_one_token(engine: MlxEngine) -> None:
    reply = only(engine, ask(TokenPrompt((9,))))
    assert reply.stats.generated_tokens == 12
    assert reply.stats.ttft_parts is not None


def test_gives_the_same_text_whatever_the_chunks(engine: MlxEngine, folder: Path) -> None:
    expected = only(engine, fresh(ask(LONG_PROMPT))).token_ids
    other = loaded(folder, prefill_chunk_tokens=7)
    assert only(other, ask(LONG_PROMPT)).token_ids == expected
    other.unload()


def test_repeats_a_seeded_reply(engine: MlxEngine) -> None:
    request = fresh(ask("Once upon a time", sampling=SEEDED, max_tokens=30))
    first = only(engine, request).token_ids
    assert only(engine, request).token_ids == first
    assert only(engine, fresh(request, sampling=msgspec.structs.replace(SEEDED, seed=43))).token_ids != first


def test_differs_without_a_seed(engine: MlxEngine) -> None:
    request = fresh(ask("Once upon a time", sampling=SamplingParams(temperature=1.5), max_tokens=30))
    assert only(engine, request).token_ids != only(engine, request).token_ids


def test_penalizes_what_the_prompt_holds_already(engine: MlxEngine) -> None:
    prompt = TokenPrompt(tuple(range(5, 45)))
    favourite = only(engine, fresh(ask(prompt, max_tokens=1))).token_ids[0]
    spoiled = TokenPrompt((favourite, *prompt.token_ids))
    again = only(engine, fresh(ask(spoiled, max_tokens=1))).token_ids[0]
    penalty = SamplingParams(temperature=0.0, presence_penalty=2.0, frequency_penalty=2.0, repetition_penalty=10.0)
    shunned = only(engine, fresh(ask(TokenPrompt((again, *spoiled.token_ids)), max_tokens=20, sampling=penalty)))
    assert again not in shunned.token_ids
    assert len(set(shunned.token_ids)) == 20
    assert not set(shunned.token_ids) & set(prompt.token_ids)


def test_reports_alternatives_only_on_request(engine: MlxEngine) -> None:
    reply = only(engine, ask("Hello", top_logprobs=5))
    choices = [choice for event in reply.events if isinstance(event, TextDelta) for choice in event.choices]
    assert len(choices) == 12
    for choice in choices:
        assert choice.chosen == choice.top[0]
        assert [one.logprob for one in choice.top] == sorted((one.logprob for one in choice.top), reverse=True)
    plain = only(engine, ask("Hello", top_logprobs=0))
    assert plain.token_ids == ()
    assert plain.text == reply.text


def test_continues_a_conversation_from_the_cache_as_from_scratch(engine: MlxEngine) -> None:
    first = only(engine, fresh(ask(LONG_PROMPT, max_tokens=20)))
    prompt = TokenPrompt((*LONG_PROMPT.token_ids, *first.token_ids, 7, 8, 9))
    warm = only(engine, ask(prompt))
    cold = only(engine, fresh(ask(prompt)))
    assert warm.stats.cached_tokens == 320
    assert cold.stats.cached_tokens == 0
    assert warm.token_ids == cold.token_ids
    assert warm.stats.prompt_tokens == cold.stats.prompt_tokens


def test_goes_back_to_where_two_prompts_part(engine: MlxEngine) -> None:
    only(engine, fresh(ask(LONG_PROMPT)))
    edited = TokenPrompt((*LONG_PROMPT.token_ids[:100], 11, 12, 13))
    warm = only(engine, ask(edited))
    assert warm.stats.cached_tokens == 100
    assert warm.token_ids == only(engine, fresh(ask(edited))).token_ids


def test_evaluates_the_last_token_of_a_prompt_it_has_seen_whole(engine: MlxEngine) -> None:
    cold = only(engine, fresh(ask(LONG_PROMPT)))
    warm = only(engine, ask(LONG_PROMPT))
    assert warm.stats.cached_tokens == 299
    assert warm.token_ids == cold.token_ids
    progress = [event for event in warm.events if isinstance(event, PromptProgress)]
    assert (progress[0].done, progress[-1].done) == (299, 300)


def test_runs_several_requests_each_as_if_it_were_alone(folder: Path, engine: MlxEngine) -> None:
    requests = [
        fresh(ask(LONG_PROMPT, id=1, max_tokens=25)),
        fresh(ask("Hello there", id=2, sampling=SEEDED, max_tokens=40)),
        fresh(ask("Hello there", id=3, sampling=SEEDED, max_tokens=15)),
        fresh(ask("What is prefill?", id=4, sampling=msgspec.structs.replace(SEEDED, seed=1, presence_penalty=0.5))),
    ]
    alone = [only(engine, request).token_ids for request in requests]
    together = loaded(folder, parallel_requests=3, prefill_chunk_tokens=64)
    found = run(together, *requests)
    together.unload()
    assert [reply.token_ids for reply in found] == alone


def test_ends_a_queued_request_without_beginning_it(engine: MlxEngine) -> None:
    engine.submit(ask("Hello", id=1, max_tokens=5))
    engine.submit(ask("Hello", id=2))
    events = engine.step()
    engine.cancel(2)
    first, second = replies(events + drain(engine), [1, 2])
    assert isinstance(first.end, Finished)
    assert second.events == (Cancelled(2, None),)


def test_cancels_while_it_reads_the_prompt(engine: MlxEngine) -> None:
    engine.submit(fresh(ask(LONG_PROMPT)))
    events = [event for _ in range(3) for event in engine.step()]
    engine.cancel(1)
    (reply,) = replies(events + drain(engine), [1])
    assert isinstance(reply.end, Cancelled)
    assert reply.stats.generated_tokens == 0
    assert reply.stats.ttft_ms is None
    assert [event.done for event in reply.events if isinstance(event, PromptProgress)] == [0, 64, 128]
    # What it has read is not lost.
    again = only(engine, ask(LONG_PROMPT))
    assert again.stats.cached_tokens == 128
    assert again.token_ids == only(engine, fresh(ask(LONG_PROMPT))).token_ids


def test_cancels_between_tokens(engine: MlxEngine) -> None:
    request = fresh(ask("Hello", max_tokens=None))
    engine.submit(request)
    events = [event for _ in range(10) for event in engine.step()]
    engine.cancel(1)
    engine.cancel(1)
    engine.cancel(77)
    (reply,) = replies(events + drain(engine), [1])
    assert isinstance(reply.end, Cancelled)
    assert reply.stats.generated_tokens == len(reply.token_ids) > 3
    assert only(engine, fresh(request, max_tokens=12)).token_ids[: len(reply.token_ids)] == reply.token_ids[:12]


def test_ends_every_request_that_is_cancelled_in_one_step(engine: MlxEngine) -> None:
    for request_id in (1, 2, 3):
        engine.submit(ask("Hello", id=request_id))
    engine.step()
    for request_id in (1, 2, 3):
        engine.cancel(request_id)
    assert sorted(event.id for event in engine.step() if isinstance(event, Cancelled)) == [1, 2, 3]


def test_stops_when_the_context_is_full(folder: Path) -> None:
    engine = loaded(folder, context_tokens=40)
    reply = only(engine, ask(TokenPrompt(tuple(range(5, 35))), max_tokens=None, ignore_end_token=True))
    assert reply.stop_reason is StopReason.CONTEXT_FULL
    assert reply.stats.generated_tokens == 10
    assert reply.stats.context_used_tokens == reply.stats.context_limit_tokens == 40
    engine.unload()


BAD_REQUESTS: dict[str, tuple[dict[str, object], str]] = {
    "temperature": ({"sampling": SamplingParams(temperature=float("nan"))}, "invalid-request"),
    "top_k": ({"sampling": SamplingParams(top_k=-1)}, "invalid-request"),
    "top_p": ({"sampling": SamplingParams(top_p=0.0)}, "invalid-request"),
    "min_p": ({"sampling": SamplingParams(min_p=1.5)}, "invalid-request"),
    "penalty": ({"sampling": SamplingParams(repetition_penalty=0.0)}, "invalid-request"),
    "seed": ({"sampling": SamplingParams(seed=-1)}, "invalid-request"),
    "token limit": ({"max_tokens": 0}, "invalid-request"),
    "too many alternatives": ({"top_logprobs": 1001}, "invalid-request"),
    "empty prompt": ({"prompt": TextPrompt("")}, "invalid-request"),
    "no such token": ({"prompt": TokenPrompt((5, 416))}, "invalid-request"),
    "negative token": ({"prompt": TokenPrompt((5, -1))}, "invalid-request"),
    "enormous token": ({"prompt": TokenPrompt((2**70,))}, "invalid-request"),
    "too long": ({"prompt": TokenPrompt((5,) * 2048)}, "context-overflow"),
    "no message": ({"prompt": ChatPrompt(())}, "chat-template"),
}


@pytest.mark.parametrize("changes", [changes for changes, _ in BAD_REQUESTS.values()], ids=list(BAD_REQUESTS))
def test_refuses_a_bad_request_and_goes_on_as_before(engine: MlxEngine, changes: dict[str, object]) -> None:
    good = fresh(ask("Hello there", id=2, sampling=SEEDED))
    before = only(engine, good).token_ids
    bad, after = run(engine, msgspec.structs.replace(ask("Hello"), **changes), good)
    expected = next(code for known, code in BAD_REQUESTS.values() if known is changes)
    assert bad.error.code == expected
    assert after.token_ids == before


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (RuntimeError("[malloc] Unable to allocate 123 bytes."), MemoryShortError.code),
        (RuntimeError("[METAL] Command buffer execution failed: Insufficient Memory"), MemoryShortError.code),
        (MemoryError(), MemoryShortError.code),
        (ValueError("[broadcast_shapes] Shapes cannot be broadcast."), InternalError.code),
    ],
)
@pytest.mark.parametrize("calls", [0, 2, 9])
def test_survives_a_failure_of_mlx(
    engine: MlxEngine, monkeypatch: pytest.MonkeyPatch, error: Exception, code: str, calls: int
) -> None:
    good = ask("Hello there", max_tokens=30)
    expected = only(engine, fresh(good)).token_ids
    healthy: Callable[..., mx.array] = Model.__call__
    done = count()

    def failing(*arguments: object, **named: object) -> mx.array:
        if next(done) >= calls:
            raise error
        return healthy(*arguments, **named)

    monkeypatch.setattr(Model, "__call__", failing)
    assert only(engine, ask(LONG_PROMPT)).error.code == code
    monkeypatch.undo()
    assert only(engine, good).token_ids == expected


def test_gives_memory_back_when_it_unloads(folder: Path) -> None:
    before = mx.get_active_memory()
    engine = loaded(folder)
    only(engine, ask(LONG_PROMPT))
    memory = engine.memory()
    assert memory.weights_bytes + memory.kv_cache_bytes <= mx.get_active_memory() - before + 1000
    engine.submit(ask(LONG_PROMPT))
    engine.step()
    engine.unload()
    engine.unload()
    assert not engine.busy()
    assert mx.get_active_memory() - before < 10_000


def test_does_nothing_without_a_model() -> None:
    engine = MlxEngine()
    engine.unload()
    assert engine.step() == []
    with pytest.raises(EngineUnavailableError):
        engine.submit(ask("Hello"))
    with pytest.raises(EngineUnavailableError):
        engine.count_tokens(TextPrompt("Hello"))


def test_loads_another_model_in_place_of_the_first(folder: Path, speaking_folder: Path) -> None:
    engine = loaded(folder)
    engine.load(speaking_folder, LoadOptions(), lambda _fraction: None)
    assert only(engine, ask("Say it?", max_tokens=None)).text == SPOKEN
    engine.unload()


@pytest.mark.parametrize("bits", [4, 8])
def test_quantizes_the_kv_cache(folder: Path, engine: MlxEngine, bits: int) -> None:
    whole = only(engine, fresh(ask(LONG_PROMPT))).stats.memory.kv_cache_bytes
    quantized = loaded(folder, kv_cache_bits=bits)
    cold = only(quantized, ask(LONG_PROMPT))
    # Groups of 32: a scale and a bias of 32 bits each beside 32 elements.
    assert cold.stats.memory.kv_cache_bytes == whole * (bits + 2) // 32
    warm = only(quantized, ask(LONG_PROMPT))
    assert warm.stats.cached_tokens == 299
    assert warm.token_ids == cold.token_ids
    quantized.unload()


@pytest.mark.parametrize(
    "options",
    [{"kv_cache_bits": 3}, {"parallel_requests": 0}, {"prefill_chunk_tokens": 0}, {"prefill_chunk_tokens": 10**9}],
)
def test_refuses_options_that_make_no_sense(folder: Path, options: dict[str, object]) -> None:
    with pytest.raises(SettingsError):
        loaded(folder, **options)
