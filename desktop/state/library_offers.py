"""What can be downloaded, as the picker shows it: models with the forms they can be had in. Pure values and functions.

The curated list and the Hub say different things of a model; here they look the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import StrEnum
from pathlib import PurePosixPath

import msgspec

from runtime.hub.grouping import HubModel, HubVariant
from runtime.hub.naming import RECIPE_MEANINGS, Scheme
from runtime.hub.selection import local_path
from runtime.library.catalog import (
    Catalog,
    CatalogModel,
    CatalogQuantization,
    CatalogVariant,
    catalog_reads,
    catalog_spec,
    download_bytes,
    preference,
)
from runtime.library.spec import ModelSpec
from runtime.values.memory_reads import DecodeReads
from runtime.values.model import ModelFormat

FORMAT_NAMES = {ModelFormat.MLX: "MLX", ModelFormat.GGUF: "GGUF", ModelFormat.SCRIPT: "script"}
CATALOG_BITS = {
    CatalogQuantization.INT4: 4,
    CatalogQuantization.INT8: 8,
    CatalogQuantization.MXFP4: 4,
    CatalogQuantization.Q4_K_M: 4,
    CatalogQuantization.Q8_0: 8,
}


class Origin(StrEnum):
    """Where an offer comes from."""

    CATALOG = "catalog"
    HUB = "hub"


class OfferedVariant(msgspec.Struct, frozen=True, kw_only=True):
    """One form of a model that can be downloaded.

    Attributes:
        form: how the Hub is asked for it.
        download_bytes: about how much there is to download; None if nothing tells.
        bits_per_weight: effective bits; None if not known.
        spec: what the memory estimate needs; None until the headers have been read.
        estimate: what another form of the model tells of this one, while its own headers have not been read.
        reads: what writing a token reads; None likewise.
        active_parameters: weights that a token uses; None if not known.
        preference: what orders variants that fit equally well, the better one higher.
    """

    form: HubVariant
    download_bytes: int | None
    bits_per_weight: float | None
    spec: ModelSpec | None = None
    estimate: ModelSpec | None = None
    reads: DecodeReads | None = None
    active_parameters: int | None = None
    preference: tuple[int, float] = (0, 0.0)

    @property
    def key(self) -> str:
        """What tells this form of this model from all others."""
        return form_key(self.form)

    @property
    def title(self) -> str:
        """How its weights are stored, and in which format: "INT4 · MLX"."""
        return f"{self.form.scheme.title} · {FORMAT_NAMES[self.form.format]}"

    @property
    def meaning(self) -> str:
        """What its way of quantizing is, where it has a name of its own; empty otherwise."""
        recipe = self.form.scheme.recipe
        return RECIPE_MEANINGS[recipe] if recipe is not None else ""


class OfferedModel(msgspec.Struct, frozen=True, kw_only=True):
    """A model that can be downloaded; None and empty texts where nothing tells.

    Attributes:
        key: what tells it from all others.
        name: what people call it.
        publisher: who made it.
        origin: who offers it.
        parameters: number of weights.
        active_parameters: of them, those that a token uses, where that is fewer.
        license: the terms.
        license_url: where they stand.
        context_tokens: the longest context it was made for.
        good_at: one plain sentence.
        downloads: in the last 30 days.
        variants: the forms that run here, INT4 and INT8 first.
    """

    key: str
    name: str
    publisher: str
    origin: Origin
    parameters: int | None
    active_parameters: int | None = None
    license: str = ""
    license_url: str = ""
    context_tokens: int | None = None
    good_at: str = ""
    downloads: int | None = None
    variants: tuple[OfferedVariant, ...]


def form_key(form: HubVariant) -> str:
    """Return what tells a form of a model from all others."""
    return " ".join((form.repo_id, form.scheme.title, *form.files[:1]))


def catalog_offers(catalog: Catalog, formats: Sequence[ModelFormat]) -> tuple[OfferedModel, ...]:
    """Return the models of the curated list that can be had in one of `formats`, the smallest first.

    Of the formats, the one that suits this machine best comes first.
    """
    offers = (_catalog_offer(model, formats) for model in catalog.models)
    return tuple(offer for offer in offers if offer.variants)


def hub_offers(models: Iterable[HubModel], formats: Sequence[ModelFormat]) -> tuple[OfferedModel, ...]:
    """Return what a search found, as far as it can be had in one of `formats`, the best of which comes first."""
    offers = (_hub_offer(model, formats) for model in models)
    return tuple(offer for offer in offers if offer.variants)


def _catalog_offer(model: CatalogModel, formats: Sequence[ModelFormat]) -> OfferedModel:
    there = [variant for one in formats for variant in model.variants if variant.format is one]
    is_sparse = model.active_parameters < model.parameters
    return OfferedModel(
        key=f"{Origin.CATALOG}:{model.id}",
        name=model.name,
        publisher=model.repository.partition("/")[0],
        origin=Origin.CATALOG,
        parameters=model.parameters,
        active_parameters=model.active_parameters if is_sparse else None,
        license=model.license.name,
        license_url=model.license.url,
        context_tokens=model.context_tokens,
        good_at=model.good_at,
        variants=tuple(_catalog_variant(model, variant) for variant in there),
    )


def _catalog_variant(model: CatalogModel, variant: CatalogVariant) -> OfferedVariant:
    size = download_bytes(model, variant)
    spec = catalog_spec(model, variant)
    return OfferedVariant(
        form=HubVariant(
            repo_id=variant.repository,
            format=variant.format,
            scheme=Scheme(variant.quantization.value, CATALOG_BITS[variant.quantization]),
            files=variant.files,
        ),
        download_bytes=size,
        bits_per_weight=spec.quantization.bits_per_weight,
        spec=spec,
        reads=catalog_reads(model, variant),
        active_parameters=model.active_parameters,
        preference=preference(model, variant),
    )


def _hub_offer(model: HubModel, formats: Sequence[ModelFormat]) -> OfferedModel:
    variants = [_hub_variant(model, form) for form in model.variants if form.format in formats]
    name = model.base_model or f"{model.publisher or ''}/{model.name}"
    return OfferedModel(
        key=f"{Origin.HUB}:{name.casefold()}",
        name=model.name,
        publisher=model.publisher or model.variants[0].repo_id.partition("/")[0],
        origin=Origin.HUB,
        parameters=model.parameters,
        license=model.license or "",
        downloads=model.downloads,
        variants=tuple(sorted(variants, key=lambda one: (formats.index(one.form.format), _usual_first(one)))),
    )


def _hub_variant(model: HubModel, form: HubVariant) -> OfferedVariant:
    return OfferedVariant(
        form=form,
        download_bytes=form.weights_bytes,
        bits_per_weight=form.bits_per_weight,
        preference=(model.parameters or 0, form.bits_per_weight or form.scheme.bits),
    )


def _usual_first(variant: OfferedVariant) -> tuple[bool, int, str]:
    """Return the key that puts what most people choose first: INT4, INT8, Q4_K_M, Q8_0, then by width."""
    scheme = variant.form.scheme
    usual = scheme.title in {"INT4", "INT8", "Q4_K_M", "Q8_0", "MXFP4"}
    return not usual, scheme.bits, scheme.title


def model_place(form: HubVariant) -> PurePosixPath:
    """Return where a form will be below the models folder once it is downloaded.

    Raises:
        DownloadError: one of its files has a name that leads out of the folder.
    """
    folder = PurePosixPath(form.repo_id)
    return folder / local_path(form.files[0], form.format) if form.files else folder


def not_listed(models: Iterable[OfferedModel], listed: Iterable[OfferedModel]) -> tuple[OfferedModel, ...]:
    """Return those of `models` that are not among `listed` under the same name."""
    names = {_plain_name(model) for model in listed}
    return tuple(model for model in models if _plain_name(model) not in names)


def _plain_name(model: OfferedModel) -> str:
    return model.name.casefold().replace("-", " ").replace("_", " ")
