"""`first-token models`: what is installed, and what a model is, from headers alone."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from runtime.cli.streams import printable_path, write_json, write_line
from runtime.cli.terminal import without_controls
from runtime.client.launch import choose_model
from runtime.config.paths import AppPaths
from runtime.config.settings import read_settings
from runtime.library.installed import InstalledModel, list_models
from runtime.library.reader import read_spec
from runtime.library.spec import ModelSpec
from runtime.values.errors import UserFacingError
from runtime.values.model import ModelFormat, Quantization
from runtime.values.wording import UNDEFINED, bytes_text, quantization_text

if TYPE_CHECKING:
    from runtime.cli.parser import Commands


LIST_DESCRIPTION = """\
The models that are installed: in the app's own folder (`first-token doctor` names it), in folders that the settings
name, and the demo model in all its forms. Name, format, size, quantization with effective bits per weight; or what is
wrong with it.
"""
INSPECT_DESCRIPTION = """\
What a model is: architecture, parameters, format, quantization and effective bits per weight, context length, license,
chat template. Read from headers, without loading weights.
"""
INSPECT_EPILOG = """\
examples:
  first-token models inspect demo:int4
  first-token models inspect --json ~/models/some-model.gguf
"""


class ListedModel(msgspec.Struct, frozen=True, kw_only=True):
    """One row of `models list`; `problem` says why a model cannot be used."""

    name: str
    format: ModelFormat
    path: str
    size_bytes: int
    is_demo: bool
    parameters: int | None = None
    quantization: Quantization | None = None
    problem: str | None = None


class InspectedModel(msgspec.Struct, frozen=True, kw_only=True):
    """What `models inspect` says; None where the files do not."""

    name: str
    path: str
    format: ModelFormat
    is_demo: bool
    architecture: str
    parameters: int
    weights_bytes: int
    quantization: Quantization
    context_tokens: int | None
    layers: int
    vocabulary_size: int
    license: str | None
    chat_template: str | None


def add_models_parser(commands: Commands) -> None:
    """Add the commands and their options."""
    parser = commands.add_parser("models", help="list and inspect models", description="List and inspect models.")
    actions = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    listing = actions.add_parser("list", help="installed models", description=LIST_DESCRIPTION)
    listing.add_argument("--json", action="store_true", help="print one JSON array, an object a model")
    listing.set_defaults(run=run_list)
    inspection = actions.add_parser(
        "inspect", help="what a model is", description=INSPECT_DESCRIPTION, epilog=INSPECT_EPILOG
    )
    inspection.add_argument(
        "model", metavar="PATH|NAME", help="an MLX directory, a GGUF file, or a name from `first-token models list`"
    )
    inspection.add_argument("--json", action="store_true", help="print one JSON object, with the whole chat template")
    inspection.set_defaults(run=run_inspect)


def run_list(options: argparse.Namespace, paths: AppPaths) -> int:
    """Print the installed models; return the exit code."""
    rows = [listed(model) for model in list_models(paths, read_settings(paths.config_file))]
    if options.json:
        write_json(rows)
        return 0
    for row in rows:
        write_line(without_controls(list_line(row)))
    return 0


def listed(model: InstalledModel) -> ListedModel:
    """Return the row of `model`, read from its headers; a broken model is listed with its problem."""
    row = ListedModel(
        name=printable_path(model.name),
        format=model.format,
        path=printable_path(model.path),
        size_bytes=model.size_bytes,
        is_demo=model.is_demo,
    )
    try:
        spec = read_spec(model.path)
    except UserFacingError as error:
        return msgspec.structs.replace(row, problem=error.what)
    return msgspec.structs.replace(row, parameters=spec.parameters, quantization=spec.quantization)


def list_line(row: ListedModel) -> str:
    """Return a row as text."""
    demo = "  (demo)" if row.is_demo else ""
    what = row.problem or (quantization_text(row.quantization) if row.quantization is not None else UNDEFINED)
    return f"{row.name:<32} {row.format:<5} {bytes_text(row.size_bytes):>8}  {what}{demo}"


def run_inspect(options: argparse.Namespace, paths: AppPaths) -> int:
    """Print what a model is; return the exit code."""
    path = Path(options.model).expanduser()
    if not path.exists():
        path = choose_model(options.model, None, paths)[0].path
    model = inspected(read_spec(path))
    if options.json:
        write_json(model)
        return 0
    for line in inspection_lines(model):
        write_line(without_controls(line))
    return 0


def inspected(spec: ModelSpec) -> InspectedModel:
    """Return the part of `spec` that a person asks for."""
    return InspectedModel(
        name=printable_path(spec.name),
        path=printable_path(spec.path),
        format=spec.format,
        is_demo=spec.is_demo,
        architecture=spec.architecture,
        parameters=spec.parameters,
        weights_bytes=spec.weights_bytes,
        quantization=spec.quantization,
        context_tokens=spec.context_tokens,
        layers=spec.layers,
        vocabulary_size=spec.vocabulary_size,
        license=spec.license,
        chat_template=spec.chat_template,
    )


def inspection_lines(model: InspectedModel) -> list[str]:
    """Return the lines of `models inspect`."""
    context = f"{model.context_tokens:,} tokens" if model.context_tokens is not None else "not stated"
    template = f"yes, {len(model.chat_template):,} characters" if model.chat_template else "none: it cannot chat"
    return [
        f"name           {model.name}{' (demo)' if model.is_demo else ''}",
        f"path           {model.path}",
        f"format         {model.format}",
        f"architecture   {model.architecture}, {model.layers} layers, vocabulary {model.vocabulary_size:,}",
        f"parameters     {model.parameters:,}",
        f"quantization   {quantization_text(model.quantization)}",
        f"weights        {bytes_text(model.weights_bytes)}",
        f"context        {context}",
        f"license        {model.license or 'not stated'}",
        f"chat template  {template}",
    ]
