"""The models that can be measured: those on this machine whose engine is here, and the one that the chat uses."""

from __future__ import annotations

import msgspec

from runtime.client.base import ModelToLoad
from runtime.client.launch import choose_model, model_to_load
from runtime.config.paths import AppPaths, process_environment
from runtime.config.settings import Settings, read_settings
from runtime.library.local import ENGINE_OF, ResolvedModel, engine_platform
from runtime.library.local_library import LibraryModel, read_library
from runtime.metrics.device import read_device
from runtime.values.errors import UserFacingError
from runtime.values.model import EngineName, Quantization


class Candidate(msgspec.Struct, frozen=True, kw_only=True):
    """A model that may be measured.

    Attributes:
        model: how to load it.
        size_bytes: bytes on disk.
        quantization: from its headers; None where they cannot be read.
        parameters: number of its weights; None likewise.
        context_tokens: the longest context it was made for; None where it does not say.
        problem: empty, or why it cannot be measured.
    """

    model: ModelToLoad
    size_bytes: int = 0
    quantization: Quantization | None = None
    parameters: int | None = None
    context_tokens: int | None = None
    problem: str = ""

    @property
    def key(self) -> str:
        """What tells it from all others."""
        return f"{self.model.engine}:{self.model.path}"

    @property
    def name(self) -> str:
        """What people call it."""
        return self.model.options.model_name or self.model.path


def find_candidates(paths: AppPaths, chat_model: str | None) -> tuple[Candidate, ...]:
    """Return the models on this machine, after that of the chat if it is not among them. Reads headers; blocks.

    Raises:
        SettingsError: the settings cannot be read.
    """
    settings = read_settings(paths.config_file)
    installed = engine_platform(read_device(), settings, process_environment()).installed
    found = [_candidate(one, settings, installed) for one in read_library(paths, settings)]
    used = _of_chat(chat_model, paths) if chat_model is not None else None
    known = {one.key for one in found}
    return tuple(found) if used is None or used.key in known else (used, *found)


def key_of_chat(chat_model: str | None, paths: AppPaths) -> str:
    """Return the key of the model that the chat uses; empty if there is none. Blocks."""
    used = _of_chat(chat_model, paths) if chat_model is not None else None
    return used.key if used is not None else ""


def _of_chat(name: str, paths: AppPaths) -> Candidate | None:
    try:
        model, settings = choose_model(name, None, paths)
    except UserFacingError:
        return None  # The chat says so itself.
    return Candidate(model=model_to_load(model, settings))


def _candidate(one: LibraryModel, settings: Settings, installed: frozenset[EngineName]) -> Candidate:
    model, spec = one.model, one.headers.spec
    engine = ENGINE_OF[model.format]
    resolved = ResolvedModel(
        name=model.name, path=model.path, engine=engine, format=model.format, is_demo=model.is_demo
    )
    candidate = Candidate(model=model_to_load(resolved, settings), size_bytes=model.size_bytes)
    if spec is None:
        return msgspec.structs.replace(candidate, problem=one.headers.problem)
    described = msgspec.structs.replace(
        candidate,
        quantization=spec.quantization,
        parameters=spec.parameters,
        context_tokens=spec.context_tokens,
    )
    if engine not in installed:
        return msgspec.structs.replace(described, problem=f"The engine {engine} is not installed here.")
    return described
