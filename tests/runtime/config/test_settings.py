"""Settings survive the round trip; a file that is not understood is reported and left alone."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.config.settings import SCHEMA_VERSION, ModelSettings, Settings, read_settings, write_settings
from runtime.values.context_end import ContextEnd
from runtime.values.errors import SettingsError
from runtime.values.model import EngineName

CHOSEN = Settings(
    llama_server="/opt/llama/llama-server",
    default_model="Qwen3-0.6B",
    models_folders=("/models", "/more models"),
    threads=4,
    engine=EngineName.LLAMACPP,
    at_context_end=ContextEnd.DROP_OLDEST,
    model_settings={"/models/one.gguf": ModelSettings(context_tokens=8192, kv_cache_bits=8)},
)

BROKEN = {
    "empty": b"",
    "cut": b'{"threads": 4',
    "not an object": b"[1, 2]",
    "wrong type": b'{"threads": "four"}',
    "unknown engine": b'{"engine": "warp"}',
    "threads out of range": b'{"threads": 0}',
    "unknown end of the context": b'{"at_context_end": "wrap"}',
    "context of a model out of range": b'{"model_settings": {"/m": {"context_tokens": 0}}}',
    "bits of a model out of range": b'{"model_settings": {"/m": {"kv_cache_bits": 5}}}',
    "budget out of range": b'{"kv_disk_bytes": -1}',
    "threads far out of range": b'{"threads": 100000}',
    "version is text": b'{"schema_version": "1"}',
    "version 0": b'{"schema_version": 0}',
    "not UTF-8": b'{"default_model": "\xff\xfe"}',
    "deep": b'{"x":' + b"[" * 50_000 + b"]" * 50_000 + b', "threads": ' + b"[" * 50_000 + b"]" * 50_000 + b"}",
    "huge": b'{"default_model": "' + b"x" * 2_000_000 + b'"}',
    "newer": json.dumps({"schema_version": SCHEMA_VERSION + 1, "threads": {"decode": 4}}).encode(),
}


def test_no_file_means_defaults(tmp_path: Path) -> None:
    assert read_settings(tmp_path / "none.json") == Settings()


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    file = tmp_path / "new folder" / "settings.json"
    write_settings(file, CHOSEN)

    assert read_settings(file) == CHOSEN
    assert [path.name for path in file.parent.iterdir()] == ["settings.json"]


def test_unknown_keys_survive_a_change(tmp_path: Path) -> None:
    file = tmp_path / "settings.json"
    file.write_text('{"threads": 2, "sparkles": {"colour": [1, null]}, "unknown": 3}', encoding="utf-8")
    settings = read_settings(file)
    write_settings(file, Settings(threads=3, unknown=settings.unknown))

    written = json.loads(file.read_text(encoding="utf-8"))
    assert written["sparkles"] == {"colour": [1, None]}
    assert written["unknown"] == 3
    assert read_settings(file).threads == 3


@pytest.mark.parametrize("content", BROKEN.values(), ids=BROKEN.keys())
def test_a_file_not_understood_is_named_and_never_overwritten(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "settings.json"
    file.write_bytes(content)

    with pytest.raises(SettingsError) as reading:
        read_settings(file)
    with pytest.raises(SettingsError):
        write_settings(file, CHOSEN)

    assert str(file) in reading.value.what
    assert file.read_bytes() == content


def test_a_newer_file_says_so(tmp_path: Path) -> None:
    file = tmp_path / "settings.json"
    file.write_bytes(BROKEN["newer"])

    with pytest.raises(SettingsError, match="newer version"):
        read_settings(file)


def test_a_folder_in_the_way_is_a_settings_error(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="cannot be read"):
        read_settings(tmp_path)


@given(content=st.binary(max_size=200))
def test_any_bytes_give_settings_or_a_settings_error(content: bytes, tmp_path_factory: pytest.TempPathFactory) -> None:
    file = tmp_path_factory.mktemp("any") / "settings.json"
    file.write_bytes(content)
    try:
        settings = read_settings(file)
    except SettingsError:
        return
    write_settings(file, settings)
    assert read_settings(file) == settings
