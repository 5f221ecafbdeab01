"""A KV cache on disk is what was written, or it is not there."""

from __future__ import annotations

import os
import random
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runtime.kv_store.checksum import BLOCK_BYTES
from runtime.kv_store.folder import KvEntry, KvFolder
from runtime.kv_store.record import FORM, decode, encode
from tests.runtime.kv_store.caches import OTHER_SCOPE, SCOPE, content_of, is_right, payload_of, store_in

BUDGET_BYTES = 1_000_000
LARGEST_BYTES = 250_000
Damage = Callable[[bytes, random.Random], bytes]


def truncated(content: bytes, draw: random.Random) -> bytes:
    return content[: draw.randrange(len(content))]


def bit_flipped(content: bytes, draw: random.Random) -> bytes:
    place = draw.randrange(len(content))
    return content[:place] + bytes([content[place] ^ 1 << draw.randrange(8)]) + content[place + 1 :]


def lengthened(content: bytes, draw: random.Random) -> bytes:
    return content + draw.randbytes(1 + draw.randrange(100))


def emptied(_content: bytes, _draw: random.Random) -> bytes:
    return b""


def found(path: Path) -> list[KvEntry]:
    """Return the caches that would be used."""
    store = store_in(path)
    return [entry for entry in store.entries() if store.checked(entry)]


@pytest.mark.parametrize("size", [0, 1, 5000, BLOCK_BYTES - 1, BLOCK_BYTES, 2 * BLOCK_BYTES + 17])
def test_gives_back_what_was_written(tmp_path: Path, size: int) -> None:
    assert store_in(tmp_path).write(content_of((1, 2, 3), size))
    (entry,) = found(tmp_path)
    assert entry.record.tokens == (1, 2, 3)
    assert entry.payload.read_bytes() == payload_of((1, 2, 3), size)


@pytest.mark.skipif(os.name != "posix", reason="permissions of POSIX")
def test_is_for_this_user_alone(tmp_path: Path) -> None:
    store_in(tmp_path / "kv").write(content_of((1, 2, 3)))
    assert stat.S_IMODE((tmp_path / "kv").stat().st_mode) == 0o700
    assert {stat.S_IMODE(file.stat().st_mode) for file in (tmp_path / "kv").iterdir()} == {0o600}


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    seed=st.integers(0, 2**32),
    damage=st.sampled_from([truncated, bit_flipped, lengthened, emptied]),
    suffix=st.sampled_from([".kv", ".json"]),
)
def test_never_uses_a_damaged_file_and_removes_it(
    tmp_path_factory: pytest.TempPathFactory, seed: int, damage: Damage, suffix: str
) -> None:
    path = tmp_path_factory.mktemp("kv")
    store_in(path).write(content_of((1, 2, 3)))
    (file,) = path.glob("*" + suffix)
    file.write_bytes(damage(file.read_bytes(), random.Random(seed)))
    assert found(path) == []
    KvFolder(path).sweep()
    assert [one.name for one in path.iterdir() if one.name != "lock"] == []


def test_finds_a_changed_bit_anywhere_in_a_file_of_several_blocks(tmp_path: Path) -> None:
    size = BLOCK_BYTES + 4096
    for place in (0, 4095, BLOCK_BYTES - 1, BLOCK_BYTES, size - 1):
        store_in(tmp_path).write(content_of((1, 2, 3), size))
        (entry,) = found(tmp_path)
        content = bytearray(entry.payload.read_bytes())
        content[place] ^= 0x80
        entry.payload.write_bytes(content)
        assert found(tmp_path) == []


@pytest.mark.parametrize("unit", [512, 4096, BLOCK_BYTES])
def test_finds_parts_that_changed_places(tmp_path: Path, unit: int) -> None:
    store_in(tmp_path).write(content_of((1, 2, 3), 3 * BLOCK_BYTES))
    (entry,) = found(tmp_path)
    content = bytearray(entry.payload.read_bytes())
    content[:unit], content[unit : 2 * unit] = content[unit : 2 * unit], content[:unit]
    entry.payload.write_bytes(content)
    assert found(tmp_path) == []


def test_finds_payloads_that_changed_places(tmp_path: Path) -> None:
    for tokens in ((1, 2, 3), (4, 5, 6)):
        store_in(tmp_path).write(content_of(tokens))
    one, other = (entry.payload for entry in found(tmp_path))
    contents = one.read_bytes(), other.read_bytes()
    other.write_bytes(contents[0])
    one.write_bytes(contents[1])
    assert found(tmp_path) == []


def test_other_models_and_settings_have_caches_of_their_own(tmp_path: Path) -> None:
    store_in(tmp_path, OTHER_SCOPE).write(content_of((1, 2, 3)))
    assert store_in(tmp_path).entries() == []
    changed = [{"model_key": "x"}, {"engine": "x"}, {"engine_version": "x"}, {"settings": "x"}]
    keys = {SCOPE.key, *(msgspec.structs.replace(SCOPE, **change).key for change in changed)}
    assert len(keys) == 5
    assert msgspec.structs.replace(SCOPE, model_name="renamed").key == SCOPE.key


def test_a_record_that_was_moved_to_another_scope_is_not_used(tmp_path: Path) -> None:
    store_in(tmp_path, OTHER_SCOPE).write(content_of((1, 2, 3)))
    for file in [*tmp_path.glob("*.kv"), *tmp_path.glob("*.json")]:
        file.rename(tmp_path / file.name.replace(OTHER_SCOPE.key, SCOPE.key))
    assert found(tmp_path) == []


