"""The command line that repeats a run, for whoever wants to check it."""

from __future__ import annotations

import shlex
from enum import StrEnum

from runtime.bench.kv_variants import OPTION, plain_name, width_names
from runtime.bench.own_chats import OWN_CHATS
from runtime.bench.plan import DEFAULT_SEED, BenchPlan
from runtime.bench.workload import name_of
from runtime.client.base import ModelToLoad


class TextChoice(StrEnum):
    """The texts that models can be scored on, as the command line calls them."""

    ESSAY = "essay"
    CHATS = "chats"


def command_line(plan: BenchPlan) -> str:
    """Return a command that measures the same tests on the same models, quoted for a POSIX shell."""
    engines = {model.engine for model in plan.models}
    words = ["first-token", "bench", "--model"]
    words += dict.fromkeys(_model_word(model, one_engine=len(engines) == 1) for model in plan.models)
    if len(engines) == 1:
        words += ["--engine", str(*engines)]
    words += ["--test", ",".join(name_of(workload) for workload in plan.workloads)]
    words += ["--repetitions", str(plan.repetitions)]
    if plan.seed != DEFAULT_SEED:
        words += ["--seed", str(plan.seed)]
    if plan.quality is not None:
        words += ["--quality", "--quality-tokens", str(plan.quality_tokens)]
        words += ["--quality-text", TextChoice.CHATS] if plan.quality.name == OWN_CHATS else []
    return shlex.join([*words, *_load_words(plan)])


def _model_word(model: ModelToLoad, *, one_engine: bool) -> str:
    """Return a name that leads to the model and its engine: the demo's follows the engine, a path decides it."""
    name = plain_name(model)
    return name if name and model.options.is_demo and one_engine else model.path


def _load_words(plan: BenchPlan) -> list[str]:
    """Return the options that say how models are loaded, where all models share them."""
    words: list[str] = []
    for option, field in (("--context", "context_tokens"), ("--threads", "threads")):
        values = {getattr(model.options, field) for model in plan.models}
        if len(values) == 1 and None not in values:
            words += [option, str(*values)]
    widths = width_names(plan.models)
    return [*words, OPTION, ",".join(widths)] if widths else words
