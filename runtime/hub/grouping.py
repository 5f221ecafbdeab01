"""From repositories to models: what a person looks for is "Qwen3 8B in INT4", not one of forty repositories.

Pure functions over listings. Repositories belong together if the Hub says that they are quantized forms of one base
model; where it does not say, if their names without the words about storage are the same.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

import msgspec

from runtime.hub.listing import HubRepo
from runtime.hub.naming import UNKNOWN, Scheme, gguf_scheme, model_key, parameters_said, taken_apart, wanted_scheme
from runtime.library.gguf_spec import PART_NAME
from runtime.library.safetensors_header import ELEMENT_BITS
from runtime.values.model import ModelFormat

GGUF_SUFFIX = ".gguf"
NO_MODELS = ("mmproj", "imatrix", "ggml-vocab")
"""In the names of GGUF files that are parts of models, or tables made while quantizing."""
CHAT_TASKS = frozenset({None, "text-generation", "image-text-to-text", "any-to-any", "text2text-generation"})
MLX_TAG, GGUF_TAG = "mlx", "gguf"
PLAUSIBLE_RATIO = 1.5
"""How far a counted number of parameters may be from what the name says before the name is believed."""
GROUP_SIZE = 64
SCALES_PER_GROUP = 2
PACKED_TYPE, PACKED_BITS = "U32", 32


class HubVariant(msgspec.Struct, frozen=True, kw_only=True):
    """One form of a model that can be downloaded.

    Attributes:
        repo_id: where it is.
        format: MLX directory or GGUF file.
        scheme: how the weights are stored, as names say.
        files: the GGUF files it consists of, the first part first; empty for MLX, which takes what it needs.
        weights_bytes: size of the weights where the listing tells it (MLX); None where only the files do.
        bits_per_weight: effective bits, from the listing's counts; None where it has none.
        downloads: of its repository, in the last 30 days.
        likes: likewise.
        license: as the model card names it.
        gated: whether access has to be asked for.
        last_modified: when its repository was last changed.
    """

    repo_id: str
    format: ModelFormat
    scheme: Scheme
    files: tuple[str, ...] = ()
    weights_bytes: int | None = None
    bits_per_weight: float | None = None
    downloads: int = 0
    likes: int = 0
    license: str | None = None
    gated: bool = False
    last_modified: datetime | None = None


class HubModel(msgspec.Struct, frozen=True, kw_only=True):
    """A model with the forms it can be had in.

    Attributes:
        name: what people call it.
        publisher: who made it; None if only converted forms are known, and they do not say.
        base_model: the original's repository; None if not known.
        parameters: number of weights; None if nothing tells.
        license: as most of its model cards name it.
        downloads: of all its repositories together.
        likes: of the one that has most.
        trending: likewise.
        last_modified: the latest change of any.
        variants: one for each format and scheme, the most downloaded; MLX first, then by width.
        others: the same schemes from other publishers.
    """

    name: str
    publisher: str | None
    base_model: str | None
    parameters: int | None
    license: str | None
    downloads: int
    likes: int
    trending: int
    last_modified: datetime | None
    variants: tuple[HubVariant, ...]
    others: tuple[HubVariant, ...]

    def variant(self, wanted: str, model_format: ModelFormat) -> HubVariant | None:
        """Return the variant that somebody calls `wanted` ("int4", "Q4_K_M"); None if there is none."""
        return choose_variant([*self.variants, *self.others], wanted, model_format)


def grouped(repos: Iterable[HubRepo]) -> tuple[HubModel, ...]:
    """Return the models that `repos` hold forms of, in the order in which each first appears."""
    groups: defaultdict[tuple[str, str], list[HubRepo]] = defaultdict(list)
    listed = {repo.repo_id: repo for repo in repos if repo.task in CHAT_TASKS and variants_of(repo)}
    places = {repo_id: _place(repo) for repo_id, repo in listed.items()}
    known = _publishers(listed, places)
    for repo_id, repo in listed.items():
        publisher, key = places[repo_id]
        groups[publisher or known.get(key, ""), key].append(repo)
    return tuple(_model(publisher, members) for (publisher, _), members in groups.items())


def variants_of(repo: HubRepo) -> tuple[HubVariant, ...]:
    """Return the forms that one repository offers: an MLX repository one, a GGUF repository one for each type."""
    ggufs = [path for path in repo.files if _is_model_file(path)]
    if ggufs:
        return tuple(_gguf_variant(repo, files) for files in _whole_files(ggufs))
    return (_mlx_variant(repo),) if MLX_TAG in repo.tags else ()


def choose_variant(
    variants: Sequence[HubVariant], wanted: str, model_format: ModelFormat | None = None
) -> HubVariant | None:
    """Return the variant that somebody calls `wanted`; of several the plainest, then the most downloaded."""
    fits = [
        (rank, -variant.downloads, index)
        for index, variant in enumerate(variants)
        if model_format in {None, variant.format}
        and (rank := wanted_scheme(wanted, variant.scheme, variant.format)) is not None
    ]
    return variants[min(fits)[2]] if fits else None


def _place(repo: HubRepo) -> tuple[str, str]:
    """Return publisher and key of the model that a repository belongs to; the publisher is empty if not known."""
    own = taken_apart(repo.repo_id)
    if repo.base_model and "/" in repo.base_model:
        publisher = repo.base_model.partition("/")[0]
        base = taken_apart(repo.base_model)
        if repo.is_quantized or model_key(base.model) == model_key(own.model):
            converted = base.scheme.bits > 0 and base.scheme.recipe is None
            return ("" if converted else publisher), model_key(base.model)
        return repo.repo_id.partition("/")[0], model_key(own.model)
    # Some converters put the publisher in front: "Qwen_Qwen3-8B-GGUF".
    return "", model_key(own.model.rpartition("_")[2] if own.model.count("_") == 1 else own.model)


def _publishers(repos: Mapping[str, HubRepo], places: Mapping[str, tuple[str, str]]) -> dict[str, str]:
    """Return for each key the publisher that most downloads go to: where forms that name no base belong."""
    downloads: defaultdict[tuple[str, str], int] = defaultdict(int)
    for repo_id, place in places.items():
        downloads[place] += repos[repo_id].downloads + 1
    by_downloads = sorted(downloads, key=lambda place: downloads[place])
    return {key: publisher for publisher, key in by_downloads if publisher}


def _model(publisher: str, members: Sequence[HubRepo]) -> HubModel:
    leading = max(members, key=lambda repo: repo.downloads)
    base = next((repo.base_model for repo in members if repo.base_model and _is_original(repo, publisher)), None)
    name = taken_apart(base or leading.repo_id).model or leading.repo_id
    parameters = _parameters(name, members)
    offered = [variant for repo in members for variant in variants_of(repo)]
    offered = [_with_width(variant, parameters) for variant in offered]
    best: dict[tuple[ModelFormat, str], HubVariant] = {}
    for variant in sorted(offered, key=lambda variant: -variant.downloads):
        best.setdefault((variant.format, variant.scheme.title), variant)
    chosen = sorted(
        best.values(), key=lambda one: (one.format is not ModelFormat.MLX, one.scheme.bits, one.scheme.title)
    )
    licenses = [repo.license for repo in members if repo.license]
    changes = [repo.last_modified for repo in members if repo.last_modified]
    return HubModel(
        name=name,
        publisher=publisher or None,
        base_model=base,
        parameters=parameters,
        license=max(licenses, key=licenses.count) if licenses else None,
        downloads=sum(repo.downloads for repo in members),
        likes=max(repo.likes for repo in members),
        trending=max(repo.trending for repo in members),
        last_modified=max(changes) if changes else None,
        variants=tuple(chosen),
        others=tuple(variant for variant in offered if variant not in chosen),
    )


def _is_original(repo: HubRepo, publisher: str) -> bool:
    base = repo.base_model or ""
    is_form = repo.is_quantized or model_key(taken_apart(base).model) == model_key(taken_apart(repo.repo_id).model)
    return is_form and base.partition("/")[0] == publisher


def _parameters(name: str, members: Sequence[HubRepo]) -> int | None:
    """Return the number of parameters: what a GGUF file or unpacked weights count, if the name does not contradict."""
    counts = [repo.gguf_parameters for repo in members if repo.gguf_parameters]
    counts += [sum(repo.stored.values()) for repo in members if repo.stored and PACKED_TYPE not in repo.stored]
    said = parameters_said(name)
    if said is None:
        return max(counts, default=None)
    plausible = [count for count in counts if said / PLAUSIBLE_RATIO <= count <= said * PLAUSIBLE_RATIO]
    return max(set(plausible), key=plausible.count) if plausible else said


def _with_width(variant: HubVariant, parameters: int | None) -> HubVariant:
    if variant.bits_per_weight is not None or not variant.weights_bytes or not parameters:
        return variant
    return msgspec.structs.replace(variant, bits_per_weight=variant.weights_bytes * 8 / parameters)


def _mlx_variant(repo: HubRepo) -> HubVariant:
    scheme = taken_apart(repo.repo_id).scheme
    if scheme.bits == 0:
        scheme = _counted_scheme(repo, scheme)
    size = sum(count * ELEMENT_BITS.get(kind, 16) // 8 for kind, count in repo.stored.items()) or None
    parameters = None if scheme.rest else _unpacked(repo.stored, scheme.bits)
    return HubVariant(
        repo_id=repo.repo_id,
        format=ModelFormat.MLX,
        scheme=scheme,
        weights_bytes=size,
        bits_per_weight=size * 8 / parameters if size and parameters else None,
        downloads=repo.downloads,
        likes=repo.likes,
        license=repo.license,
        gated=repo.gated,
        last_modified=repo.last_modified,
    )


def _counted_scheme(repo: HubRepo, named: Scheme) -> Scheme:
    """Return the scheme of a repository whose name does not tell it: from config.json, or the weights' types."""
    if repo.quantization_bits:
        return Scheme(f"INT{repo.quantization_bits}", repo.quantization_bits, named.recipe)
    if repo.stored and PACKED_TYPE not in repo.stored:
        kind = max(repo.stored, key=lambda name: repo.stored[name])
        names = {"F16": "FP16", "F32": "FP32"}
        return Scheme(names.get(kind, kind), ELEMENT_BITS.get(kind, 0))
    return named if named.recipe else UNKNOWN


