"""The options of `first-token bench`, and the plan they make."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from runtime.bench.kv_variants import NAMES, OPTION, kv_variants
from runtime.bench.own_chats import own_chats_text
from runtime.bench.plan import (
    DEFAULT_SEED,
    PRESETS,
    BenchPlan,
    Preset,
    PresetName,
    WorkloadGrid,
    checked_plan,
    parse_depth,
    workloads_of,
)
from runtime.bench.quality import DEFAULT_TOKENS, QualityText, shipped_text
from runtime.bench.report import OutputFormat
from runtime.bench.reproduction import TextChoice
from runtime.bench.workload import CacheState, Workload, parse_workload
from runtime.client.base import ModelToLoad
from runtime.client.launch import choose_model, model_to_load
from runtime.config.paths import AppPaths
from runtime.library.reader import read_spec
from runtime.store.opening import FILE_NAME
from runtime.values.errors import InvalidRequestError, UserFacingError
from runtime.values.model import LoadOptions

if TYPE_CHECKING:
    from runtime.cli.parser import Commands

DESCRIPTION = """\
Measure how fast models run on this machine: reading prompts (pp), writing (tg), both at depths, chats, and several
requests at once. Results go to stdout, progress to stderr. Nothing else should run meanwhile; what did is in the rows.
"""
EPILOG = """\
examples:
  first-token bench                                     pp512 and tg128 on the default model
  first-token bench --model demo:int4 demo:int8 --preset quick
  first-token bench --model some-model.gguf --depth 0,4k,max --output json > before.json
  first-token bench --model some-model.gguf --depth 0,4k,max --compare before.json
  first-token bench --compare                           against the latest results of the same tests
  first-token bench --model demo:int4 demo:int8 --quality
  first-token bench --model demo:int4 demo:int8 --quality-text chats
  first-token bench --kv-cache-bits none,8,4 --depth 4k --quality
  first-token bench --test pp512,tg128@d4096,pp512+tg128@c4,chat128@cached

