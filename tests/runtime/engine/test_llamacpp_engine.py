"""The llama.cpp engine on real, tiny models: what it writes, how it stops, what it reports."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import msgspec
import pytest

from runtime.engine.llamacpp_engine import LlamaCppEngine
from runtime.values.errors import EngineUnavailableError
from runtime.values.generation import (
    Cancelled,
    Finished,
    GenerationEvent,
    PromptProgress,
    StopReason,
    TextDelta,
)
from runtime.values.model import EngineName, LoadOptions
from runtime.values.prompt import ChatPrompt, Message, Role, TextPrompt, TokenPrompt
from runtime.values.sampling import GREEDY, MAX_SEED, SamplingParams
from tests.models.random_gguf import GgufRecipe, write_random_gguf
from tests.runtime.engine.llamacpp_session import (
    SOME_TOKENS,
    ask,
    choices_of,
    drain,
    end_of,
    error_of,
    loaded_engine,
    of,
    run,
    stats_of,
    step_until,
    text_of,
)

HOT = SamplingParams(temperature=1.5, seed=11)
LONG_PROMPT = TokenPrompt(tuple(5 + number * 7 % 400 for number in range(1500)))


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("models") / "tiny.gguf"
    write_random_gguf(path)
    return path


@pytest.fixture(scope="module")
def engine(model: Path) -> Iterator[LlamaCppEngine]:
    with loaded_engine(model) as loaded:
        yield loaded


def chat(*texts: str) -> ChatPrompt:
    roles = (Role.USER, Role.ASSISTANT)
    return ChatPrompt(tuple(Message(roles[turn % 2], text) for turn, text in enumerate(texts)))


def sampled(engine: LlamaCppEngine, sampling: SamplingParams) -> str:
    return text_of(run(engine, ask(sampling=sampling, max_tokens=24, ignore_end_token=True)))


def test_greedy_repeats_itself_and_seeds_repeat_theirs(engine: LlamaCppEngine) -> None:
    assert sampled(engine, GREEDY) == sampled(engine, GREEDY)
    assert sampled(engine, HOT) == sampled(engine, HOT)
    other_seeds = {sampled(engine, msgspec.structs.replace(HOT, seed=seed)) for seed in (12, MAX_SEED - 1, None)}
    assert len(other_seeds | {sampled(engine, HOT), sampled(engine, GREEDY)}) == 5


def test_the_seed_that_means_random_to_llamacpp_repeats_too(engine: LlamaCppEngine) -> None:
    largest = msgspec.structs.replace(HOT, seed=MAX_SEED)
    assert sampled(engine, largest) == sampled(engine, largest)


@pytest.mark.parametrize(
    "narrow",
    [
        SamplingParams(temperature=1.5, top_k=1),
        SamplingParams(temperature=1.5, top_p=1e-6),
        SamplingParams(temperature=1.5, min_p=0.999999),
        SamplingParams(temperature=1e-4),
    ],
)
def test_samplers_that_leave_one_token_are_greedy(engine: LlamaCppEngine, narrow: SamplingParams) -> None:
    assert sampled(engine, narrow) == sampled(engine, GREEDY)


def test_nothing_is_filtered_unless_asked_for(engine: LlamaCppEngine) -> None:
    """At the highest temperature all tokens are nearly alike: llama-server's own top-k of 40 would show."""
    events = run(engine, ask(sampling=SamplingParams(temperature=5.0, seed=3), max_tokens=400, ignore_end_token=True))
    assert len({event.text for event in events if isinstance(event, TextDelta)}) > 60


@pytest.mark.parametrize("name", ["repetition_penalty", "presence_penalty", "frequency_penalty"])
def test_penalties_drive_repeated_tokens_away(engine: LlamaCppEngine, name: str) -> None:
    strength = 10.0 if name == "repetition_penalty" else 2.0
    plain = text_of(run(engine, ask(max_tokens=200, ignore_end_token=True)))
    penalized = msgspec.structs.replace(GREEDY, penalty_window_tokens=200, **{name: strength})
    varied = text_of(run(engine, ask(max_tokens=200, sampling=penalized, ignore_end_token=True)))
    assert longest_repeat(varied) < longest_repeat(plain)


