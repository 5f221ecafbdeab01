"""Model identity: the hash is of the content, and a file is read again only when it has changed."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from runtime.bench.model_identity import HashCache, identify, model_sha256
from runtime.config.paths import assets_folder
from runtime.values.errors import ModelBrokenError, ModelMissingError
from runtime.values.model import EngineName, ModelFormat

DEMO = assets_folder() / "demo-model"


class CountingReads:
    """Hashes files and counts how often."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, path: Path) -> str:
        """Return the hash of a file."""
        self.count += 1
        return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture
def cache_file(tmp_path: Path) -> Path:
    return tmp_path / "cache" / "model-hashes.json"


def test_the_hash_of_a_gguf_file_is_that_of_its_bytes(cache_file: Path) -> None:
    path = DEMO / "demo-q8_0.gguf"

    assert model_sha256(path, HashCache(cache_file)) == hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_file_is_read_again_only_when_it_has_changed(tmp_path: Path, cache_file: Path) -> None:
    path, reads = tmp_path / "model.gguf", CountingReads()
    path.write_bytes(b"one")
    first = HashCache(cache_file, reads).sha256(path)
    again = HashCache(cache_file, reads).sha256(path)
    assert (first, reads.count) == (again, 1)

    path.write_bytes(b"two")
    os.utime(path, ns=(1, path.stat().st_mtime_ns + 1))
    changed = HashCache(cache_file, reads).sha256(path)

    assert changed == hashlib.sha256(b"two").hexdigest() != first
    assert reads.count == 2


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"a": 1}', b"\xff\xfe"])
def test_a_damaged_memory_only_costs_time(tmp_path: Path, cache_file: Path, content: bytes) -> None:
    path = tmp_path / "model.gguf"
    path.write_bytes(b"one")
    cache_file.parent.mkdir()
    cache_file.write_bytes(content)

    assert HashCache(cache_file).sha256(path) == hashlib.sha256(b"one").hexdigest()
    reads = CountingReads()
    HashCache(cache_file, reads).sha256(path)
    assert reads.count == 0


def test_a_memory_that_cannot_be_written_only_costs_time(tmp_path: Path) -> None:
    path = tmp_path / "model.gguf"
    path.write_bytes(b"one")

    assert HashCache(path / "below-a-file" / "hashes.json").sha256(path) == hashlib.sha256(b"one").hexdigest()


def test_the_hash_of_a_directory_follows_its_weights_and_not_its_read_me(tmp_path: Path, cache_file: Path) -> None:
    for name in ("config.json", "model.safetensors", "README.md"):
        (tmp_path / name).write_text(name, encoding="utf-8")
    hashes = HashCache(cache_file)
    before = model_sha256(tmp_path, hashes)
    (tmp_path / "README.md").write_text("longer than before", encoding="utf-8")
    same = model_sha256(tmp_path, hashes)
    (tmp_path / "model.safetensors").write_text("other weights, other size", encoding="utf-8")

    assert same == before != model_sha256(tmp_path, hashes)


def test_parts_of_one_model_are_hashed_together_whichever_is_named(tmp_path: Path, cache_file: Path) -> None:
    parts = [tmp_path / f"m-0000{number}-of-00002.gguf" for number in (1, 2)]
    for part in (*parts, tmp_path / "other-00001-of-00002.gguf"):
        part.write_text(part.name, encoding="utf-8")
    hashes = HashCache(cache_file)
    one, other = (model_sha256(part, hashes) for part in parts)
    parts[1].write_text("changed, with another size", encoding="utf-8")

    assert one == other != model_sha256(parts[0], hashes)


def test_a_model_is_identified_by_its_headers(cache_file: Path) -> None:
    hashes = HashCache(cache_file)
    gguf = identify("demo:int8", DEMO / "demo-q8_0.gguf", EngineName.LLAMACPP, hashes)
    mlx = identify("demo:int4", DEMO / "mlx-int4", EngineName.MLX, hashes)

    assert (gguf.name, gguf.filename, gguf.format) == ("demo:int8", "demo-q8_0.gguf", ModelFormat.GGUF)
    assert gguf.parameters == mlx.parameters
    assert gguf.context_tokens == mlx.context_tokens == 2048
    assert gguf.quantization is not None
    assert mlx.quantization is not None
    assert gguf.quantization.bits_per_weight > mlx.quantization.bits_per_weight
    assert len({gguf.sha256, mlx.sha256}) == 2


@pytest.mark.parametrize("engine", [EngineName.MLX, EngineName.SCRIPTED])
def test_a_model_that_is_not_there_cannot_be_identified(tmp_path: Path, cache_file: Path, engine: EngineName) -> None:
    with pytest.raises((ModelMissingError, ModelBrokenError)):
        identify("absent", tmp_path / "absent", engine, HashCache(cache_file))
