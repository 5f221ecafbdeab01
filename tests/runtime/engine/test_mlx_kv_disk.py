"""Chats go on after a restart where they were, from KV caches on disk: the same words, and only what is new is read."""

from __future__ import annotations

import os
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import mlx.core as mx
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runtime.engine.mlx_cache import KvCache, new_cache
from runtime.engine.mlx_engine import MlxEngine
from runtime.engine.mlx_evaluation import evaluate_chunk
from runtime.engine.mlx_kv_payload import pack, read_layout, unpack
from runtime.engine.mlx_loading import load_mlx_model
from runtime.kv_store.folder import KvFolder
from runtime.kv_store.record import FORM, encode
from runtime.library.reader import read_spec
from runtime.values.generation import GenerateRequest
from runtime.values.model import KvStoreOptions
from runtime.values.prompt import TokenPrompt
from tests.models.random_architectures import RECURRENT_STATE, SLIDING_WINDOW, Config, write_random_architecture
from tests.models.random_mlx import write_random_mlx
from tests.runtime.engine.limited_files import limited_files
from tests.runtime.engine.mlx_running import Reply, ask, loaded, run

PROMPT = tuple(5 + index * 7 % 400 for index in range(100))
LONG_IDLE_S = 3600.0
"""So long that nothing is written but when the engine is unloaded."""


@pytest.fixture(scope="module", params=[None, SLIDING_WINDOW, RECURRENT_STATE], ids=["attention", "window", "state"])
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    config: Config | None = request.param
    place = tmp_path_factory.mktemp("models") / "model"
    if config is None:
        write_random_mlx(place)
    else:
        write_random_architecture(place, config)
    return place


@pytest.fixture(scope="module")
def plain_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("models") / "plain"
    write_random_mlx(place)
    return place


@pytest.fixture(scope="module")
def cold(folder: Path) -> Iterator[MlxEngine]:
    engine = loaded(folder, prefill_chunk_tokens=64)
    yield engine
    engine.unload()


def stored(path: Path, **changes: object) -> KvStoreOptions:
    options = KvStoreOptions(folder=str(path), idle_s=LONG_IDLE_S, least_tokens=8)
    return msgspec.structs.replace(options, **changes)


def started(folder: Path, kv: Path, **changes: object) -> MlxEngine:
    """Return an engine that has just started."""
    return loaded(folder, prefill_chunk_tokens=64, kv_store=stored(kv), **changes)


def end(engine: MlxEngine) -> None:
    """End an engine, however slow the disk is."""
    assert engine.kv_disk is not None
    engine.kv_disk.flush(limit_s=60)
    engine.unload()


def request_for(*prompt: int, **changes: object) -> GenerateRequest:
    return ask(TokenPrompt(prompt), max_tokens=5, ignore_end_token=True, **changes)


def one(engine: MlxEngine, *prompt: int, **changes: object) -> Reply:
    (reply,) = run(engine, request_for(*prompt, **changes))
    return reply


def chat_once(folder: Path, kv: Path, *prompt: int, **changes: object) -> Reply:
    """Start, ask once, and end."""
    engine = started(folder, kv)
    reply = one(engine, *prompt, **changes)
    end(engine)
    return reply


@settings(max_examples=2, deadline=None)
@given(
    sessions=st.lists(
        st.lists(st.tuples(st.integers(0, 10**6), st.lists(st.integers(5, 400), min_size=1, max_size=30)), max_size=3),
        min_size=2,
        max_size=2,
    )
)
def test_says_the_same_after_restarts_as_from_scratch(
    tmp_path_factory: pytest.TempPathFactory,
    folder: Path,
    cold: MlxEngine,
    sessions: list[list[tuple[int, list[int]]]],
) -> None:
    kv = tmp_path_factory.mktemp("kv")
    chats: list[tuple[int, ...]] = [()]
    answered = []
    for session in sessions:
        engine = started(folder, kv)
        for draw, message in session:
            # Go on with any chat there was, from anywhere in it.
            chat = chats[draw % len(chats)]
            prompt = (*chat[: len(chat) - draw % 3], *message)
            said = one(engine, *prompt).token_ids
            chats.append((*prompt, *said))
            answered.append((prompt, said))
        end(engine)
    for prompt, said in answered:
        assert one(cold, *prompt, reuse_cache=False).token_ids == said


