"""Chats go on after a restart of llama.cpp where they were, from slot files: the same words, only the new is read."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from runtime.engine.llamacpp_engine import LlamaCppEngine
from runtime.kv_store.folder import KvEntry, KvFolder
from runtime.kv_store.record import FORM, encode
from runtime.values.generation import Cancelled
from runtime.values.kv_cache import CacheOrigin
from runtime.values.prompt import TokenPrompt
from tests.models.random_gguf import HYBRID, SLIDING_WINDOW, GgufRecipe, write_random_gguf
from tests.runtime.engine.limited_files import limited_files
from tests.runtime.engine.llamacpp_kept import PROMPT, Said, say, say_once, started, stored
from tests.runtime.engine.llamacpp_session import ask, drain, end_of
from tests.runtime.engine.native_program import stand_in_program, stand_ins_below

POSIX_ONLY = pytest.mark.skipif(os.name != "posix", reason="the stand-in is a shell script")
COLD_TOLERANCE = 0.02
"""Log-probabilities of a prompt read at once and of one read in parts: batches of other shapes round in other ways."""


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("models") / "tiny.gguf"
    write_random_gguf(path)
    return path


@pytest.fixture(scope="module", params=["embedded", pytest.param("native", marks=POSIX_ONLY)])
def program(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path | None:
    return None if request.param == "embedded" else stand_in_program(tmp_path_factory.mktemp("bin"))


def entries(kv: Path) -> list[KvEntry]:
    return KvFolder(kv).entries()


def the_entry(kv: Path) -> KvEntry:
    (entry,) = entries(kv)
    return entry


def test_goes_on_after_a_restart_exactly_as_it_would_have_without(
    tmp_path: Path, model: Path, program: Path | None
) -> None:
    with started(model, tmp_path, program) as engine:
        said = say(engine, *PROMPT)
        next_turn = (*PROMPT, *said.token_ids, 7, 8, 9)
    with started(model, None, program) as engine:
        assert say(engine, *PROMPT).choices == said.choices
        warm = say(engine, *next_turn)
    resumed = say_once(model, tmp_path, *next_turn, program=program)
    assert resumed.choices == warm.choices
    assert resumed.stats.cached_tokens == warm.stats.cached_tokens == len(next_turn) - 4
    assert resumed.stats.cache_origin is CacheOrigin.DISK
    assert warm.stats.cache_origin is CacheOrigin.MEMORY
    assert resumed.stats.ttft_parts is not None
    assert resumed.stats.ttft_parts.cache_restore_ms > 0


def test_is_close_to_what_is_said_from_scratch(tmp_path: Path, model: Path) -> None:
    said = say_once(model, tmp_path, *PROMPT)
    next_turn = (*PROMPT, *said.token_ids, 7, 8, 9)
    resumed = say_once(model, tmp_path, *next_turn)
    with started(model, None) as engine:
        cold = say(engine, *next_turn, reuse_cache=False)
    assert resumed.stats.cached_tokens > cold.stats.cached_tokens == 0
    for one, other in zip(resumed.choices, cold.choices, strict=True):
        assert one.chosen.logprob == pytest.approx(other.chosen.logprob, abs=COLD_TOLERANCE)


def test_what_is_written_says_whose_it_is_and_holds_what_was_evaluated(tmp_path: Path, model: Path) -> None:
    said = say_once(model, tmp_path, *PROMPT, conversation="mine")
    record = the_entry(tmp_path).record
    assert record.tokens == (*PROMPT, *said.token_ids[:-1])
    assert record.conversation == "mine"
    assert record.scope.engine == "llamacpp"
    assert record.saved_ms > 0
    assert {file.suffix for file in tmp_path.iterdir()} == {"", ".kv", ".json"}


def test_writes_while_idle_and_not_before(tmp_path: Path, model: Path) -> None:
    with started(model, tmp_path, kv_store=stored(tmp_path, idle_s=0.2)) as engine:
        say(engine, *PROMPT)
        assert entries(tmp_path) == []
        wait_for_entries(tmp_path, 1)
        said = say(engine, *PROMPT, 7, 8)
        assert said.stats.cached_tokens == len(PROMPT)


def wait_for_entries(kv: Path, count: int) -> None:
    wait_until(lambda: len(entries(kv)) >= count)


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.01)


def test_private_chats_write_nothing(tmp_path: Path, model: Path) -> None:
    with started(model, tmp_path) as engine:
        say(engine, *PROMPT, is_private=True)
        # The request that is stopped at once may have been read in part, into a slot that held what may be written.
        engine.submit(ask(TokenPrompt(tuple(reversed(PROMPT))), number=2))
        drain(engine)
        engine.submit(msgspec.structs.replace(ask(TokenPrompt(PROMPT), number=3), is_private=True))
        engine.step()
        engine.cancel(3)
        assert isinstance(end_of(drain(engine)), Cancelled)
    assert entries(tmp_path) == []


def test_short_chats_and_what_is_there_already_are_not_written(tmp_path: Path, model: Path) -> None:
    say_once(model, tmp_path, 5, 6, max_tokens=1)
    assert entries(tmp_path) == []
    say_once(model, tmp_path, *PROMPT)
    before = the_entry(tmp_path).path
    say_once(model, tmp_path, *PROMPT)
    assert the_entry(tmp_path).path == before


def test_a_longer_chat_takes_the_place_of_what_it_goes_on_from(tmp_path: Path, model: Path) -> None:
    said = say_once(model, tmp_path, *PROMPT)
    say_once(model, tmp_path, *PROMPT, *said.token_ids, *range(100, 160))
    assert len(the_entry(tmp_path).record.tokens) == len(PROMPT) + 5 + 60 + 4


def test_a_branch_that_an_edit_cut_off_comes_back_from_disk(tmp_path: Path, model: Path) -> None:
    branch = (*PROMPT, *range(200, 260))
    edited = (*PROMPT, *range(100, 160))
    with started(model, tmp_path, kv_store=stored(tmp_path, idle_s=0.0)) as engine:
        say(engine, *branch)
        wait_for_entries(tmp_path, 1)
        assert say(engine, *edited).stats.cached_tokens == len(PROMPT)
        wait_for_entries(tmp_path, 2)
        back = say(engine, *branch, 7)
        assert (back.stats.cached_tokens, back.stats.cache_origin) == (len(branch), CacheOrigin.DISK)
        assert say(engine, *branch, 7).stats.cache_origin is CacheOrigin.MEMORY


def test_what_a_restored_chat_displaces_stays_in_memory(tmp_path: Path, model: Path) -> None:
    other = tuple(range(5, 205))
    say_once(model, tmp_path, *PROMPT)
    with started(model, tmp_path) as engine:
        say(engine, *other)
        assert say(engine, *PROMPT, 7).stats.cache_origin is CacheOrigin.DISK
        back = say(engine, *other, 7)
        assert (back.stats.cached_tokens, back.stats.cache_origin) == (len(other), CacheOrigin.MEMORY)


def truncated(content: bytes, draw: random.Random) -> bytes:
    return content[: draw.randrange(len(content))]


def bit_flipped(content: bytes, draw: random.Random) -> bytes:
    place = draw.choice([draw.randrange(24), draw.randrange(len(content))])
    return content[:place] + bytes([content[place] ^ 1 << draw.randrange(8)]) + content[place + 1 :]


@pytest.mark.parametrize("damage", [truncated, bit_flipped])
@pytest.mark.parametrize("suffix", [".kv", ".json"])
def test_a_damaged_file_costs_time_only_and_goes(tmp_path: Path, model: Path, damage: object, suffix: str) -> None:
    assert callable(damage)
    right = say_once(model, tmp_path, *PROMPT)
    kept = {file: file.read_bytes() for file in tmp_path.iterdir()}
    with started(model, tmp_path) as engine:
        for seed in range(5):
            for file, content in kept.items():
                is_damaged = file.suffix == suffix
                file.write_bytes(damage(content, random.Random(seed)) if is_damaged else content)
            said = say(engine, *PROMPT)
            assert said.stats.cached_tokens == 0
            assert said.choices == right.choices
            engine.forget_caches(None)
            KvFolder(tmp_path).sweep()
            assert [file.name for file in tmp_path.iterdir() if file.suffix] == []


def test_files_that_changed_places_are_not_used(tmp_path: Path, model: Path) -> None:
    other = tuple(reversed(PROMPT))
    say_once(model, tmp_path, *PROMPT)
    say_once(model, tmp_path, *other)
    one, two = (entry.payload for entry in entries(tmp_path))
    contents = one.read_bytes(), two.read_bytes()
    one.write_bytes(contents[1])
    two.write_bytes(contents[0])
    with started(model, tmp_path) as engine:
        for prompt in (PROMPT, other):
            assert say(engine, *prompt, 7).stats.cached_tokens == 0


def test_what_another_version_wrote_is_not_used(tmp_path: Path, model: Path) -> None:
    say_once(model, tmp_path, *PROMPT)
    entry = the_entry(tmp_path)
    entry.path.write_bytes(encode(msgspec.structs.replace(entry.record, form=FORM + 1)))
    assert say_once(model, tmp_path, *PROMPT, 7).stats.cached_tokens == 0
    assert the_entry(tmp_path).path != entry.path


def test_a_file_that_the_server_refuses_is_removed(tmp_path: Path, model: Path) -> None:
    """One whose checksum is right, and which is none that this server can read."""
    say_once(model, tmp_path, *PROMPT)
    entry = the_entry(tmp_path)
    with started(model, tmp_path) as engine:
        os.link(entry.payload, tmp_path / "kept")
        entry.payload.unlink()
        entry.payload.mkdir()
        assert say(engine, *PROMPT, 7).stats.cached_tokens == 0
    assert all(one.path != entry.path for one in entries(tmp_path))


@pytest.mark.parametrize("change", ["model", "settings", "server", "requests"])
def test_another_model_server_and_other_settings_begin_afresh(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, change: str
) -> None:
    path, kv = tmp_path / "model.gguf", tmp_path / "kv"
    write_random_gguf(path)
    say_once(path, kv, *PROMPT)
    if change == "model":
        write_random_gguf(path, GgufRecipe(seed=2))
    if change == "server" and os.name != "posix":
        pytest.skip("the stand-in is a shell script")
    program = stand_in_program(tmp_path_factory.mktemp("bin")) if change == "server" else None
    bits, requests = 8 if change == "settings" else None, 2 if change == "requests" else 1
    with started(path, kv, program, kv_cache_bits=bits, parallel_requests=requests) as engine:
        assert say(engine, *PROMPT, 7).stats.cached_tokens == 0


def test_another_length_of_the_context_changes_nothing(tmp_path: Path, model: Path) -> None:
    say_once(model, tmp_path, *PROMPT)
    with started(model, tmp_path, context_tokens=512) as engine:
        assert say(engine, *PROMPT, 7).stats.cached_tokens == len(PROMPT)
    with started(model, tmp_path, context_tokens=90) as engine:
        assert say(engine, *PROMPT[:50], 7).stats.cached_tokens == 0


@pytest.mark.parametrize("weights", ["F16", "Q8_0"])
@pytest.mark.parametrize("bits", [None, 8, 4])
def test_quantized_caches_come_back_exactly(
    tmp_path: Path, weights: str, bits: int | None, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("models") / "model.gguf"
    write_random_gguf(path, msgspec.structs.replace(GgufRecipe(), weights=weights))
    with started(path, tmp_path, kv_cache_bits=bits) as engine:
        said = say(engine, *PROMPT)
        warm = say(engine, *PROMPT, *said.token_ids, 7)
    with started(path, tmp_path, kv_cache_bits=bits) as engine:
        resumed = say(engine, *PROMPT, *said.token_ids, 7)
    assert resumed.stats.cache_origin is CacheOrigin.DISK
    assert resumed.token_ids == warm.token_ids


@pytest.mark.parametrize("recipe", [SLIDING_WINDOW, HYBRID], ids=["window", "state"])
def test_what_cannot_be_cut_comes_back_to_where_the_last_prompt_ended(tmp_path: Path, recipe: GgufRecipe) -> None:
    model, kv = tmp_path / "model.gguf", tmp_path / "kv"
    write_random_gguf(model, recipe)
    prompt = tuple(5 + index * 7 % 400 for index in range(300))
    said = say_once(model, kv, *prompt)
    next_turn = (*prompt, *said.token_ids, 7, 8, 9)
    for asked in (next_turn, prompt):
        with started(model, None) as engine:
            say(engine, *prompt)
            warm = say(engine, *asked)
        resumed = say_once(model, kv, *asked)
        assert resumed.stats.cached_tokens >= len(prompt) - 6
        assert resumed.stats.cache_origin is CacheOrigin.DISK
        for one, other in zip(resumed.choices, warm.choices, strict=True):
            assert one.chosen.logprob == pytest.approx(other.chosen.logprob, abs=COLD_TOLERANCE)


@POSIX_ONLY
def test_a_full_disk_costs_what_is_written_and_nothing_else(tmp_path: Path, model: Path) -> None:
    said = say_once(model, tmp_path, *PROMPT)
    before = the_entry(tmp_path)
    with started(model, tmp_path) as engine:
        longer = (*PROMPT, *said.token_ids, *range(100, 400))
        right = say(engine, *longer)
        with limited_files(before.total_bytes + 10_000):
            engine.unload()
    assert the_entry(tmp_path).path == before.path
    again = say_once(model, tmp_path, *longer)
    assert again.stats.cached_tokens == len(PROMPT) + 4
    assert again.token_ids == right.token_ids


def test_two_engines_share_a_folder(tmp_path: Path, model: Path) -> None:
    other = tuple(reversed(PROMPT))
    with started(model, tmp_path) as one, started(model, tmp_path) as two:
        say(one, *PROMPT)
        say(two, *other)
        say(two, *PROMPT[:60], *other)
    assert {entry.record.tokens[:60] for entry in entries(tmp_path)} == {PROMPT[:60]} or len(entries(tmp_path)) == 2
    with started(model, tmp_path) as engine:
        assert say(engine, *PROMPT, 7).stats.cached_tokens >= 60


def test_clocks_that_jump_change_nothing(tmp_path: Path, model: Path) -> None:
    say_once(model, tmp_path, *PROMPT)
    for jump_s in (10**9, -(10**9)):
        for file in tmp_path.iterdir():
            os.utime(file, (time.time() + jump_s, time.time() + jump_s))
        os.utime(tmp_path, (time.time() + jump_s, time.time() + jump_s))
        assert say_once(model, tmp_path, *PROMPT, 7).stats.cached_tokens == len(PROMPT)


KILLED = """
import sys
from pathlib import Path
from tests.runtime.engine.limited_files import limited_files
from tests.runtime.engine.llamacpp_kept import say, started, stored
model, kv = map(Path, sys.argv[1:3])
with started(model, kv, kv_store=stored(kv, idle_s=0.0, budget_bytes=3_000_000)) as engine:
    print("ready", flush=True)
    for start in range(int(sys.argv[3]), 10**6):
        say(engine, *(5 + (start * 131 + place * 7) % 400 for place in range(900)))