Ctrl+C ends the run and prints what has been measured. Exit codes: 0 all measured; 1 something failed; 130 interrupted.
"""
FROM_HISTORY = ""
PLAIN = Preset(grid=WorkloadGrid(), repetitions=5)


def add_bench_parser(commands: Commands, run: Callable[[argparse.Namespace, AppPaths], int]) -> None:
    """Add the command and its options."""
    parser = commands.add_parser("bench", help="how fast models run here", description=DESCRIPTION, epilog=EPILOG)
    parser.set_defaults(run=run)
    _add_model_options(parser)
    _add_test_options(parser)
    results = parser.add_argument_group("results")
    results.add_argument(
        "--output", choices=tuple(OutputFormat), default=OutputFormat.MARKDOWN, help="form of the results (default: md)"
    )
    results.add_argument(
        "--json", dest="output", action="store_const", const=OutputFormat.JSON, help="the same as --output json"
    )
    results.add_argument(
        "--compare",
        nargs="?",
        const=FROM_HISTORY,
        metavar="FILE",
        help="earlier results to compare with, JSON of ours or of llama-bench; without FILE the latest of this machine",
    )


def _add_model_options(parser: argparse.ArgumentParser) -> None:
    model = parser.add_argument_group("models")
    model.add_argument(
        "--model",
        nargs="+",
        action="extend",
        metavar="M",
        help="one or more models, as `first-token chat` takes them; several are measured in turns",
    )
    model.add_argument("--engine", choices=("auto", "mlx", "llamacpp"), help="which engine (default: auto)")
    model.add_argument(
        "--context", type=int, metavar="N", help="context length in tokens (default: what the tests need)"
    )
    model.add_argument(
        OPTION, metavar="B,…", help="widths of the KV cache: none, 8, 4; several are measured in turns (default: none)"
    )
    model.add_argument("--threads", type=int, metavar="N", help="CPU threads of llama.cpp (default: measured)")


def _add_test_options(parser: argparse.ArgumentParser) -> None:
    tests = parser.add_argument_group("tests")
    tests.add_argument(
        "--preset", choices=tuple(PresetName), help="a choice of tests; what a context has no room for is left out"
    )
    tests.add_argument("--prompt-tokens", metavar="N,…", help="lengths of prompts to read (default: 512)")
    tests.add_argument("--generate-tokens", metavar="N,…", help="lengths of replies to write (default: 128)")
    tests.add_argument(
        "--depth", metavar="N,…", help='tokens in the KV cache before: numbers, 4k, or "max" (default: 0)'
    )
    tests.add_argument("--chat", metavar="STATE,…", help="chats to measure: cold, warm, cached (default: none)")
    tests.add_argument("--concurrency", metavar="N,…", help="numbers of requests at once (default: none)")
    tests.add_argument("--test", metavar="NAME,…", help="tests by name, instead of all of the above")
    tests.add_argument(
        "--quality", action="store_true", help="also score a text: perplexity, KL divergence, top-1 agreement"
    )
    tests.add_argument(
        "--quality-text",
        choices=tuple(TextChoice),
        help="which text to score: the app's essay (default), or your own chats, which stay on this machine",
    )
    tests.add_argument(
        "--quality-tokens", type=int, default=DEFAULT_TOKENS, metavar="N", help=f"of it (default: {DEFAULT_TOKENS})"
    )
    tests.add_argument("--repetitions", type=int, metavar="N", help="how often each (default: 5)")
    tests.add_argument(
        "--seed", type=int, default=DEFAULT_SEED, metavar="S", help=f"of random prompts (default: {DEFAULT_SEED})"
    )


def plan_from(options: argparse.Namespace, paths: AppPaths) -> BenchPlan:
    """Return the plan that the options ask for.

    Raises:
        UserFacingError: a model is not there, or a number makes no sense.
    """
    preset = PRESETS[PresetName(options.preset)] if options.preset else PLAIN
    widths = _widths(options.kv_cache_bits)
    named = tuple(_model(name, options, paths) for name in options.model or [None])
    models = tuple(variant for model in named for variant in kv_variants(model, widths))
    plan = BenchPlan(
        models=models,
        workloads=_workloads(options, preset, models),
        repetitions=preset.repetitions if options.repetitions is None else options.repetitions,
        seed=options.seed,
        budget_s=preset.budget_s,
        leave_out=options.preset is not None,
        quality=_quality_text(options, preset, paths),
        quality_tokens=options.quality_tokens,
    )
    return checked_plan(plan)


def _quality_text(options: argparse.Namespace, preset: Preset, paths: AppPaths) -> QualityText | None:
    if options.quality_text == TextChoice.CHATS:
        return own_chats_text(paths.data / FILE_NAME)
    wanted = options.quality or preset.quality or options.quality_text is not None
    return shipped_text(paths.assets) if wanted else None


def grid_from(options: argparse.Namespace, base: WorkloadGrid) -> WorkloadGrid:
    """Return the grid of the options; what they do not say is as in `base`.

    Raises:
        InvalidRequestError: something in it is no number, no depth or no state.
    """
    changes: dict[str, object] = {}
    for field in ("prompt_tokens", "generate_tokens", "concurrency"):
        text: str | None = getattr(options, field)
        if text is not None:
            changes[field] = tuple(_whole_number(part, field) for part in _parts(text))
    if options.depth is not None:
        changes["depths"] = tuple(parse_depth(part) for part in _parts(options.depth))
    if options.chat is not None:
        changes["chats"] = tuple(_cache_state(part) for part in _parts(options.chat))
    return msgspec.structs.replace(base, **changes)


def _model(name: str | None, options: argparse.Namespace, paths: AppPaths) -> ModelToLoad:
    model, settings = choose_model(name, options.engine, paths)
    return model_to_load(model, settings, LoadOptions(context_tokens=options.context, threads=options.threads))


def _workloads(options: argparse.Namespace, preset: Preset, models: tuple[ModelToLoad, ...]) -> tuple[Workload, ...]:
    if options.test is not None:
        return tuple(parse_workload(name) for name in _parts(options.test))
    grid = grid_from(options, preset.grid)
    return workloads_of(grid, _longest_context(models) if None in grid.depths else None)


def _longest_context(models: tuple[ModelToLoad, ...]) -> int | None:
    """Return the longest context that every model bears; a model that cannot be read says so when it is measured."""
    contexts = [limit for model in models if (limit := _context_of(model)) is not None]
    return min(contexts, default=None)


def _context_of(model: ModelToLoad) -> int | None:
    if model.options.context_tokens is not None:
        return model.options.context_tokens
    try:
        return read_spec(Path(model.path)).context_tokens
    except UserFacingError:
        return None


def _parts(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _whole_number(text: str, field: str) -> int:
    if not (text.isascii() and text.isdecimal()) or len(text) > 9:
        option = "--" + field.replace("_", "-")
        raise InvalidRequestError(f'"{text[:60]}" is no number for {option}.', "Write whole numbers such as 128,512.")
    return int(text)


def _widths(text: str | None) -> tuple[int | None, ...]:
    names = ["none"] if text is None else _parts(text)
    unknown = next((name for name in names if name not in NAMES), None)
    if unknown is not None or not names:
        raise InvalidRequestError(
            f'"{(unknown or "")[:60]}" is no width of a KV cache.', f"Choose from {', '.join(NAMES)}."
        )
    return tuple(NAMES[name] for name in names)


def _cache_state(text: str) -> CacheState:
    try:
        return CacheState(text.lower())
    except ValueError as error:
        raise InvalidRequestError(
            f'"{text[:60]}" is no state of a chat.', f"Choose from {', '.join(CacheState)}."
        ) from error