def test_goes_on_after_a_restart_where_it_was(tmp_path: Path, folder: Path, cold: MlxEngine) -> None:
    said = chat_once(folder, tmp_path, *PROMPT).token_ids
    next_turn = (*PROMPT, *said, 7, 8, 9)
    reply = chat_once(folder, tmp_path, *next_turn)
    assert reply.stats.cached_tokens == len(PROMPT) + len(said)
    assert reply.token_ids == one(cold, *next_turn, reuse_cache=False).token_ids


def test_goes_back_to_the_last_message_after_a_restart(tmp_path: Path, folder: Path) -> None:
    chat_once(folder, tmp_path, *PROMPT)
    assert chat_once(folder, tmp_path, *PROMPT).stats.cached_tokens == len(PROMPT) - 1


def test_writes_while_idle(tmp_path: Path, plain_folder: Path) -> None:
    engine = loaded(plain_folder, kv_store=stored(tmp_path, idle_s=0.0))
    one(engine, *PROMPT)
    end(engine)
    assert len(KvFolder(tmp_path).entries()) == 1


def test_what_a_request_interrupted_is_written_after_it(tmp_path: Path, plain_folder: Path) -> None:
    engine = started(plain_folder, tmp_path)
    one(engine, *PROMPT)
    one(engine, *reversed(PROMPT))
    end(engine)
    assert len(KvFolder(tmp_path).entries()) == 2


def test_private_chats_write_nothing(tmp_path: Path, plain_folder: Path) -> None:
    chat_once(plain_folder, tmp_path, *PROMPT, is_private=True)
    assert list(tmp_path.iterdir()) == []


def test_short_chats_and_what_is_there_already_are_not_written(tmp_path: Path, plain_folder: Path) -> None:
    chat_once(plain_folder, tmp_path, 5)
    assert KvFolder(tmp_path).entries() == []
    chat_once(plain_folder, tmp_path, *PROMPT)
    before = KvFolder(tmp_path).entries()[0].path
    chat_once(plain_folder, tmp_path, *PROMPT)
    assert [entry.path for entry in KvFolder(tmp_path).entries()] == [before]


def truncated(content: bytes) -> bytes:
    return content[:-1000]


def bit_flipped(content: bytes) -> bytes:
    return content[:-1000] + bytes([content[-1000] ^ 4]) + content[-999:]


@pytest.mark.parametrize("damage", [truncated, bit_flipped])
def test_a_damaged_file_costs_time_only(tmp_path: Path, plain_folder: Path, damage: Callable[[bytes], bytes]) -> None:
    right = chat_once(plain_folder, tmp_path, *PROMPT)
    (entry,) = KvFolder(tmp_path).entries()
    entry.payload.write_bytes(damage(entry.payload.read_bytes()))
    reply = chat_once(plain_folder, tmp_path, *PROMPT)
    assert reply.stats.cached_tokens == 0
    assert reply.token_ids == right.token_ids


def test_files_that_changed_places_are_not_used(tmp_path: Path, plain_folder: Path) -> None:
    for prompt in (PROMPT, PROMPT[::-1]):
        chat_once(plain_folder, tmp_path, *prompt)
    one, two = (entry.payload for entry in KvFolder(tmp_path).entries())
    contents = one.read_bytes(), two.read_bytes()
    one.write_bytes(contents[1])
    two.write_bytes(contents[0])
    engine = started(plain_folder, tmp_path)
    for prompt in (PROMPT, PROMPT[::-1]):
        assert one_cached(engine, *prompt) == 0
    engine.unload()


def one_cached(engine: MlxEngine, *prompt: int) -> int:
    return one(engine, *prompt).stats.cached_tokens


def test_what_another_version_wrote_is_not_used(tmp_path: Path, plain_folder: Path) -> None:
    chat_once(plain_folder, tmp_path, *PROMPT)
    (entry,) = KvFolder(tmp_path).entries()
    entry.path.write_bytes(encode(msgspec.structs.replace(entry.record, form=FORM + 1)))
    assert chat_once(plain_folder, tmp_path, *PROMPT).stats.cached_tokens == 0


@pytest.mark.skipif(not hasattr(signal, "SIGXFSZ"), reason="limits of POSIX")
def test_a_full_disk_costs_what_is_written_and_nothing_else(tmp_path: Path, plain_folder: Path) -> None:
    said = chat_once(plain_folder, tmp_path, *PROMPT).token_ids
    (before,) = KvFolder(tmp_path).entries()
    engine = started(plain_folder, tmp_path)
    longer = (*PROMPT, *said, *range(100, 400))
    right = one(engine, *longer).token_ids
    with limited_files(before.total_bytes + 10_000):
        end(engine)
    assert [entry.path for entry in KvFolder(tmp_path).entries()] == [before.path]
    again = chat_once(plain_folder, tmp_path, *longer)
    assert again.stats.cached_tokens == len(before.record.tokens)
    assert again.token_ids == right


