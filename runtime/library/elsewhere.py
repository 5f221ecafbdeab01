"""Models that other programs keep on this machine: the Hugging Face cache, LM Studio and Ollama. Nothing is changed.

Each keeps them in a way of its own. The Hugging Face cache has a folder for each repository, in which `snapshots` hold
links to `blobs`; LM Studio has plain files in folders by publisher; Ollama has GGUF files without a name, and manifests
that say which belongs to which name and tag.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from enum import StrEnum
from itertools import islice
from pathlib import Path
from typing import TypeVar

import msgspec

from runtime.library.installed import InstalledModel, ModelOrigin, installed_model, model_name
from runtime.library.scan import ScannedModel, model_at, scan

MAX_REPOSITORIES = 2000
MAX_MANIFESTS = 2000
MAX_MANIFEST_BYTES = 1_000_000
MAX_POINTER_BYTES = 4096

REPOSITORY_FOLDER = re.compile(r"models--(.+)")
COMMIT = re.compile(r"[0-9a-f]{7,64}")
OLLAMA_MODEL = "application/vnd.ollama.image.model"
OLLAMA_DIGEST = re.compile(r"sha256:([0-9a-f]{64})")
OLLAMA_DEFAULTS = ("registry.ollama.ai", "library")
MANIFEST_DEPTH = 4
"""registry / namespace / model / tag"""


_Decoded = TypeVar("_Decoded")


class Keeper(StrEnum):
    """Whose models they are, by the name that people know."""

    HUGGING_FACE = "Hugging Face cache"
    LM_STUDIO = "LM Studio"
    OLLAMA = "Ollama"


class KeptModel(msgspec.Struct, frozen=True):
    """A model and who keeps it."""

    keeper: Keeper
    model: InstalledModel


class _Layer(msgspec.Struct, frozen=True):
    media_type: str = msgspec.field(name="mediaType", default="")
    digest: str = ""


class _LmStudioSettings(msgspec.Struct, frozen=True):
    downloads_folder: str = msgspec.field(name="downloadsFolder", default="")


class _Manifest(msgspec.Struct, frozen=True):
    layers: tuple[_Layer, ...] = ()


def find_elsewhere(environment: Mapping[str, str], home: Path) -> tuple[KeptModel, ...]:
    """Return the models that other programs keep, each once.

    Args:
        environment: names folders (`HF_HUB_CACHE`, `HF_HOME`, `XDG_CACHE_HOME`, `OLLAMA_MODELS`).
        home: the user's own folder, where they are otherwise.
    """
    found: dict[str, KeptModel] = {}
    for folder in huggingface_folders(environment, home):
        _keep(found, Keeper.HUGGING_FACE, _in_huggingface(folder))
    for folder in lm_studio_folders(home):
        _keep(found, Keeper.LM_STUDIO, ((one, model_name(one, folder)) for one in scan(folder)))
    for folder in ollama_folders(environment, home):
        _keep(found, Keeper.OLLAMA, _in_ollama(folder))
    return tuple(found.values())


def huggingface_folders(environment: Mapping[str, str], home: Path) -> tuple[Path, ...]:
    """Return where the Hugging Face cache is: `huggingface_hub` looks at these variables in this order."""
    for name, below in (("HF_HUB_CACHE", "."), ("HUGGINGFACE_HUB_CACHE", "."), ("HF_HOME", "hub")):
        if place := environment.get(name, "").strip():
            return (_expanded(place, home) / below,)
    cache = environment.get("XDG_CACHE_HOME", "").strip()
    return ((_expanded(cache, home) if cache else home / ".cache") / "huggingface" / "hub",)


def lm_studio_folders(home: Path) -> tuple[Path, ...]:
    """Return where LM Studio keeps models: its own folder may have been moved, and its models to another one."""
    moved = _text(home / ".lmstudio-home-pointer").strip()
    own = [home / ".lmstudio", home / ".cache" / "lm-studio"]
    places: list[Path] = []
    for folder in [_expanded(moved, home), *own] if moved else own:
        chosen = _decoded(_text(folder / "settings.json", MAX_MANIFEST_BYTES), _LmStudioSettings())
        places += [_expanded(chosen.downloads_folder, home)] if chosen.downloads_folder else []
        places.append(folder / "models")
    return tuple(dict.fromkeys(places))


def ollama_folders(environment: Mapping[str, str], home: Path) -> tuple[Path, ...]:
    """Return where Ollama keeps models: as the user's own program, and as a service on Linux."""
    named = environment.get("OLLAMA_MODELS", "").strip()
    if named:
        return (_expanded(named, home),)
    return home / ".ollama" / "models", Path("/usr/share/ollama/.ollama/models")


