"""`first-token models search`: models on the Hub with the forms they can be had in; offline, the curated list."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

import msgspec

from runtime.cli.fit_subjects import preferred_formats
from runtime.cli.hub_models import terminal_access
from runtime.cli.streams import write_json, write_line, writing
from runtime.cli.terminal import without_controls
from runtime.config.paths import AppPaths, process_environment
from runtime.hub.api import HubApi
from runtime.hub.grouping import HubModel, HubVariant
from runtime.hub.search import HubQuery, search
from runtime.library.catalog import CATALOG_FILE_NAME, CatalogModel, CatalogVariant, download_bytes, read_catalog
from runtime.metrics.device import read_device
from runtime.values.errors import HubUnreachableError
from runtime.values.model import ModelFormat
from runtime.values.wording import bytes_text, count_text

FORMATS = {"mlx": (ModelFormat.MLX,), "gguf": (ModelFormat.GGUF,), "all": (ModelFormat.MLX, ModelFormat.GGUF)}


class FoundVariant(msgspec.Struct, frozen=True, kw_only=True):
    """A form of a model; None where the listing does not say."""

    repo_id: str
    format: ModelFormat
    variant: str
    files: tuple[str, ...]
    size_bytes: int | None
    bits_per_weight: float | None
    gated: bool


class FoundModel(msgspec.Struct, frozen=True, kw_only=True):
    """A model that was found; `origin` is "hub" or "catalog"."""

    name: str
    publisher: str | None
    base_model: str | None
    parameters: int | None
    license: str | None
    downloads: int | None
    likes: int | None
    origin: str
    variants: tuple[FoundVariant, ...]


def search_models(options: argparse.Namespace, paths: AppPaths) -> int:
    """Print what was found; return the exit code."""
    formats = FORMATS[options.format] if options.format else preferred_formats(paths, read_device())
    try:
        found = _on_the_hub(options, formats)
    except HubUnreachableError as error:
        found = _curated(options, formats, paths)
        if not found:
            raise
        with writing():
            sys.stderr.write(f"{without_controls(error.what)} These are from the list that comes with the app.\n")
    if options.json:
        write_json(found)
        return 0
    for line in found_lines(found):
        write_line(without_controls(line))
    return 0


def found_lines(models: Sequence[FoundModel]) -> list[str]:
    """Return the models as a person reads them."""
    if not models:
        return ["Nothing was found. Try fewer words."]
    lines: list[str] = []
    for model in models:
        size = count_text(model.parameters)
        lines.append(
            f"{model.name}  by {model.publisher or 'unknown'}  {size}  {model.license or 'license not stated'}"
        )
        lines += [f"    {_variant_line(variant)}" for variant in model.variants]
    return lines


def _variant_line(variant: FoundVariant) -> str:
    gated = "  (ask for access first)" if variant.gated else ""
    return f"{variant.variant:<14} {variant.format:<5} {bytes_text(variant.size_bytes):>8}  {variant.repo_id}{gated}"


def _on_the_hub(options: argparse.Namespace, formats: tuple[ModelFormat, ...]) -> list[FoundModel]:
    query = HubQuery(
        text=" ".join(options.text),
        formats=formats,
        sort=options.sort,
        license=options.license,
        scheme=options.variant,
        least_parameters=round(options.least) if options.least is not None else None,
        most_parameters=round(options.most) if options.most is not None else None,
    )
    models = search(HubApi(terminal_access(process_environment())), query)
    return [_hub_model(model) for model in models[: options.limit]]


def _hub_model(model: HubModel) -> FoundModel:
    return FoundModel(
        name=model.name,
        publisher=model.publisher,
        base_model=model.base_model,
        parameters=model.parameters,
        license=model.license,
        downloads=model.downloads,
        likes=model.likes,
        origin="hub",
        variants=tuple(map(_hub_variant, model.variants)),
    )


def _hub_variant(variant: HubVariant) -> FoundVariant:
    return FoundVariant(
        repo_id=variant.repo_id,
        format=variant.format,
        variant=variant.scheme.title,
        files=variant.files,
        size_bytes=variant.weights_bytes,
        bits_per_weight=variant.bits_per_weight,
        gated=variant.gated,
    )


def _curated(options: argparse.Namespace, formats: tuple[ModelFormat, ...], paths: AppPaths) -> list[FoundModel]:
    words = " ".join(options.text).casefold().split()
    models = read_catalog(paths.assets / CATALOG_FILE_NAME).models
    fitting = (one for one in models if all(word in f"{one.name} {one.repository}".casefold() for word in words))
    return [_catalog_model(one, formats) for one in fitting][: options.limit]


def _catalog_model(model: CatalogModel, formats: tuple[ModelFormat, ...]) -> FoundModel:
    return FoundModel(
        name=model.name,
        publisher=model.repository.partition("/")[0],
        base_model=model.repository,
        parameters=model.parameters,
        license=model.license.name,
        downloads=None,
        likes=None,
        origin="catalog",
        variants=tuple(_catalog_variant(model, one) for one in model.variants if one.format in formats),
    )


def _catalog_variant(model: CatalogModel, variant: CatalogVariant) -> FoundVariant:
    return FoundVariant(
        repo_id=variant.repository,
        format=variant.format,
        variant=variant.quantization.value,
        files=variant.files,
        size_bytes=download_bytes(model, variant),
        bits_per_weight=None,
        gated=False,
    )