"""


@pytest.fixture(scope="module")
def larger(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model whose slot files take as long as they have to for a kill to hit them."""
    path = tmp_path_factory.mktemp("models") / "larger.gguf"
    write_random_gguf(path, GgufRecipe(layers=4, heads=8, kv_heads=4))
    return path


def kill_while_it_writes(larger: Path, kv: Path, draw: random.Random) -> None:
    command = [sys.executable, "-c", KILLED, str(larger), str(kv), str(draw.randrange(1000))]
    writer = subprocess.Popen(command, stdout=subprocess.PIPE)
    assert writer.stdout is not None
    writer.stdout.readline()
    time.sleep(draw.uniform(0.05, 1.0))
    writer.kill()
    writer.wait()
    writer.stdout.close()


def check_after_kills(kv: Path, engine: LlamaCppEngine) -> None:
    """Check that what is found is right: it says what it says from scratch, but for rounding."""
    for entry in entries(kv)[:1]:
        tokens = entry.record.tokens
        resumed, cold = say(engine, *tokens, 7), say(engine, *tokens, 7, reuse_cache=False)
        assert resumed.stats.cached_tokens in (len(tokens), 0)
        assert close(resumed, cold)
        engine.forget_caches(None)
    KvFolder(kv).sweep()
    names = {entry.path.stem for entry in entries(kv)}
    assert {file.stem for file in kv.iterdir() if file.name != "lock"} == names
    assert sum(entry.total_bytes for entry in entries(kv)) <= 3_000_000 + 2_000_000


