"""Broken, hostile and impossible models: each ends in one clear error, and the engine is still good."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from runtime.engine.llamacpp_engine import LlamaCppEngine
from runtime.metrics.device import DeviceInfo, read_device
from runtime.values.errors import UserFacingError
from runtime.values.generation import Failed
from runtime.values.model import LoadOptions
from runtime.values.prompt import ChatPrompt, Message, Role
from tests.models.random_gguf import GgufRecipe, write_random_gguf
from tests.runtime.engine.llamacpp_session import (
    NO_PROGRAMS,
    ask,
    end_of,
    error_of,
    loaded_engine,
    run,
    stats_of,
)

HELLO = ChatPrompt((Message(Role.USER, "Hello"),))
LOOP = "{% for a in range(100000) %}{% for b in range(100000) %}{% endfor %}{% endfor %}"
HUGE = "{% for a in range(100000) %}{{ messages[0].content * 1000 }}{% endfor %}"


def recipe(**fields: object) -> Callable[[Path], None]:
    return lambda path: void(write_random_gguf(path, msgspec.convert(fields, GgufRecipe)))


def void(_: object) -> None:
    """Drop a result."""


def damaged(damage: Callable[[bytes], bytes]) -> Callable[[Path], None]:
    def make(path: Path) -> None:
        write_random_gguf(path)
        path.write_bytes(damage(path.read_bytes()))

    return make


def with_zeroed_weights(content: bytes) -> bytes:
    zeroed = 500_000
    return content[:-zeroed] + bytes(zeroed)


BAD_MODELS: dict[str, tuple[Callable[[Path], None], str]] = {
    "missing": (lambda _: None, "model-missing"),
    "an empty directory": (Path.mkdir, "model-missing"),
    "empty file": (lambda path: void(path.write_bytes(b"")), "model-broken"),
    "no model": (lambda path: void(path.write_text("not a model at all", encoding="utf-8")), "model-broken"),
    "truncated header": (damaged(lambda content: content[:600]), "model-broken"),
    "truncated weights": (damaged(lambda content: content[:-5000]), "model-broken"),
    "zeros": (damaged(lambda content: bytes(len(content))), "model-broken"),
    "wrong magic": (damaged(lambda content: b"GGML" + content[4:]), "model-broken"),
    "zeroed weights": (damaged(with_zeroed_weights), "model-broken"),
    "unknown architecture": (recipe(architecture="nonsuch"), "model-unsupported"),
    "misshapen tensor": (recipe(misshapen="blk.1.ffn_down.weight"), "model-broken"),
    "no tokenizer": (recipe(with_tokenizer=False), "model-broken"),
    "a token twice": (recipe(stands_twice="again"), "model-unsupported"),
    "NaN weights": (recipe(nan_in="blk.1.ffn_down.weight"), "model-broken"),
    "NaN output": (recipe(nan_in="output.weight"), "model-broken"),
}


@pytest.mark.parametrize("name", BAD_MODELS)
def test_bad_model_is_one_clear_error_and_the_engine_stays_good(tmp_path: Path, name: str) -> None:
    make, code = BAD_MODELS[name]
    bad, good = tmp_path / "bad.gguf", tmp_path / "good.gguf"
    make(bad)
    write_random_gguf(good)
    engine = LlamaCppEngine(NO_PROGRAMS, measure_busy_cores=lambda: 0.0)
    with pytest.raises(UserFacingError) as caught:
        engine.load(bad, LoadOptions(), lambda _: None)
    assert caught.value.code == code
    assert len(caught.value.what) < 300
    assert caught.value.next_step
    engine.load(good, LoadOptions(), lambda _: None)
    assert stats_of(run(engine, ask(max_tokens=2, ignore_end_token=True))).generated_tokens == 2
    engine.unload()


def test_what_llamacpp_says_of_a_model_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "model.gguf"
    write_random_gguf(path, GgufRecipe(architecture="nonsuch\x1b[31m"))
    engine = LlamaCppEngine(NO_PROGRAMS, measure_busy_cores=lambda: 0.0)
    with pytest.raises(UserFacingError) as caught:
        engine.load(path, LoadOptions(), lambda _: None)
    assert "unknown model architecture: 'nonsuch" in caught.value.what
    assert "\x1b" not in caught.value.what
    assert "failed to load model" in caught.value.detail


@pytest.mark.parametrize(
    ("template", "code"),
    [
        (LOOP, "chat-template"),
        (HUGE, "chat-template"),
        ("{{ raise_exception('no') }}", "chat-template"),
        ("{% if %}", "chat-template"),
        (None, "chat-template"),
    ],
    ids=["loops", "eats memory", "refuses", "is no template", "is missing"],
)
def test_hostile_template_loads_and_fails_its_chats_alone(tmp_path: Path, template: str | None, code: str) -> None:
    path = tmp_path / "model.gguf"
    write_random_gguf(path, GgufRecipe(chat_template=template))
    with loaded_engine(path) as engine:
        assert error_of(run(engine, ask(HELLO))) == code
        with pytest.raises(UserFacingError):
            engine.count_tokens(HELLO)
        assert stats_of(run(engine, ask(max_tokens=2, ignore_end_token=True))).generated_tokens == 2


def machine_with(memory_bytes: int) -> DeviceInfo:
    return msgspec.structs.replace(read_device(), total_memory_bytes=memory_bytes, available_memory_bytes=memory_bytes)


def test_context_beyond_memory_says_what_would_fit(tmp_path: Path) -> None:
    path = tmp_path / "model.gguf"
    write_random_gguf(path, GgufRecipe(context_tokens=10_000_000))
    engine = LlamaCppEngine(NO_PROGRAMS, lambda: 0.0, lambda: machine_with(300_000_000))
    with pytest.raises(UserFacingError) as caught:
        engine.load(path, LoadOptions(context_tokens=5_000_000), lambda _: None)
    assert caught.value.code == "memory-short"
    assert "at most" in caught.value.next_step
    engine.unload()


@pytest.mark.parametrize(
    ("options", "code"),
    [
        (LoadOptions(context_tokens=4096), "invalid-request"),
        (LoadOptions(context_tokens=0), "invalid-request"),
        (LoadOptions(threads=0), "settings"),
        (LoadOptions(threads=100_000), "settings"),
        (LoadOptions(parallel_requests=0), "settings"),
        (LoadOptions(parallel_requests=1000), "settings"),
        (LoadOptions(prefill_chunk_tokens=0), "settings"),
        (LoadOptions(gpu_layers=-1), "settings"),
        (LoadOptions(kv_cache_bits=3), "settings"),
        (LoadOptions(llama_server="/nowhere/llama-server"), "settings"),
    ],
)
def test_impossible_options_say_so(tmp_path: Path, options: LoadOptions, code: str) -> None:
    path = tmp_path / "model.gguf"
    write_random_gguf(path)
    engine = LlamaCppEngine(NO_PROGRAMS, measure_busy_cores=lambda: 0.0)
    with pytest.raises(UserFacingError) as caught:
        engine.load(path, options, lambda _: None)
    assert caught.value.code == code


def test_a_kv_cache_that_cannot_be_quantized_says_so(tmp_path: Path) -> None:
    path = tmp_path / "model.gguf"
    write_random_gguf(path, GgufRecipe(head_dim=16))
    engine = LlamaCppEngine(NO_PROGRAMS, measure_busy_cores=lambda: 0.0)
    with pytest.raises(UserFacingError) as caught:
        engine.load(path, LoadOptions(kv_cache_bits=8), lambda _: None)
    assert caught.value.code == "settings"


@pytest.mark.parametrize(
    "options", [LoadOptions(prefill_chunk_tokens=1), LoadOptions(parallel_requests=32, context_tokens=256)]
)
def test_extreme_but_possible_options_run(tmp_path: Path, options: LoadOptions) -> None:
    path = tmp_path / "model.gguf"
    write_random_gguf(path)
    with loaded_engine(path, options) as engine:
        events = run(engine, *(ask(number=number, max_tokens=2) for number in range(options.parallel_requests)))
        assert not any(isinstance(event, Failed) for event in events)
        end_of([event for event in events if event.id == 0])
