"""The curated list of models, read from `assets/catalog.json`, and what is known of each variant before it is here.

The list is data: which models are worth offering, where their INT4 and INT8 variants lie, and the numbers that the
memory estimate needs. Each entry says in which public documentation it was confirmed. Which of them suit this machine
is not written down: `fit` computes it from `catalog_spec`, and `preference` orders what fits.

Sizes in the list are those that somebody documented, rounded where they were. Where nobody did, the size is estimated:

    bytes = parameters × nominal bits per weight ÷ 8

where the nominal bits count the scales of each block, and for Q4_K_M the matrices it keeps wider.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from pathlib import Path, PurePosixPath
from typing import Annotated

import msgspec

from runtime.library.fit import kv_token_bytes
from runtime.library.spec import Experts, KvLayers, ModelSpec
from runtime.values.errors import CatalogError
from runtime.values.memory_reads import DecodeReads, KvReads
from runtime.values.model import ModelFormat, Quantization

CATALOG_FILE_NAME = "catalog.json"
SCHEMA_VERSION = 1
MAX_FILE_BYTES = 2_000_000
ENCODER_BYTES_PER_PARAMETER = 2
"""Conversions to MLX leave the encoders for images and sound at 16 bits; a GGUF file of the text model has none."""
KV_ELEMENT_BYTES = 2

Positive = Annotated[int, msgspec.Meta(gt=0)]
Text = Annotated[str, msgspec.Meta(min_length=1)]
ModelId = Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9]+([.-][a-z0-9]+)*$")]
RepositoryId = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*$")]
HttpsUrl = Annotated[str, msgspec.Meta(pattern=r"^https://[^\s/]+\.[^\s/]+(/\S*)?$")]
Source = Annotated[str, msgspec.Meta(pattern=r"^(https://\S+|[\w.-]+/[\w.-]+(@[0-9a-f]{7,40})?:\S+)$")]
Sources = Annotated[tuple[Source, ...], msgspec.Meta(min_length=1)]


class CatalogQuantization(StrEnum):
    """How a variant's weights are stored, by the name that users know."""

    INT4 = "INT4"
    INT8 = "INT8"
    MXFP4 = "MXFP4"
    Q4_K_M = "Q4_K_M"
    Q8_0 = "Q8_0"


NOMINAL_BITS_PER_WEIGHT = {
    CatalogQuantization.INT4: 4.5,
    CatalogQuantization.INT8: 8.5,
    CatalogQuantization.MXFP4: 4.6,
    CatalogQuantization.Q4_K_M: 4.9,
    CatalogQuantization.Q8_0: 8.5,
}
"""Scales included: MLX keeps two of 16 bits for each 64 weights, Q8_0 one for each 32. MXFP4 takes 4.25 bits, and the
part of the model outside the experts more."""