def _keep(found: dict[str, KeptModel], keeper: Keeper, models: Iterable[tuple[ScannedModel, str]]) -> None:
    """Add `models` to `found`, where each stands under the real place of its files."""
    for model, name in models:
        kept = KeptModel(keeper, installed_model(model, name, ModelOrigin.ELSEWHERE))
        found.setdefault(os.path.realpath(model.path), kept)


def _in_huggingface(folder: Path) -> Iterator[tuple[ScannedModel, str]]:
    for repository in _sorted_folders(folder, MAX_REPOSITORIES):
        named = REPOSITORY_FOLDER.fullmatch(repository.name)
        snapshot = _snapshot(repository) if named else None
        if named is None or snapshot is None:
            continue
        title = named[1].replace("--", "/")
        whole = model_at(snapshot)
        if whole is not None:
            yield whole, title
            continue
        for model in scan(snapshot):
            yield model, f"{title}/{model_name(model, snapshot)}"


def _snapshot(repository: Path) -> Path | None:
    """Return the folder of the version that was asked for last: that of `refs/main`, or else the newest."""
    commit = _text(repository / "refs" / "main").strip()
    if COMMIT.fullmatch(commit) and (repository / "snapshots" / commit).is_dir():
        return repository / "snapshots" / commit
    return max(_sorted_folders(repository / "snapshots", MAX_REPOSITORIES), key=_modified_ns, default=None)


def _in_ollama(folder: Path) -> Iterator[tuple[ScannedModel, str]]:
    manifests = islice(_files_at_depth(folder / "manifests", MANIFEST_DEPTH), MAX_MANIFESTS)
    for manifest in manifests:
        digest = _model_digest(manifest)
        if digest is None:
            continue
        model = model_at(folder / "blobs" / f"sha256-{digest}")
        if model is not None:
            yield model, _ollama_name(manifest.relative_to(folder / "manifests").parts)


def _model_digest(manifest: Path) -> str | None:
    """Return the SHA-256 of the GGUF file that a manifest names; None if it names none."""
    layers = _decoded(_text(manifest, MAX_MANIFEST_BYTES), _Manifest()).layers
    digests = (OLLAMA_DIGEST.fullmatch(layer.digest) for layer in layers if layer.media_type == OLLAMA_MODEL)
    return next((digest[1] for digest in digests if digest), None)


def _ollama_name(parts: tuple[str, ...]) -> str:
    """Return the name that Ollama uses, its defaults left out: "llama3.2:3b"."""
    registry, namespace, model, tag = parts
    start = [] if registry == OLLAMA_DEFAULTS[0] else [registry]
    start += [] if not start and namespace == OLLAMA_DEFAULTS[1] else [namespace]
    return "/".join([*start, f"{model}:{tag}"])


def _files_at_depth(folder: Path, depth: int) -> Iterator[Path]:
    if depth == 1:
        yield from _listing(folder, MAX_MANIFESTS, folders=False)
        return
    for below in _sorted_folders(folder, MAX_MANIFESTS):
        yield from _files_at_depth(below, depth - 1)


def _sorted_folders(folder: Path, most: int) -> list[Path]:
    return _listing(folder, most, folders=True)


def _listing(folder: Path, most: int, *, folders: bool) -> list[Path]:
    """Return the folders, or the files, in `folder`, sorted, of its first `most` entries; none if it cannot be read."""
    try:
        with os.scandir(folder) as entries:
            wanted = [entry.name for entry in islice(entries, most) if (entry.is_dir() if folders else entry.is_file())]
    except OSError:
        return []
    return [folder / name for name in sorted(wanted)]


def _modified_ns(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0


def _text(file: Path, most_bytes: int = MAX_POINTER_BYTES) -> str:
    """Return the content of a small file; nothing if it is not there, not readable or not small."""
    try:
        if not file.is_file():  # Opening a pipe would wait for ever.
            return ""
        with file.open("rb") as stream:
            content = stream.read(most_bytes + 1)
    except OSError:
        return ""
    return content.decode("utf-8", "replace") if len(content) <= most_bytes else ""


def _decoded(text: str, default: _Decoded) -> _Decoded:
    """Return the JSON object in `text`, of the type of `default`, which stands for anything else."""
    try:
        return msgspec.json.decode(text, type=type(default))
    except msgspec.MsgspecError:
        return default


def _expanded(place: str, home: Path) -> Path:
    """Return the path that `place` means; "~" is `home`."""
    return home / place[2:] if place.startswith(("~/", "~\\")) else home / place
