"""Searching the Hub for models that run here: MLX and GGUF listings, filtered and grouped into models."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor

import msgspec

from runtime.hub.api import HubApi, Sort
from runtime.hub.grouping import GGUF_TAG, MLX_TAG, HubModel, grouped
from runtime.hub.listing import LICENSE_TAG, HubRepo
from runtime.hub.naming import wanted_scheme
from runtime.values.model import ModelFormat

LISTED_REPOS = 100
TAGS = {ModelFormat.MLX: MLX_TAG, ModelFormat.GGUF: GGUF_TAG}


class HubQuery(msgspec.Struct, frozen=True, kw_only=True):
    """What to look for.

    Attributes:
        text: words of the name; empty: whatever is popular.
        formats: which forms are of use here.
        sort: what comes first.
        license: only models with this license ("apache-2.0").
        scheme: only models that can be had in this scheme ("int4", "Q4_K_M", "MXFP4").
        least_parameters: only models at least this large; those of unknown size are left out.
        most_parameters: only models at most this large; likewise.
        limit: repositories looked at for each format.
    """

    text: str = ""
    formats: tuple[ModelFormat, ...] = (ModelFormat.MLX, ModelFormat.GGUF)
    sort: Sort = "downloads"
    license: str | None = None
    scheme: str | None = None
    least_parameters: int | None = None
    most_parameters: int | None = None
    limit: int = LISTED_REPOS


def search(api: HubApi, query: HubQuery) -> tuple[HubModel, ...]:
    """Return the models that the Hub has for `query`, best first.

    Raises:
        UserFacingError: the Hub cannot be reached, is busy or refuses.
    """
    with ThreadPoolExecutor(len(query.formats) or 1) as pool:
        listings = pool.map(lambda one: _listed(api, query, one), query.formats)
        repos = [repo for listing in listings for repo in listing]
    return ordered(matching(grouped(repos), query), query.sort)


def matching(models: Iterable[HubModel], query: HubQuery) -> tuple[HubModel, ...]:
    """Return those of `models` that pass the filters of `query`."""
    return tuple(model for model in models if _has_size(model, query) and _has_scheme(model, query))


def ordered(models: Sequence[HubModel], sort: Sort) -> tuple[HubModel, ...]:
    """Return `models` sorted."""
    match sort:
        case "downloads":
            return tuple(sorted(models, key=lambda model: -model.downloads))
        case "likes":
            return tuple(sorted(models, key=lambda model: -model.likes))
        case "trending_score":
            return tuple(sorted(models, key=lambda model: -model.trending))
        case "last_modified":
            return tuple(
                sorted(
                    models,
                    key=lambda model: model.last_modified.timestamp() if model.last_modified else 0.0,
                    reverse=True,
                )
            )


def _listed(api: HubApi, query: HubQuery, model_format: ModelFormat) -> tuple[HubRepo, ...]:
    tags = [TAGS[model_format]] + ([LICENSE_TAG + query.license] if query.license else [])
    return api.list_models(query.text.strip(), tags, query.sort, query.limit)


def _has_size(model: HubModel, query: HubQuery) -> bool:
    if query.least_parameters is None and query.most_parameters is None:
        return True
    if model.parameters is None:
        return False
    return (query.least_parameters or 0) <= model.parameters <= (query.most_parameters or model.parameters)


def _has_scheme(model: HubModel, query: HubQuery) -> bool:
    if query.scheme is None:
        return True
    forms = (*model.variants, *model.others)
    return any(wanted_scheme(query.scheme, form.scheme, form.format) is not None for form in forms)