def _unpacked(stored: Mapping[str, int], bits: int) -> int | None:
    """Return how many weights `stored` holds if the integers in it pack `bits` each, with scales in groups of 64."""
    if PACKED_TYPE not in stored or not 2 <= bits <= 8:
        return None
    packed = stored[PACKED_TYPE] * PACKED_BITS // bits
    plain = sum(count for kind, count in stored.items() if kind != PACKED_TYPE)
    return packed + max(0, plain - SCALES_PER_GROUP * packed // GROUP_SIZE)


def _gguf_variant(repo: HubRepo, files: tuple[str, ...]) -> HubVariant:
    return HubVariant(
        repo_id=repo.repo_id,
        format=ModelFormat.GGUF,
        scheme=_gguf_scheme(repo, files[0]),
        files=files,
        downloads=repo.downloads,
        likes=repo.likes,
        license=repo.license,
        gated=repo.gated,
        last_modified=repo.last_modified,
    )


def _gguf_scheme(repo: HubRepo, path: str) -> Scheme:
    scheme = gguf_scheme(path)
    return scheme if scheme.bits else taken_apart(repo.repo_id).scheme


def _is_model_file(path: str) -> bool:
    name = path.rpartition("/")[2].lower()
    return name.endswith(GGUF_SUFFIX) and not any(word in name for word in NO_MODELS)


def _whole_files(paths: Iterable[str]) -> list[tuple[str, ...]]:
    """Return the models among GGUF files: parts of one together, in order; a set that lacks parts is left out."""
    whole: dict[str, list[str]] = defaultdict(list)
    for path in sorted(paths):
        part = PART_NAME.fullmatch(path.rpartition("/")[2])
        folder = path.rpartition("/")[0]
        whole[f"{folder}/{part[1]} of {part[3]}" if part else path].append(path)
    return [tuple(files) for files in whole.values() if _is_complete(files)]


def _is_complete(files: Sequence[str]) -> bool:
    part = PART_NAME.fullmatch(files[0].rpartition("/")[2])
    return part is None or len(files) == int(part[3])
