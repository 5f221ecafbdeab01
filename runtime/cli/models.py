"""`first-token models`: its commands; what is installed, and what a model is, from headers alone."""

from __future__ import annotations

import argparse
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from runtime.cli.model_changes import add_adding_parser, add_removal_parser
from runtime.cli.model_fit import add_fit_parser
from runtime.cli.model_hub_parsers import add_hub_parsers
from runtime.cli.streams import printable_path, write_json, write_line
from runtime.cli.terminal import without_controls
from runtime.client.launch import choose_model
from runtime.config.paths import AppPaths, process_environment
from runtime.config.settings import read_settings
from runtime.library.elsewhere import Keeper, find_elsewhere
from runtime.library.installed import ModelOrigin, list_models
from runtime.library.local_library import LibraryModel, described
from runtime.library.reader import read_spec
from runtime.library.spec import ModelSpec
from runtime.values.model import ModelFormat, Quantization
from runtime.values.wording import UNDEFINED, bytes_text, quantization_text

if TYPE_CHECKING:
    from runtime.cli.parser import Commands


LIST_DESCRIPTION = """\
The models that are installed: in the app's own folder (`first-token doctor` names it), in folders that the settings
name or that were added, and the demo model in all its forms. Name, format, size, quantization with effective bits per
weight, when it was last used; or what is wrong with it.
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
    """One row of `models list`.

    `problem` says why a model cannot be used, `origin` why it is in the list, `keeper` whose it is if it is another
    program's.
    """

    name: str
    format: ModelFormat
    path: str
    size_bytes: int
    is_demo: bool
    parameters: int | None = None
    quantization: Quantization | None = None
    problem: str | None = None
    origin: ModelOrigin
    last_used: datetime | None = None
    keeper: Keeper | None = None


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
    parser = commands.add_parser(
        "models", help="find, get and list models", description="Find, judge, get, list and remove models."
    )
    actions = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    _add_list_parser(actions)
    _add_inspect_parser(actions)
    add_fit_parser(actions)
    add_hub_parsers(actions)
    add_adding_parser(actions)
    add_removal_parser(actions)


def _add_list_parser(actions: Commands) -> None:
    listing = actions.add_parser("list", help="installed models", description=LIST_DESCRIPTION)
    listing.add_argument(
        "--elsewhere", action="store_true", help="what the Hugging Face cache, LM Studio and Ollama hold, instead"
    )
    listing.add_argument("--json", action="store_true", help="print one JSON array, an object a model")
    listing.set_defaults(run=run_list)


def _add_inspect_parser(actions: Commands) -> None:
    inspection = actions.add_parser(
        "inspect", help="what a model is", description=INSPECT_DESCRIPTION, epilog=INSPECT_EPILOG
    )
    inspection.add_argument(
        "model", metavar="PATH|NAME", help="an MLX directory, a GGUF file, or a name from `first-token models list`"
    )
    inspection.add_argument("--json", action="store_true", help="print one JSON object, with the whole chat template")
    inspection.set_defaults(run=run_inspect)


def run_list(options: argparse.Namespace, paths: AppPaths) -> int:
    """Print the installed models, or those that other programs hold; return the exit code."""
    if options.elsewhere:
        kept = find_elsewhere(process_environment(), Path.home())
        keepers = {one.model.path: one.keeper for one in kept}
        found = tuple(one.model for one in kept)
    else:
        keepers = {}
        found = list_models(paths, read_settings(paths.config_file))
    rows = [listed(one, keepers.get(one.model.path)) for one in described(found, paths)]
    if options.json:
        write_json(rows)
        return 0
    for row in rows:
        write_line(without_controls(list_line(row)))
    return 0


def listed(one: LibraryModel, keeper: Keeper | None = None) -> ListedModel:
    """Return the row of a model; a broken one is listed with its problem."""
    model, spec = one.model, one.headers.spec
    return ListedModel(
        name=printable_path(model.name),
        format=model.format,
        path=printable_path(model.path),
        size_bytes=model.size_bytes,
        is_demo=model.is_demo,
        parameters=spec.parameters if spec is not None else None,
        quantization=spec.quantization if spec is not None else None,
        problem=one.headers.problem or None,
        origin=model.origin,
        last_used=one.last_used,
        keeper=keeper,
    )


def list_line(row: ListedModel) -> str:
    """Return a row as text."""
    what = row.problem or (quantization_text(row.quantization) if row.quantization is not None else UNDEFINED)
    used = f"  used {row.last_used.astimezone():%Y-%m-%d}" if row.last_used is not None else ""
    about = "  (demo)" if row.is_demo else f"  ({row.keeper})" if row.keeper is not None else ""
    return f"{row.name:<32} {row.format:<5} {bytes_text(row.size_bytes):>8}  {what}{used}{about}"


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
