"""A model's key changes with its files."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from runtime.kv_store.model_content import SAMPLE_BYTES, WHOLE_BYTES, model_key


def write(file: Path, content: bytes) -> None:
    """Write without a change of time."""
    file.write_bytes(content)
    os.utime(file, ns=(10**18, 10**18))


def test_changes_with_any_file_of_a_model(tmp_path: Path) -> None:
    write(tmp_path / "config.json", b"{}")
    write(tmp_path / "model.safetensors", bytes(3 * WHOLE_BYTES))
    keys = {model_key(tmp_path)}
    assert model_key(tmp_path) in keys
    write(tmp_path / "README.md", b"read me")
    assert model_key(tmp_path) in keys
    write(tmp_path / "config.json", b"[]")
    keys.add(model_key(tmp_path))
    write(tmp_path / "model.safetensors", bytes(3 * WHOLE_BYTES - SAMPLE_BYTES) + b"\1" * SAMPLE_BYTES)
    keys.add(model_key(tmp_path))
    os.utime(tmp_path / "model.safetensors", ns=(10**18, 10**18 + 1))
    keys.add(model_key(tmp_path))
    write(tmp_path / "chat_template.jinja", b"")
    keys.add(model_key(tmp_path))
    assert len(keys) == 5


def test_is_that_of_a_file_alone(tmp_path: Path) -> None:
    write(tmp_path / "one.gguf", b"GGUF 1")
    write(tmp_path / "two.gguf", b"GGUF 2")
    assert model_key(tmp_path / "one.gguf") != model_key(tmp_path / "two.gguf")
    with pytest.raises(OSError, match="absent"):
        model_key(tmp_path / "absent.gguf")


def test_is_that_of_all_parts_of_a_model_in_several_files(tmp_path: Path) -> None:
    parts = [tmp_path / f"one[1]-0000{part}-of-00002.gguf" for part in (1, 2)]
    for part in parts:
        write(part, b"GGUF")
    before = model_key(parts[0])
    write(tmp_path / "other-00001-of-00002.gguf", b"GGUF")
    assert model_key(parts[0]) == before
    write(parts[1], b"GGU2")
    assert model_key(parts[0]) != before
