"""The user's settings: typed, with a schema version, one JSON file.

A file that cannot be understood, or that a newer version of the app wrote, is reported and never overwritten. Keys this
version does not know are kept and written back, so that going back and forth between versions loses nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import msgspec

from runtime.config.atomic_file import replace_file
from runtime.values.context_end import ContextEnd
from runtime.values.errors import SettingsError
from runtime.values.model import EngineName

SCHEMA_VERSION = 1
MAX_FILE_BYTES = 1_000_000
MAX_THREADS = 1024
KV_CACHE_BITS = (4, 8)


class ModelSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What the user chose for one model.

    Attributes:
        context_tokens: length of its context; None takes what suits the model and the memory.
        kv_cache_bits: 4 or 8 quantizes its KV cache; None keeps it at 16 bits or above.
    """

    context_tokens: int | None = None
    kv_cache_bits: int | None = None


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """What the user chose.

    Attributes:
        schema_version: form of the file; a higher one than `SCHEMA_VERSION` is not read.
        llama_server: path of a native `llama-server` to use instead of the embedded one.
        default_model: what `--model` means when it is not given.
        models_folders: folders with models besides the app's own.
        added_models: models added by themselves, in place: MLX directories and GGUF files.
        forgotten_models: models in those folders, or added, that are not to be listed.
        threads: CPU threads of llama.cpp; None measures.
        engine: the engine to use; None picks it by machine and model.
        keep_kv_caches: whether KV caches are kept on disk, so that chats go on at once after a restart.
        kv_disk_bytes: what they may take on disk; None takes a tenth of what is free, at most 10 GB.
        kv_memory_bytes: what chats kept warm may take in memory; None measures.
        at_context_end: what happens when a conversation fills the context.
        model_settings: what was chosen for models, by their paths.
        check_for_updates: whether the window looks for a newer version of its own accord, once a day.
        unknown: keys of the file that this version does not know, with their JSON text.
    """

    schema_version: int = SCHEMA_VERSION
    llama_server: str | None = None
    default_model: str = "demo"
    models_folders: tuple[str, ...] = ()
    added_models: tuple[str, ...] = ()
    forgotten_models: tuple[str, ...] = ()
    threads: int | None = None
    engine: EngineName | None = None
    keep_kv_caches: bool = True
    kv_disk_bytes: int | None = None
    kv_memory_bytes: int | None = None
    at_context_end: ContextEnd = ContextEnd.STOP
    model_settings: Mapping[str, ModelSettings] = {}
    check_for_updates: bool = False
    unknown: Mapping[str, msgspec.Raw] = {}


KNOWN_KEYS = tuple(name for name in Settings.__struct_fields__ if name != "unknown")


def read_settings(file: Path) -> Settings:
    """Return the settings in `file`; the defaults if there is no such file.

    Raises:
        SettingsError: the file cannot be read, is broken, or was written by a newer version. The text names the file.
    """
    try:
        with file.open("rb") as stream:
            content = stream.read(MAX_FILE_BYTES + 1)
    except FileNotFoundError:
        return Settings()
    except OSError as error:
        raise SettingsError(
            f"The settings file {file} cannot be read.", "Check its permissions.", detail=str(error)
        ) from (error)
    return _checked(_parsed(content, file), file)


def write_settings(file: Path, settings: Settings) -> None:
    """Write `settings` to `file`, all of it or nothing.

    Raises:
        SettingsError: what is there now could not be read by this version, or the file cannot be written.
    """
    read_settings(file)
    known = {key: getattr(settings, key) for key in KNOWN_KEYS}
    content = msgspec.json.format(msgspec.json.encode({**known, **settings.unknown}), indent=2)
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        replace_file(file, content + b"\n")
    except OSError as error:
        raise SettingsError(
            f"The settings file {file} cannot be written.",
            "Check the folder's permissions and free space.",
            detail=str(error),
        ) from error


def _parsed(content: bytes, file: Path) -> Settings:
    if len(content) > MAX_FILE_BYTES:
        raise _broken(file, f"larger than {MAX_FILE_BYTES} bytes")
    try:
        keys = msgspec.json.decode(content, type=dict[str, msgspec.Raw])
        _refuse_newer(keys, file)
        known = {key: msgspec.json.decode(raw) for key, raw in keys.items() if key in KNOWN_KEYS}
        settings = msgspec.convert(known, Settings)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise _broken(file, str(error)) from error
    unknown = {key: msgspec.Raw(bytes(raw)) for key, raw in keys.items() if key not in KNOWN_KEYS}
    return msgspec.structs.replace(settings, unknown=unknown)


def _refuse_newer(keys: Mapping[str, msgspec.Raw], file: Path) -> None:
    """Look at the version first: a newer file may well hold values this version would call broken."""
    version = msgspec.json.decode(keys.get("schema_version", msgspec.Raw(b"1")), type=int)
    if version > SCHEMA_VERSION:
        raise SettingsError(
            f"The settings file {file} was written by a newer version of First Token.",
            "Update First Token, or move the file away to start with fresh settings.",
        )


def _checked(settings: Settings, file: Path) -> Settings:
    if settings.schema_version < 1:
        raise _broken(file, f"schema_version is {settings.schema_version}")
    if settings.threads is not None and not 1 <= settings.threads <= MAX_THREADS:
        raise _broken(file, f"threads is {settings.threads}; it must be from 1 to {MAX_THREADS}, or null")
    for name in ("kv_disk_bytes", "kv_memory_bytes"):
        value = getattr(settings, name)
        if value is not None and value < 0:
            raise _broken(file, f"{name} is {value}; it must be 0 or more, or null")
    for path, model in settings.model_settings.items():
        _check_model(path, model, file)
    return settings


def _check_model(path: str, model: ModelSettings, file: Path) -> None:
    if model.context_tokens is not None and model.context_tokens < 1:
        raise _broken(file, f"context_tokens of {path} is {model.context_tokens}; it must be 1 or more, or null")
    if model.kv_cache_bits is not None and model.kv_cache_bits not in KV_CACHE_BITS:
        raise _broken(file, f"kv_cache_bits of {path} is {model.kv_cache_bits}; it must be 4 or 8, or null")


def _broken(file: Path, reason: str) -> SettingsError:
    return SettingsError(
        f"The settings file {file} cannot be understood: {reason}.",
        "Correct it, or move it away to start with fresh settings.",
    )