def close(one: Said, other: Said) -> bool:
    return abs(one.choices[0].chosen.logprob - other.choices[0].chosen.logprob) < COLD_TOLERANCE


@pytest.fixture
def reader(larger: Path, tmp_path: Path) -> Iterator[LlamaCppEngine]:
    with started(larger, tmp_path) as engine:
        yield engine


def test_survives_being_killed_while_it_writes(larger: Path, tmp_path: Path, reader: LlamaCppEngine) -> None:
    kill_while_it_writes(larger, tmp_path, random.Random(1))
    check_after_kills(tmp_path, reader)


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_survives_a_hundred_kills(larger: Path, tmp_path: Path, reader: LlamaCppEngine) -> None:
    draw = random.Random(2)
    for _ in range(100):
        kill_while_it_writes(larger, tmp_path, draw)
        check_after_kills(tmp_path, reader)


@POSIX_ONLY
def test_a_request_that_comes_while_a_slot_is_saved_waits_and_can_be_cancelled(tmp_path: Path, model: Path) -> None:
    program = stand_in_program(tmp_path)
    kv = tmp_path / "kv"
    with started(model, kv, program, kv_store=stored(kv, idle_s=0.5)) as engine:
        said = say(engine, *PROMPT)
        (server,) = stand_ins_below()
        server.suspend()
        wait_until(lambda: bool(list(kv.glob("*.new"))))
        time.sleep(0.1)
        engine.submit(ask(number=1))
        assert [engine.step() for _ in range(3)] == [[], [], []]
        engine.cancel(1)
        assert drain(engine) == [Cancelled(1, None)]
        engine.submit(ask(number=2))
        assert engine.step() == []
        server.resume()
        end_of(drain(engine))
    assert (*PROMPT, *said.token_ids[:-1]) in {entry.record.tokens for entry in entries(kv)}
