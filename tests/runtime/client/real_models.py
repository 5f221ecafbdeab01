"""Tiny real models for both engines, whole and damaged: what tests of the whole path load."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import msgspec

from runtime.client.base import ModelToLoad
from runtime.values.model import EngineName, LoadOptions
from tests.models.random_gguf import TINY, GgufRecipe, write_random_gguf
from tests.models.random_mlx import write_random_mlx

ENGINES = (EngineName.LLAMACPP, EngineName.MLX)
Damage = Callable[[Path, EngineName], Path]


def write_model(folder: Path, engine: EngineName, recipe: GgufRecipe = TINY) -> Path:
    """Write what `recipe` describes in the engine's format and return its path."""
    path = folder / ("model.gguf" if engine is EngineName.LLAMACPP else "model")
    if engine is EngineName.LLAMACPP:
        write_random_gguf(path, recipe)
    else:
        write_random_mlx(path, recipe)
    return path


def model_at(path: Path, engine: EngineName, *, context_tokens: int | None = None) -> ModelToLoad:
    """Return how to load the model at `path`."""
    return ModelToLoad(engine=engine, path=str(path), options=LoadOptions(context_tokens=context_tokens))


def _weights(path: Path) -> Path:
    return path if path.is_file() else path / "model.safetensors"


def missing(folder: Path, _engine: EngineName) -> Path:
    """Nothing is there."""
    return folder / "absent.gguf"


def empty_directory(folder: Path, _engine: EngineName) -> Path:
    """A folder without a file."""
    empty = folder / "empty"
    empty.mkdir()
    return empty


def truncated(folder: Path, engine: EngineName) -> Path:
    """The last tenth of the weights is gone."""
    path = write_model(folder, engine)
    weights = _weights(path)
    content = weights.read_bytes()
    weights.write_bytes(content[: len(content) * 9 // 10])
    return path


def zero_filled(folder: Path, engine: EngineName) -> Path:
    """A download that reserved its room and never wrote."""
    path = write_model(folder, engine)
    weights = _weights(path)
    weights.write_bytes(bytes(weights.stat().st_size))
    return path


def no_model_at_all(folder: Path, engine: EngineName) -> Path:
    """A text file under a model's name."""
    path = write_model(folder, engine)
    _weights(path).write_text("A letter to my aunt.\n" * 500, encoding="utf-8")
    return path


def wrong_magic(folder: Path, engine: EngineName) -> Path:
    """The first bytes are another format's."""
    path = write_model(folder, engine)
    weights = _weights(path)
    content = bytearray(weights.read_bytes())
    content[:8] = b"PK\x03\x04\xff\xff\xff\xff"
    weights.write_bytes(content)
    return path


def unknown_architecture(folder: Path, engine: EngineName) -> Path:
    """Well formed, but nobody knows how to run it."""
    if engine is EngineName.LLAMACPP:
        return write_model(folder, engine, msgspec.structs.replace(TINY, architecture="frobnicator"))
    path = write_model(folder, engine)
    config = path / "config.json"
    settings = json.loads(config.read_text(encoding="utf-8")) | {"model_type": "frobnicator"}
    config.write_text(json.dumps(settings), encoding="utf-8")
    return path


def mismatched_tensor(folder: Path, engine: EngineName) -> Path:
    """One matrix has a row too many."""
    return write_model(folder, engine, msgspec.structs.replace(TINY, misshapen="blk.1.attn_q.weight"))


def no_tokenizer(folder: Path, engine: EngineName) -> Path:
    """Weights alone."""
    return write_model(folder, engine, msgspec.structs.replace(TINY, with_tokenizer=False))


def broken_tokenizer(folder: Path, engine: EngineName) -> Path:
    """A vocabulary in which a token stands twice; a tokenizer file that is cut short."""
    if engine is EngineName.LLAMACPP:
        return write_model(folder, engine, msgspec.structs.replace(TINY, stands_twice="again"))
    path = write_model(folder, engine)
    tokenizer = path / "tokenizer.json"
    tokenizer.write_bytes(tokenizer.read_bytes()[: tokenizer.stat().st_size // 2])
    return path


def nan_weights(folder: Path, engine: EngineName) -> Path:
    """Everything computed from it is not a number."""
    return write_model(folder, engine, msgspec.structs.replace(TINY, nan_in="blk.0.ffn_down.weight"))


BROKEN_MODELS: dict[str, tuple[Damage, frozenset[str]]] = {
    "missing path": (missing, frozenset({"model-missing"})),
    "empty directory": (empty_directory, frozenset({"model-missing"})),
    "truncated": (truncated, frozenset({"model-broken"})),
    "zero-filled": (zero_filled, frozenset({"model-broken"})),
    "no model at all": (no_model_at_all, frozenset({"model-broken"})),
    "wrong magic": (wrong_magic, frozenset({"model-broken"})),
    "unknown architecture": (unknown_architecture, frozenset({"model-unsupported"})),
    "tensor shape mismatch": (mismatched_tensor, frozenset({"model-broken"})),
    "no tokenizer": (no_tokenizer, frozenset({"model-broken", "model-unsupported"})),
    "broken tokenizer": (broken_tokenizer, frozenset({"model-broken", "model-unsupported"})),
    "NaN weights": (nan_weights, frozenset({"model-broken"})),
}
