"""What `models fit` can be asked about: an installed model, a path, a curated one, a repository on the Hub."""

from __future__ import annotations

from pathlib import Path

import msgspec

from runtime.cli.installed_names import find_installed
from runtime.client.launch import choose_model
from runtime.config.paths import AppPaths, process_environment
from runtime.config.settings import read_settings
from runtime.hub.naming import Scheme, wanted_scheme
from runtime.library.catalog import (
    CATALOG_FILE_NAME,
    Catalog,
    CatalogModel,
    CatalogVariant,
    catalog_reads,
    catalog_spec,
    read_catalog,
)
from runtime.library.decode_reads import decode_reads
from runtime.library.defects import shown
from runtime.library.fit import at_once
from runtime.library.installed import DEMO, list_models
from runtime.library.local import FORMAT_OF, engine_platform
from runtime.library.planner import TransformerShape
from runtime.library.reader import read_spec
from runtime.library.spec import ModelSpec
from runtime.metrics.device import DeviceInfo
from runtime.values.errors import ModelMissingError
from runtime.values.memory_reads import DecodeReads
from runtime.values.model import EngineName, ModelFormat


class FitSubject(msgspec.Struct, frozen=True, kw_only=True):
    """A model that is asked about.

    Attributes:
        name: what to call it.
        spec: what it is.
        reads: what writing a token reads; None if not known.
        active_parameters: weights that take part in it; None if not known.
    """

    name: str
    spec: ModelSpec
    reads: DecodeReads | None
    active_parameters: float | None

    @property
    def shape(self) -> TransformerShape | None:
        """What its activations depend on; None where the files do not say."""
        if self.spec.hidden_size is None:
            return None
        kv_width = max((one.kv_heads * one.key_dim for one in self.spec.kv_layers), default=0)
        return TransformerShape(layers=self.spec.layers, hidden_size=self.spec.hidden_size, kv_width=kv_width)

    def with_batch(self, batch: int) -> ModelSpec:
        """Return the model as it is with `batch` sequences at the same time."""
        return at_once(self.spec, batch)


def subject_of(name: str, spec: ModelSpec) -> FitSubject:
    """Return the model that `spec` describes with its tensors."""
    reads = decode_reads(spec)
    bits = spec.quantization.bits_per_weight
    active = reads.weights_bytes * 8 / bits if reads is not None and bits else None
    return FitSubject(name=name, spec=spec, reads=reads, active_parameters=active)


def find_subject(name: str, variant: str | None, paths: AppPaths, device: DeviceInfo) -> FitSubject:
    """Return what `name` means: nothing is downloaded but the headers of a repository that is not known here.

    Raises:
        ModelMissingError: nothing is called that.
        UserFacingError: the model is broken, or the Hub cannot be reached, is busy or refuses.
    """
    if variant is None:
        path = _path_of(name, paths)
        if path is not None:
            return subject_of(name, read_spec(path))
    formats = preferred_formats(paths, device)
    curated = _curated(name, variant, read_catalog(paths.assets / CATALOG_FILE_NAME), formats)
    if curated is not None:
        return curated
    if name.count("/") != 1:
        raise ModelMissingError(
            f"There is no model called {shown(name)}, here or in the curated list.",
            "Name a model from `first-token models list`, a path, or a repository as publisher/name.",
        )
    return _on_the_hub(name, variant, formats)


def preferred_formats(paths: AppPaths, device: DeviceInfo) -> tuple[ModelFormat, ...]:
    """Return the formats that run here, the preferred one first; all of them where no engine is installed."""
    platform = engine_platform(device, read_settings(paths.config_file), process_environment())
    order = (EngineName.MLX, EngineName.LLAMACPP) if platform.prefers_mlx else (EngineName.LLAMACPP, EngineName.MLX)
    there = tuple(FORMAT_OF[engine] for engine in order if engine in platform.installed)
    return there or tuple(FORMAT_OF[engine] for engine in order)


def _path_of(name: str, paths: AppPaths) -> Path | None:
    if name == DEMO:
        return choose_model(name, None, paths)[0].path
    model = find_installed(name, list_models(paths, read_settings(paths.config_file)))
    if model is not None:
        return model.path
    path = Path(name).expanduser()
    return path if path.exists() else None


def _curated(name: str, variant: str | None, catalog: Catalog, formats: tuple[ModelFormat, ...]) -> FitSubject | None:
    """Return the model of the curated list with that id, name or repository; None if there is none, or not so."""
    in_repository = catalog.variant_of(name)
    if in_repository is not None:
        model, found = in_repository
        others = [one for one in model.variants if one.repository == found.repository]
        return _chosen(model, others, variant)
    called = next((one for one in catalog.models if name.casefold() in {one.id, one.name.casefold()}), None)
    if called is None:
        return None
    variants = [one for model_format in formats for one in called.variants if one.format is model_format]
    return _chosen(called, variants, variant)


def _chosen(model: CatalogModel, variants: list[CatalogVariant], wanted: str | None) -> FitSubject | None:
    fitting = (one for one in variants if wanted is None or _is_called(wanted, one))
    chosen = next(fitting, None)
    if chosen is None:
        return None
    return FitSubject(
        name=f"{model.name} ({chosen.repository})",
        spec=catalog_spec(model, chosen),
        reads=catalog_reads(model, chosen),
        active_parameters=model.active_parameters,
    )


def _is_called(wanted: str, variant: CatalogVariant) -> bool:
    return wanted_scheme(wanted, Scheme(variant.quantization.value, 0), variant.format) is not None


def _on_the_hub(name: str, variant: str | None, formats: tuple[ModelFormat, ...]) -> FitSubject:
    # Half a second that only a question to the Hub should cost.
    from runtime.cli.hub_models import describe_remote  # noqa: PLC0415

    title, spec = describe_remote(name, variant, formats)
    return subject_of(title, spec)