def test_two_engines_share_a_folder(tmp_path: Path, plain_folder: Path) -> None:
    first, second = started(plain_folder, tmp_path), started(plain_folder, tmp_path)
    said = one(first, *PROMPT).token_ids
    one(second, *PROMPT[::-1])
    end(first)
    # What another instance has written since is found without a restart.
    assert one_cached(second, *PROMPT, *said, 7) == len(PROMPT) + len(said)
    end(second)
    assert len(KvFolder(tmp_path).entries()) == 2


def test_clocks_that_jump_change_nothing(tmp_path: Path, plain_folder: Path) -> None:
    chat_once(plain_folder, tmp_path, *PROMPT)
    for jump_s in (10**9, -(10**9)):
        for file in (*tmp_path.iterdir(), tmp_path):
            os.utime(file, (time.time() + jump_s, time.time() + jump_s))
        assert chat_once(plain_folder, tmp_path, *PROMPT).stats.cached_tokens == len(PROMPT) - 1


@pytest.mark.parametrize("change", ["model", "settings"])
def test_another_model_and_other_settings_begin_afresh(tmp_path: Path, plain_folder: Path, change: str) -> None:
    chat_once(plain_folder, tmp_path / "kv", *PROMPT)
    other = tmp_path / "other"
    shutil.copytree(plain_folder, other)
    if change == "model":
        write_random_mlx(other)
    engine = started(other, tmp_path / "kv", kv_cache_bits=8 if change == "settings" else None)
    assert one(engine, *PROMPT).stats.cached_tokens == 0
    engine.unload()


@pytest.mark.parametrize(("dtype", "bits"), [(mx.float32, None), (mx.float16, 8), (mx.bfloat16, None)])
def test_a_payload_holds_every_bit_of_a_cache(tmp_path: Path, dtype: mx.Dtype, bits: int | None) -> None:
    write_random_mlx(tmp_path / "model", dtype=dtype)
    engine = loaded(tmp_path / "model", kv_cache_bits=bits, kv_store=stored(tmp_path / "kv"))
    said = one(engine, *PROMPT).token_ids
    warm = one(engine, *PROMPT, *said, 7, 8).token_ids
    end(engine)
    engine = loaded(tmp_path / "model", kv_cache_bits=bits, kv_store=stored(tmp_path / "kv"))
    reply = one(engine, *PROMPT, *said, 7, 8)
    assert reply.stats.cached_tokens == len(PROMPT) + len(said) + 1
    assert reply.token_ids == warm
    engine.unload()


def filled_cache(folder: Path) -> tuple[KvCache, Callable[[], KvCache]]:
    network = load_mlx_model(read_spec(folder), lambda _fraction: None).network
    cache = new_cache(network, None)
    cache.plan_checkpoints((50,))
    for start, end in ((0, 50), (50, len(PROMPT) - 1)):
        evaluate_chunk(network, cache, PROMPT[start:end])
        cache.reached(end)
    return cache, lambda: new_cache(network, None)


def test_a_payload_is_unpacked_as_it_was_packed(tmp_path: Path, folder: Path) -> None:
    cache, new = filled_cache(folder)
    payload = pack(cache.fork(cache.tokens))
    file = tmp_path / "one.kv"
    file.write_bytes(b"".join(payload.pieces()))
    assert file.stat().st_size == payload.nbytes
    again = unpack(file, read_layout(payload.layout), new())
    assert pack(again).layout == payload.layout
    assert b"".join(pack(again).pieces()) == file.read_bytes()
    places = [one.tokens for one in cache.checkpoints]
    assert [one.tokens for one in again.checkpoints] == places


def test_a_payload_of_another_kind_of_model_is_refused(tmp_path: Path, plain_folder: Path) -> None:
    cache, _ = filled_cache(plain_folder)
    payload = pack(cache.fork(cache.tokens))
    file = tmp_path / "one.kv"
    file.write_bytes(b"".join(payload.pieces()))
    write_random_architecture(tmp_path / "other", SLIDING_WINDOW)
    _, other = filled_cache(tmp_path / "other")
    with pytest.raises(ValueError, match="layers"):
        unpack(file, read_layout(payload.layout), other())