class License(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Under which terms a model may be used: an SPDX identifier or the license's own name, and its text."""

    name: Text
    url: HttpsUrl


class CatalogKvLayers(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Layers whose part of the KV cache has the same form; see `runtime.library.spec.KvLayers`."""

    layers: Positive
    kv_heads: Positive
    key_dim: Positive
    value_dim: Annotated[int, msgspec.Meta(ge=0)]
    window_tokens: Positive | None = None


class CatalogExperts(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A mixture of experts: how many of them a token uses, and how many there are, in each layer that has any."""

    active: Positive
    total: Positive


class Architecture(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The numbers of a model that the memory estimate needs; see `runtime.library.spec.ModelSpec` for the fields.

    Attributes:
        name: `model_type` of the model's config.json.
        kv_layers: what the KV cache consists of. Layers that keep no keys and values (state-space layers, layers that
            share those of an earlier one) are left out.
    """

    name: Text
    layers: Positive
    hidden_size: Positive
    attention_heads: Positive
    vocabulary_size: Positive
    kv_layers: Annotated[tuple[CatalogKvLayers, ...], msgspec.Meta(min_length=1)]
    experts: CatalogExperts | None = None


class CatalogVariant(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One way to have a model: a repository, and of a GGUF repository the files.

    Attributes:
        format: MLX (the whole repository) or GGUF (the files named).
        quantization: how the weights are stored.
        repository: its identifier on the Hub, `owner/name`.
        files: names in the repository, the first part first; empty for MLX.
        download_bytes: about how much is downloaded, as documented; None if nobody documented it.
        confirmed_in: where the repository and its files are named: `owner/repository:path` or a page's address.
    """

    format: ModelFormat
    quantization: CatalogQuantization
    repository: RepositoryId
    files: tuple[Text, ...] = ()
    download_bytes: Positive | None = None
    confirmed_in: Sources


class CatalogModel(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A model worth offering.

    Attributes:
        id: its name in the catalog, never reused for another model.
        name: what the user sees.
        family: the series it belongs to.
        repository: where its makers publish it.
        parameters: weights of the language model.
        active_parameters: of them, those that a token uses.
        encoder_parameters: weights of encoders for images and sound, which this app does not use; 0 if there are none.
        license: the terms.
        context_tokens: the longest context it was made for.
        good_at: one plain sentence.
        architecture: numbers for the memory estimate.
        variants: at least one, none of them twice.
        confirmed_in: where parameters, license, context and architecture are stated.
    """

    id: ModelId
    name: Text
    family: Text
    repository: RepositoryId
    parameters: Positive
    active_parameters: Positive
    encoder_parameters: Annotated[int, msgspec.Meta(ge=0)] = 0
    license: License
    context_tokens: Positive
    good_at: Text
    architecture: Architecture
    variants: Annotated[tuple[CatalogVariant, ...], msgspec.Meta(min_length=1)]
    confirmed_in: Sources

    def variant(self, model_format: ModelFormat, quantization: CatalogQuantization) -> CatalogVariant | None:
        """Return the variant of that kind; None if the catalog has none."""
        kind = (model_format, quantization)
        return next((one for one in self.variants if (one.format, one.quantization) == kind), None)


class Catalog(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The list: `models` from the smallest to the largest, `checked` the month in which it was last confirmed."""

    schema_version: int
    checked: Annotated[str, msgspec.Meta(pattern=r"^\d{4}-(0[1-9]|1[0-2])$")]
    models: tuple[CatalogModel, ...]

    def model(self, model_id: str) -> CatalogModel | None:
        """Return the model with that id; None if there is none."""
        return next((one for one in self.models if one.id == model_id), None)

    def variant_of(self, repository: str) -> tuple[CatalogModel, CatalogVariant] | None:
        """Return the first variant that lies in `repository`, and its model; None if the catalog has none."""
        pairs = ((model, variant) for model in self.models for variant in model.variants)
        return next((pair for pair in pairs if pair[1].repository == repository), None)


def read_catalog(file: Path) -> Catalog:
    """Return the catalog in `file`, the smallest model first.

    Raises:
        CatalogError: it cannot be read, is damaged, or is of another version. The text says what is wrong where.
    """
    try:
        with file.open("rb") as stream:
            content = stream.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise _damaged(file, "it cannot be read", str(error)) from error
    if len(content) > MAX_FILE_BYTES:
        raise _damaged(file, f"it is larger than {MAX_FILE_BYTES:,} bytes")
    try:
        catalog = msgspec.json.decode(content, type=Catalog)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise _damaged(file, str(error)) from error
    if catalog.schema_version != SCHEMA_VERSION:
        raise _damaged(file, f"it has form {catalog.schema_version}, and this version reads form {SCHEMA_VERSION}")
    for mistake in _mistakes(catalog):
        raise _damaged(file, mistake)
    return msgspec.structs.replace(catalog, models=tuple(sorted(catalog.models, key=_size)))


def estimated_weights_bytes(parameters: int, quantization: CatalogQuantization) -> int:
    """Return about how many bytes `parameters` weights take: an estimate, from the nominal bits per weight."""
    return round(parameters * NOMINAL_BITS_PER_WEIGHT[quantization] / 8)


def estimated_download_bytes(model: CatalogModel, variant: CatalogVariant) -> int:
    """Return about how much there is to download: an estimate, whatever is documented."""
    return estimated_weights_bytes(model.parameters, variant.quantization) + _encoder_bytes(model, variant)


def download_bytes(model: CatalogModel, variant: CatalogVariant) -> int:
    """Return about how much there is to download: as documented, or else estimated."""
    return variant.download_bytes or estimated_download_bytes(model, variant)


def weights_bytes(model: CatalogModel, variant: CatalogVariant) -> int:
    """Return about what the language model's weights take in memory: the download without the encoders."""
    return download_bytes(model, variant) - _encoder_bytes(model, variant)


def catalog_spec(model: CatalogModel, variant: CatalogVariant) -> ModelSpec:
    """Return what `fit` needs to know of a variant that is not on this machine.

    Its path is that of the repository (and first file) on the Hub; it has no tensor table and no tokenizer.
    """
    shape = model.architecture
    first = shape.kv_layers[0]
    size = weights_bytes(model, variant)
    return ModelSpec(
        name=model.name,
        path=Path(variant.repository, *variant.files[:1]),
        format=variant.format,
        architecture=shape.name,
        parameters=model.parameters,
        weights_bytes=size,
        quantization=Quantization(variant.quantization.value, size * 8 / model.parameters),
        context_tokens=model.context_tokens,
        layers=shape.layers,
        hidden_size=shape.hidden_size,
        attention_heads=shape.attention_heads,
        kv_heads=first.kv_heads,
        head_dim=first.key_dim,
        vocabulary_size=shape.vocabulary_size,
        kv_layers=tuple(KvLayers(**msgspec.structs.asdict(layers)) for layers in shape.kv_layers),
        kv_element_bytes=KV_ELEMENT_BYTES,
        sliding_window_tokens=next((one.window_tokens for one in shape.kv_layers if one.window_tokens), None),
        experts=Experts(shape.experts.active, shape.experts.total) if shape.experts else None,
        license=model.license.name,
        chat_template=None,
        named_chat_templates=(),
        bos_token=None,
        eos_token=None,
        end_token_ids=(),
        add_bos=None,
        tensors=(),
        is_demo=False,
    )


def catalog_reads(model: CatalogModel, variant: CatalogVariant) -> DecodeReads:
    """Return about what writing a token with the variant reads: its share of active parameters, and the KV cache."""
    spec = catalog_spec(model, variant)
    kv = (
        KvReads(token_bytes=kv_token_bytes(spec, layers), window_tokens=layers.window_tokens)
        for layers in spec.kv_layers
    )
    active = round(spec.weights_bytes * model.active_parameters / model.parameters)
    return DecodeReads(weights_bytes=active, kv=tuple(kv))


def preference(model: CatalogModel, variant: CatalogVariant) -> tuple[int, float]:
    """Return the key that orders variants which fit equally well, the better one higher.

    More parameters come first, then more bits per weight: a larger model at 4 bits is better than a smaller one at 8.
    """
    return model.parameters, NOMINAL_BITS_PER_WEIGHT[variant.quantization]


def _size(model: CatalogModel) -> tuple[int, str]:
    return model.parameters, model.id


def _encoder_bytes(model: CatalogModel, variant: CatalogVariant) -> int:
    return model.encoder_parameters * ENCODER_BYTES_PER_PARAMETER if variant.format is ModelFormat.MLX else 0


def _mistakes(catalog: Catalog) -> Iterable[str]:
    """Yield what the types cannot say: contradictions between fields, in the words that follow "… is damaged: "."""
    seen = set[str]()
    for model in catalog.models:
        if model.id in seen:
            yield f"it has two models {model.id}"
        seen.add(model.id)
        yield from (f"{model.id}: {mistake}" for mistake in (*_model_mistakes(model), *_variant_mistakes(model)))


def _model_mistakes(model: CatalogModel) -> Iterable[str]:
    shape = model.architecture
    if model.active_parameters > model.parameters:
        yield "more parameters are active than there are"
    if sum(layers.layers for layers in shape.kv_layers) > shape.layers:
        yield "more layers keep keys and values than there are"
    if shape.experts and shape.experts.active > shape.experts.total:
        yield "more experts are active than there are"


def _variant_mistakes(model: CatalogModel) -> Iterable[str]:
    kinds = [(variant.format, variant.quantization) for variant in model.variants]
    if len(set(kinds)) != len(kinds):
        yield "it has a variant twice"
    for variant in model.variants:
        if (variant.format is ModelFormat.GGUF) != bool(variant.files):
            yield f"{variant.repository} needs files if it is GGUF, and only then"
        yield from (f"{name} is no name of a GGUF file" for name in variant.files if not _is_gguf_name(name))
        if variant.download_bytes and variant.download_bytes <= _encoder_bytes(model, variant):
            yield f"{variant.repository} is smaller than its encoders"


def _is_gguf_name(name: str) -> bool:
    path = PurePosixPath(name)
    return path.suffix == ".gguf" and not path.is_absolute() and ".." not in path.parts and "\\" not in name


def _damaged(file: Path, reason: str, detail: str = "") -> CatalogError:
    return CatalogError(
        f"The list of models {file.name} is damaged: {reason}.",
        "Install First Token again, or search for models by name.",
        detail=detail or str(file),
    )