def longest_repeat(text: str) -> int:
    """Return the length of the longest end of `text` that stands in front of itself."""
    return max((size for size in range(1, len(text) // 2) if text[-size:] == text[-2 * size : -size]), default=0)


def test_end_token_ends_the_reply_and_does_not_count(tmp_path: Path) -> None:
    path = tmp_path / "chain.gguf"
    write_random_gguf(path, GgufRecipe(chain=(35, 36, 37)))
    with loaded_engine(path) as engine:
        events = run(engine, ask(max_tokens=None))
        assert text_of(events) == "ABC"
        assert end_of(events) == Finished(1, StopReason.END, stats_of(events))
        assert stats_of(events).generated_tokens == 3
        ignoring = run(engine, ask(max_tokens=9, ignore_end_token=True))
        assert stats_of(ignoring).generated_tokens == 9
        assert text_of(ignoring).startswith("ABC")


@pytest.mark.parametrize(
    ("generated", "shown"),
    [
        ("A😀B漢字C".encode(), "A😀B漢字C"),
        (b"A\xff\xfeB", "A\ufffd\ufffdB"),
        (b"A\xc3B", "A\ufffdB"),
        ("né".encode()[:-1], "n"),
    ],
    ids=["split characters", "no characters", "half a character", "half a character at the end"],
)
def test_characters_split_across_tokens_come_whole(tmp_path: Path, generated: bytes, shown: str) -> None:
    path = tmp_path / "bytes.gguf"
    tokenizer = write_random_gguf(path)
    vocabulary = tokenizer.get_vocab()
    chain = tuple(vocabulary[byte_token(byte)] for byte in generated)
    write_random_gguf(path, GgufRecipe(chain=chain))
    with loaded_engine(path) as engine:
        events = run(engine, ask(max_tokens=None))
    assert text_of(events) == shown
    assert stats_of(events).generated_tokens == len(generated)
    assert len(stats_of(events).token_times_ms) == len(generated)


def byte_token(byte: int) -> str:
    """Return how a byte-level vocabulary writes one byte: printable ones as they are, others from U+0100 on."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [value for value in range(256) if value not in printable]
    return chr(byte) if byte in printable else chr(0x100 + others.index(byte))


def test_stop_string_ends_the_reply_and_stays_out_of_it(tmp_path: Path) -> None:
    path = tmp_path / "chain.gguf"
    write_random_gguf(path, GgufRecipe(chain=(35, 36, 37, 38, 39, 40)))
    with loaded_engine(path) as engine:
        events = run(engine, ask(max_tokens=None, stop_strings=("DE",)))
        assert text_of(events) == "ABC"
        assert end_of(events) == Finished(1, StopReason.STOP_STRING, stats_of(events))
        assert stats_of(events).generated_tokens == 5
        assert text_of(run(engine, ask(max_tokens=None, stop_strings=("DX",)))) == "ABCDEF"


def test_max_tokens_and_the_end_of_the_context_are_kept(model: Path) -> None:
    with loaded_engine(model, LoadOptions(context_tokens=300)) as engine:
        for limit in (1, 2, 7):
            stats = stats_of(run(engine, ask(max_tokens=limit, ignore_end_token=True)))
            assert stats.generated_tokens == limit
            assert len(stats.token_times_ms) == limit
        events = run(engine, ask(TokenPrompt(LONG_PROMPT.token_ids[:280]), max_tokens=None, ignore_end_token=True))
        assert end_of(events) == Finished(1, StopReason.CONTEXT_FULL, stats_of(events))
        assert stats_of(events).context_used_tokens == 300
        assert error_of(run(engine, ask(TokenPrompt(LONG_PROMPT.token_ids[:300])))) == "context-overflow"
        assert stats_of(run(engine, ask(max_tokens=3, ignore_end_token=True))).generated_tokens == 3


def test_time_stamps_are_in_order_and_parts_add_up(engine: LlamaCppEngine) -> None:
    stats = stats_of(run(engine, ask(LONG_PROMPT, max_tokens=20, reuse_cache=False, ignore_end_token=True)))
    assert all(before <= after for before, after in pairwise(stats.token_times_ms))
    assert stats.ttft_parts is not None
    parts = msgspec.structs.asdict(stats.ttft_parts)
    assert min(parts.values()) >= 0
    assert sum(parts.values()) == pytest.approx(stats.ttft_ms)
    assert stats.ttft_ms == stats.token_times_ms[0]
    assert stats.ttft_parts.prefill_ms > stats.ttft_parts.cache_restore_ms
    assert stats.prefill_tokens_per_second == pytest.approx(1500 / stats.ttft_parts.prefill_ms * 1000)


def test_prompt_progress_goes_up_in_small_steps_to_the_whole_prompt(engine: LlamaCppEngine) -> None:
    events = run(engine, ask(LONG_PROMPT, max_tokens=1, reuse_cache=False))
    progress = [event for event in events if isinstance(event, PromptProgress)]
    assert [event.done for event in progress] == [*range(0, 1500, 128), 1500]
    assert {(event.total, event.cached) for event in progress} == {(1500, 0)}


def test_what_the_cache_holds_is_not_evaluated_again(engine: LlamaCppEngine) -> None:
    longer = TokenPrompt(LONG_PROMPT.token_ids[:600])
    first = run(engine, ask(TokenPrompt(longer.token_ids[:500]), reuse_cache=False))
    second = run(engine, ask(longer))
    assert (stats_of(first).cached_tokens, stats_of(second).cached_tokens) == (0, 500)
    assert next(event for event in second if isinstance(event, PromptProgress)).done == 500
    assert stats_of(run(engine, ask(longer, reuse_cache=False))).cached_tokens == 0


def test_the_cache_survives_a_reply_that_was_cut_short(engine: LlamaCppEngine) -> None:
    prompt = TokenPrompt(LONG_PROMPT.token_ids[200:500])
    run(engine, ask(prompt, reuse_cache=False, max_tokens=300, stop_strings=("e", "a"), ignore_end_token=True))
    assert stats_of(run(engine, ask(prompt))).cached_tokens == 299


def test_displaced_conversations_come_back_from_memory(engine: LlamaCppEngine) -> None:
    conversations = [TokenPrompt(tuple(start + step % 90 for step in range(400))) for start in (5, 300)]
    for prompt in conversations:
        run(engine, ask(prompt))
    assert stats_of(run(engine, ask(conversations[0]))).cached_tokens > 300


def test_logprobs_are_those_of_the_model_itself(engine: LlamaCppEngine) -> None:
    request = ask(max_tokens=5, top_logprobs=20, reuse_cache=False, ignore_end_token=True)
    choices = choices_of(run(engine, request))
    assert [len(choice.top) for choice in choices] == [20] * 5
    for choice in choices:
        assert choice.chosen.token_id == choice.top[0].token_id  # greedy
        logprobs = [alternative.logprob for alternative in choice.top]
        assert logprobs == sorted(logprobs, reverse=True)
        assert 0.05 < sum(math.exp(logprob) for logprob in logprobs) <= 1.0001
    hot = choices_of(run(engine, msgspec.structs.replace(request, sampling=HOT)))
    assert hot[0].top == choices[0].top
    assert choices_of(run(engine, ask(max_tokens=3, ignore_end_token=True))) == []


def test_chats_are_rendered_by_the_models_template(engine: LlamaCppEngine, model: Path) -> None:
    rendered = "<|im_start|>user\nHello 😀<|im_end|>\n<|im_start|>assistant\n"
    assert text_of(run(engine, ask(chat("Hello 😀")))) == text_of(run(engine, ask(TextPrompt(rendered))))
    markup = engine.count_tokens(TextPrompt("<|im_start|>"))
    assert markup == 1
    assert engine.count_tokens(chat("Hello 😀")) == engine.count_tokens(TextPrompt(rendered))
    assert engine.count_tokens(TokenPrompt((1, 2, 3))) == 3
    assert model.exists()


@pytest.mark.parametrize("template", ["{{ messages[0].content }}", "<|endoftext|>{{ messages[0].content }}"])
def test_the_token_that_begins_a_sequence_is_there_once(tmp_path: Path, template: str) -> None:
    path = tmp_path / "model.gguf"
    write_random_gguf(path, GgufRecipe(begins_with_token=True, chat_template=template))
    with loaded_engine(path) as engine:
        alone = engine.count_tokens(TextPrompt(""))
        assert alone == 1
        assert engine.count_tokens(TextPrompt("<|endoftext|>ab")) == engine.count_tokens(TextPrompt("ab"))
        assert engine.count_tokens(chat("ab")) == engine.count_tokens(TextPrompt("ab"))


def test_several_requests_together_write_what_each_writes_alone(model: Path) -> None:
    prompts = [TokenPrompt(LONG_PROMPT.token_ids[start : start + 150 + start]) for start in (0, 40, 90, 130, 7)]
    with loaded_engine(model, LoadOptions(parallel_requests=3, context_tokens=512)) as engine:
        alone = [text_of(run(engine, ask(prompt, max_tokens=40, reuse_cache=False))) for prompt in prompts]
        together = run(
            engine,
            *(ask(prompt, number=number, max_tokens=40, reuse_cache=False) for number, prompt in enumerate(prompts)),
        )
        assert [text_of(of(together, number)) for number in range(5)] == alone
        for number in range(5):
            end_of(of(together, number))
        assert began_before_another_ended(together)


def began_before_another_ended(events: list[GenerationEvent]) -> bool:
    first_end = next(place for place, event in enumerate(events) if isinstance(event, Finished))
    return len({event.id for event in events[:first_end] if isinstance(event, TextDelta)}) > 1


def test_cancel_while_reading_the_prompt(engine: LlamaCppEngine) -> None:
    engine.submit(ask(LONG_PROMPT, reuse_cache=False))
    before = step_until(engine, lambda events: any(isinstance(event, PromptProgress) for event in events))
    engine.cancel(1)
    after = drain(engine)
    assert [type(event) for event in after] == [Cancelled]
    assert not any(isinstance(event, TextDelta) for event in before)
    assert not engine.busy()
    assert stats_of(run(engine, ask(max_tokens=2, ignore_end_token=True))).generated_tokens == 2


def test_the_server_stops_reading_a_cancelled_prompt(tmp_path: Path) -> None:
    path = tmp_path / "slower.gguf"
    slower = GgufRecipe(
        weights="Q8_0", layers=4, hidden=256, feed_forward=768, heads=8, kv_heads=4, context_tokens=8192
    )
    write_random_gguf(path, slower)
    prompt = TokenPrompt(tuple(5 + number * 7 % 400 for number in range(8000)))
    with loaded_engine(path) as engine:
        cached = []
        for _ in range(2):
            engine.submit(ask(prompt))
            progress = step_until(engine, lambda events: any(isinstance(event, PromptProgress) for event in events))
            cached.append(next(event.cached for event in progress if isinstance(event, PromptProgress)))
            engine.cancel(1)
            assert [type(event) for event in drain(engine)] == [Cancelled]
    assert cached[0] == 0
    assert cached[1] < 4000


def test_cancel_while_writing(engine: LlamaCppEngine) -> None:
    engine.submit(ask(max_tokens=1000, ignore_end_token=True))
    before = step_until(engine, lambda events: any(isinstance(event, TextDelta) for event in events))
    engine.cancel(1)
    engine.cancel(1)
    engine.cancel(77)
    after = drain(engine)
    assert [type(event) for event in after] == [Cancelled]
    (cancelled,) = after
    assert isinstance(cancelled, Cancelled)
    assert cancelled.stats is not None
    assert cancelled.stats.generated_tokens == sum(
        len(event.token_times_ns) for event in before if isinstance(event, TextDelta)
    )
    assert engine.step() == []


def test_cancel_while_waiting_for_a_place(engine: LlamaCppEngine) -> None:
    engine.submit(ask(number=1, max_tokens=30, ignore_end_token=True))
    engine.submit(ask(number=2))
    engine.cancel(2)
    events = drain(engine)
    assert of(events, 2) == [Cancelled(2, None)]
    assert stats_of(of(events, 1)).generated_tokens == 30


@pytest.mark.parametrize(
    ("bad", "code"),
    [
        (ask(TokenPrompt(())), "invalid-request"),
        (ask(TextPrompt("")), "invalid-request"),
        (ask(TokenPrompt((5, 416))), "invalid-request"),
        (ask(TokenPrompt((-1,))), "invalid-request"),
        (ask(TokenPrompt((5,) * 2048)), "context-overflow"),
        (ask(max_tokens=0), "invalid-request"),
        (ask(max_tokens=-3), "invalid-request"),
        (ask(top_logprobs=1001), "invalid-request"),
        (ask(top_logprobs=-1), "invalid-request"),
        (ask(sampling=SamplingParams(temperature=math.nan)), "invalid-request"),
        (ask(sampling=SamplingParams(min_p=1.0)), "invalid-request"),
        (ask(ChatPrompt(())), "chat-template"),
    ],
)
def test_bad_requests_fail_alone(engine: LlamaCppEngine, bad: object, code: str) -> None:
    request = msgspec.convert(bad, type(ask()))
    assert error_of(run(engine, request)) == code
    assert stats_of(run(engine, ask(max_tokens=1, ignore_end_token=True))).generated_tokens == 1


def test_text_of_any_kind_survives_tokenizing(engine: LlamaCppEngine) -> None:
    for text in ("\x00", "a\ud7ff\uffff", '\\"\n', "</s><|im_end|>", "漢" * 300):
        assert engine.count_tokens(TextPrompt(text)) > 0


def test_memory_names_what_the_tokens_in_the_context_take(engine: LlamaCppEngine) -> None:
    token_bytes = 2 * 2 * (32 + 32) * 2  # layers × kv heads × (key + value) × bytes
    run(engine, ask(TokenPrompt(LONG_PROMPT.token_ids[:700]), max_tokens=1))
    memory = engine.memory()
    assert memory.kv_cache_bytes == token_bytes * 768  # in steps of 256 tokens
    assert memory.compute_buffer_bytes == token_bytes * (2048 - 768)
    assert memory.weights_bytes > 500_000


def test_loaded_model_says_what_it_is(model: Path) -> None:
    fractions: list[float] = []
    engine = LlamaCppEngine({"PATH": ""}, measure_busy_cores=lambda: 0.0)
    described = engine.load(model, LoadOptions(model_name="mine", is_demo=True, threads=1), fractions.append)
    engine.unload()
    assert (described.name, described.engine, described.is_demo) == ("mine", EngineName.LLAMACPP, True)
    assert described.engine_version.startswith("xllamacpp ")
    assert described.device.startswith("CPU, 1 thread, ")
    assert described.context_limit_tokens == 2048
    assert described.vocabulary_size == 416
    assert described.load_started_ns < described.load_ended_ns
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1.0


def test_an_engine_can_be_loaded_again_and_again(model: Path) -> None:
    engine = LlamaCppEngine({"PATH": ""}, measure_busy_cores=lambda: 0.0)
    texts = []
    for _ in range(3):
        engine.load(model, LoadOptions(), lambda _: None)
        texts.append(text_of(run(engine, ask())))
    engine.unload()
    engine.unload()
    assert len(set(texts)) == 1
    with pytest.raises(EngineUnavailableError):
        engine.submit(ask())
    assert not engine.busy()


def test_unloading_cancels_what_runs(model: Path) -> None:
    engine = LlamaCppEngine({"PATH": ""}, measure_busy_cores=lambda: 0.0)
    engine.load(model, LoadOptions(), lambda _: None)
    engine.submit(ask(number=1, max_tokens=1000, ignore_end_token=True))
    engine.submit(ask(number=2))
    step_until(engine, lambda events: any(isinstance(event, TextDelta) for event in events))
    engine.unload()
    assert sorted(type(event).__name__ + str(event.id) for event in drain(engine)) == ["Cancelled1", "Cancelled2"]


@pytest.mark.parametrize("bits", [4, 8])
def test_a_quantized_kv_cache_takes_less_and_still_writes(model: Path, bits: int) -> None:
    with loaded_engine(model, LoadOptions(kv_cache_bits=bits)) as engine:
        assert stats_of(run(engine, ask(max_tokens=8, ignore_end_token=True))).generated_tokens == 8
        assert engine.memory().kv_cache_bytes < 256 * 512 * 0.6


@pytest.mark.parametrize("weights", ["F16", "Q8_0", "Q4_0"])
def test_every_common_kind_of_weights_runs(tmp_path: Path, weights: str) -> None:
    path = tmp_path / "model.gguf"
    write_random_gguf(path, msgspec.convert({"weights": weights}, GgufRecipe))
    with loaded_engine(path) as engine:
        assert stats_of(run(engine, ask(SOME_TOKENS, max_tokens=4, ignore_end_token=True))).generated_tokens == 4