def test_removes_what_another_version_wrote(tmp_path: Path) -> None:
    store_in(tmp_path).write(content_of((1, 2, 3)))
    (entry,) = found(tmp_path)
    entry.path.write_bytes(encode(msgspec.structs.replace(entry.record, form=FORM + 1)))
    assert found(tmp_path) == []
    KvFolder(tmp_path).sweep()
    assert not entry.payload.exists()


@given(content=st.binary(max_size=200))
def test_reads_no_record_out_of_anything(content: bytes) -> None:
    assert decode(content) is None


def test_a_longer_cache_takes_the_place_of_what_it_begins_with(tmp_path: Path) -> None:
    store = store_in(tmp_path)
    for tokens in ((1, 2), (1, 2, 3), (1, 9), (1, 2, 3, 4)):
        store.write(content_of(tokens))
    assert sorted(entry.record.tokens for entry in store.entries()) == [(1, 2, 3, 4), (1, 9)]


def test_stops_between_two_pieces_and_leaves_nothing(tmp_path: Path) -> None:
    store = store_in(tmp_path)
    store.write(content_of((1, 2)))
    answers = iter([False, True])
    assert not store.write(content_of((1, 2, 3), 2_000_000), lambda: next(answers))
    assert [entry.record.tokens for entry in found(tmp_path)] == [(1, 2)]
    assert len(list(tmp_path.iterdir())) == 3


def test_writes_nothing_larger_than_the_budget_and_gives_up_nothing_for_it(tmp_path: Path) -> None:
    store = store_in(tmp_path, budget_bytes=1500)
    assert store.write(content_of((1, 2)))
    assert not store.write(content_of((3, 4), 1501))
    assert len(found(tmp_path)) == 1


@settings(max_examples=25, deadline=None)
@given(sizes=st.lists(st.integers(1, 400_000), min_size=1, max_size=12))
def test_keeps_to_the_budget(tmp_path_factory: pytest.TempPathFactory, sizes: list[int]) -> None:
    path = tmp_path_factory.mktemp("kv")
    store = store_in(path, budget_bytes=BUDGET_BYTES)
    for index, size in enumerate(sizes):
        assert store.write(content_of((index, index), size))
        assert sum(entry.total_bytes for entry in KvFolder(path).entries()) <= BUDGET_BYTES
    assert all(is_right(entry) for entry in found(path))


def test_sees_what_another_process_has_written_and_removed(tmp_path: Path) -> None:
    mine, other = store_in(tmp_path), store_in(tmp_path)
    assert mine.entries() == []
    other.write(content_of((1, 2)))
    (entry,) = mine.entries()
    other.remove(entry)
    assert not mine.checked(entry)
    assert mine.entries() == []


def test_clears_what_is_meant(tmp_path: Path) -> None:
    store_in(tmp_path).write(content_of((1, 2)))
    store_in(tmp_path, OTHER_SCOPE).write(content_of((1, 2)))
    assert len(KvFolder(tmp_path).clear(lambda entry: entry.record.scope.model_name == "Other")) == 1
    assert [entry.record.scope.model_name for entry in KvFolder(tmp_path).entries()] == ["Tiny"]
    assert len(KvFolder(tmp_path).clear()) == 1
    assert KvFolder(tmp_path / "absent").clear() == []


def run_writer(path: Path, seed: int, rounds: int) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "tests.runtime.kv_store.caches", path, seed, rounds, BUDGET_BYTES]
    return subprocess.Popen([str(part) for part in command])


def check(path: Path) -> None:
    """Check that everything that would be used is right, within the budget, and that nothing else stays."""
    folder = KvFolder(path)
    assert all(is_right(entry) for entry in folder.entries())
    folder.sweep()
    # A writer that is killed before it has made room leaves one entry too many.
    assert sum(entry.total_bytes for entry in folder.entries()) <= BUDGET_BYTES + LARGEST_BYTES
    names = {entry.path.stem for entry in folder.entries()}
    assert {file.stem for file in path.iterdir() if file.name != "lock"} == names


def test_two_processes_write_at_once(tmp_path: Path) -> None:
    writers = [run_writer(tmp_path, seed, 15) for seed in (1, 2)]
    assert [writer.wait(60) for writer in writers] == [0, 0]
    assert KvFolder(tmp_path).entries()
    check(tmp_path)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_survives_a_hundred_kills(tmp_path: Path) -> None:
    draw = random.Random(7)
    for seed in range(100):
        writer = run_writer(tmp_path, seed, 10**6)
        time.sleep(draw.uniform(0.2, 1.0))
        writer.kill()
        writer.wait()
        check(tmp_path)


FULL_DISK = """
import resource, signal, sys
from pathlib import Path
from tests.runtime.kv_store.caches import content_of, store_in
store = store_in(Path(sys.argv[1]))
assert store.write(content_of((1, 2), 50_000))
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
assert not store.write(content_of((1, 2, 3), 150_000))
"""


@pytest.mark.skipif(not hasattr(signal, "SIGXFSZ"), reason="limits of POSIX")
def test_a_full_disk_costs_what_is_written_and_nothing_else(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-c", FULL_DISK, str(tmp_path)], check=True, timeout=60)
    assert [entry.record.tokens for entry in found(tmp_path)] == [(1, 2)]
    check(tmp_path)
