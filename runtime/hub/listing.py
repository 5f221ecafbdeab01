"""What the Hub says of a model, as frozen values: one entry of a listing, and the files of a repository."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from huggingface_hub import ModelInfo

LICENSE_TAG = "license:"
BASE_TAG = "base_model:"
QUANTIZED_TAG = "base_model:quantized:"
MAX_COUNT = 2**53


class HubRepo(msgspec.Struct, frozen=True, kw_only=True):
    """A model's repository as a listing shows it; None where the Hub does not say.

    Attributes:
        repo_id: publisher/name.
        tags: library, license, base model, quantization and more, as the Hub tags them.
        files: paths of its files; empty if not asked for.
        license: as the model card names it.
        downloads: in the last 30 days.
        likes: hearts.
        trending: the Hub's measure of recent interest.
        last_modified: when it was last changed.
        gated: whether its files are given only to people who accept terms.
        private: whether only some people see it.
        task: what the Hub says it does ("text-generation").
        base_model: the repository it was made from.
        is_quantized: whether it says that it is a quantized form of the base model.
        stored: number of stored elements by safetensors type (packed weights count as the integers that hold them).
        gguf_parameters: number of weights of its GGUF file.
        gguf_architecture: what the GGUF file calls its architecture.
        context_tokens: context of its GGUF file.
        quantization_bits: what config.json says of the quantization.
        quantization_method: likewise ("awq", "gptq").
    """

    repo_id: str
    tags: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    license: str | None = None
    downloads: int = 0
    likes: int = 0
    trending: int = 0
    last_modified: datetime | None = None
    gated: bool = False
    private: bool = False
    task: str | None = None
    base_model: str | None = None
    is_quantized: bool = False
    stored: Mapping[str, int] = {}
    gguf_parameters: int | None = None
    gguf_architecture: str | None = None
    context_tokens: int | None = None
    quantization_bits: int | None = None
    quantization_method: str | None = None


class HubFile(msgspec.Struct, frozen=True, kw_only=True):
    """A file in a repository.

    Attributes:
        path: inside the repository; hostile until checked.
        size_bytes: its size.
        sha256: hash of its content, for files kept outside of git; None for others.
        git_id: git's id, which is a hash of the content too, for files inside git.
    """

    path: str
    size_bytes: int
    sha256: str | None
    git_id: str


class Repository(msgspec.Struct, frozen=True):
    """A repository with its files, at one commit."""

    repo: HubRepo
    commit: str
    files: tuple[HubFile, ...]


def repo_of(info: ModelInfo) -> HubRepo:
    """Return our form of an entry; whatever is not of the type it should be counts as not said."""
    tags = tuple(tag for tag in info.tags or () if isinstance(tag, str))
    gguf: Mapping[str, object] = info.gguf if isinstance(info.gguf, dict) else {}
    bits, method = _quantization(info.config)
    base, is_quantized = _base(tags)
    return HubRepo(
        repo_id=info.id,
        tags=tags,
        files=tuple(sibling.rfilename for sibling in info.siblings or ()),
        license=next((tag.removeprefix(LICENSE_TAG) for tag in tags if tag.startswith(LICENSE_TAG)), None),
        downloads=_count(info.downloads) or 0,
        likes=_count(info.likes) or 0,
        trending=_count(info.trending_score) or 0,
        last_modified=info.last_modified,
        gated=bool(info.gated),
        private=bool(info.private),
        task=info.pipeline_tag,
        base_model=base,
        is_quantized=is_quantized,
        stored=_stored(info),
        gguf_parameters=_count(gguf.get("total")),
        gguf_architecture=_text(gguf.get("architecture")),
        context_tokens=_count(gguf.get("context_length")),
        quantization_bits=bits,
        quantization_method=method,
    )


def _base(tags: tuple[str, ...]) -> tuple[str | None, bool]:
    """Return the base model and whether this is a quantized form of it.

    The Hub writes `base_model:publisher/name` and, where the relation is known, `base_model:relation:publisher/name`.
    """
    for tag in tags:
        if tag.startswith(QUANTIZED_TAG):
            return tag.removeprefix(QUANTIZED_TAG), True
    plain = (tag.removeprefix(BASE_TAG) for tag in tags if tag.startswith(BASE_TAG))
    return next((name for name in plain if ":" not in name), None), False


def _stored(info: ModelInfo) -> dict[str, int]:
    counts = info.safetensors.parameters if info.safetensors else {}
    pairs = ((name, _count(value)) for name, value in counts.items()) if isinstance(counts, dict) else ()
    return {name: value for name, value in pairs if value is not None}


def _quantization(config: object) -> tuple[int | None, str | None]:
    table = config.get("quantization_config") if isinstance(config, dict) else None
    if not isinstance(table, dict):
        return None, None
    return _count(table.get("bits")), _text(table.get("quant_method"))


def _count(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MAX_COUNT else None


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None
