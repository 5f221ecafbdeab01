"""Which tests a run consists of: grids and presets, what a model's context allows, and the order of the repetitions.

Variants (models) are interleaved, A B A B …, so that a machine that grows warm or busy does so for all of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from enum import StrEnum

import msgspec

from runtime.bench.quality import DEFAULT_TOKENS, LEAST_TOKENS, MOST_TOKENS, QualityText
from runtime.bench.workload import (
    CacheState,
    ChatReply,
    Decode,
    Prefill,
    Serving,
    Workload,
    checked_workload,
    context_need_tokens,
    name_of,
)
from runtime.client.base import ModelToLoad
from runtime.values.errors import InvalidRequestError
from runtime.values.sampling import MAX_SEED

MOST_REPETITIONS = 1000
MOST_WORKLOADS = 1000
DEFAULT_SEED = 42
LONGEST = "max"
"""A depth that means: as deep as the context allows."""
KIBI = 1024


class WorkloadGrid(msgspec.Struct, frozen=True, kw_only=True):
    """Tests by their dimensions: every prompt and every reply at every depth, chats, and servings.

    Attributes:
        prompt_tokens: lengths of prompts to read.
        generate_tokens: lengths of replies to write; the first is also that of chats and servings.
        depths: tokens in the KV cache before; None is as many as the context allows.
        chats: states of the cache in which to measure a chat.
        concurrency: numbers of requests at once.
    """

    prompt_tokens: tuple[int, ...] = (512,)
    generate_tokens: tuple[int, ...] = (128,)
    depths: tuple[int | None, ...] = (0,)
    chats: tuple[CacheState, ...] = ()
    concurrency: tuple[int, ...] = ()


class PresetName(StrEnum):
    """The three presets."""

    QUICK = "quick"
    STANDARD = "standard"
    THOROUGH = "thorough"


class Preset(msgspec.Struct, frozen=True, kw_only=True):
    """A choice of tests for a purpose; tests that a model's context has no room for are left out, and said to be.

    Attributes:
        grid: the tests.
        repetitions: how often each is measured.
        budget_s: no round of repetitions begins that would likely end after so long; None has no limit.
        quality: whether perplexity and its kin are measured, too.
    """

    grid: WorkloadGrid
    repetitions: int
    budget_s: float | None = None
    quality: bool = False


PRESETS = {
    PresetName.QUICK: Preset(
        grid=WorkloadGrid(chats=(CacheState.WARM, CacheState.CACHED)), repetitions=3, budget_s=50.0
    ),
    PresetName.STANDARD: Preset(
        grid=WorkloadGrid(depths=(0, 1 * KIBI, 4 * KIBI, 16 * KIBI), chats=tuple(CacheState), concurrency=(1, 4)),
        repetitions=5,
    ),
    PresetName.THOROUGH: Preset(
        grid=WorkloadGrid(
            depths=(0, 1 * KIBI, 4 * KIBI, 16 * KIBI, None), chats=tuple(CacheState), concurrency=(1, 2, 4, 8)
        ),
        repetitions=10,
        quality=True,
    ),
}


class BenchPlan(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that decides what a run does.

    Attributes:
        models: the variants to compare; a model's name is in its options.
        workloads: what to time on each of them.
        repetitions: how often.
        seed: of the random prompts and of sampling.
        budget_s: see `Preset.budget_s`.
        leave_out: whether tests that a context has no room for are left out; otherwise they are refused.
        quality: the text to score the models on; None for no scoring.
        quality_tokens: how much of it, in tokens.
    """

    models: tuple[ModelToLoad, ...]
    workloads: tuple[Workload, ...]
    repetitions: int = 5
    seed: int = DEFAULT_SEED
    budget_s: float | None = None
    leave_out: bool = False
    quality: QualityText | None = None
    quality_tokens: int = DEFAULT_TOKENS


class Step(msgspec.Struct, frozen=True):
    """One repetition (from 0) of one workload on the model at `variant` in the plan."""

    variant: int
    workload: Workload
    repetition: int


def parse_depth(text: str) -> int | None:
    """Return a depth in tokens: 4096, 4k (1,024 each), or None for "max".

    Raises:
        InvalidRequestError: it is none of these.
    """
    plain = text.strip().lower()
    if plain == LONGEST:
        return None
    digits = plain.removesuffix("k")
    if not (digits.isascii() and digits.isdecimal()) or len(digits) > 9:
        raise InvalidRequestError(
            f'"{text[:60]}" is no depth.', 'Write numbers of tokens such as 0,4096, 16k or "max".'
        )
    return int(digits) * (KIBI if plain.endswith("k") else 1)


def workloads_of(grid: WorkloadGrid, longest_context_tokens: int | None) -> tuple[Workload, ...]:
    """Return the tests of a grid, shallow before deep, each once.

    `longest_context_tokens` is the longest context that every chosen model bears: depth None fills it.

    Raises:
        InvalidRequestError: a number is out of range, or the grid asks for the depth "max" and the context is unknown.
    """
    found: list[Workload] = []
    for depth in _sorted_depths(grid.depths):
        shallow: list[Prefill | Decode] = [*map(Prefill, grid.prompt_tokens), *map(Decode, grid.generate_tokens)]
        found += [_deepened(workload, depth, longest_context_tokens) for workload in shallow]
    for generate in grid.generate_tokens[:1]:
        found += [ChatReply(generate, state) for state in grid.chats]
        found += [
            Serving(prompt, generate, users) for prompt in grid.prompt_tokens[:1] for users in sorted(grid.concurrency)
        ]
    return tuple(dict.fromkeys(map(checked_workload, found)))


def checked_plan(plan: BenchPlan) -> BenchPlan:
    """Return `plan` with repeated workloads and models dropped.

    Raises:
        InvalidRequestError: there is nothing to do, or a number is out of range.
    """
    if not 1 <= plan.repetitions <= MOST_REPETITIONS:
        raise InvalidRequestError(
            f"A test cannot be repeated {plan.repetitions} times.",
            f"Choose from 1 to {MOST_REPETITIONS:,} repetitions.",
        )
    if not 0 <= plan.seed <= MAX_SEED:
        raise InvalidRequestError(f"The seed cannot be {plan.seed}.", f"Choose a whole number from 0 to {MAX_SEED}.")
    if not plan.models:
        raise InvalidRequestError("No model was chosen.", "Choose at least one.")
    workloads = tuple(dict.fromkeys(map(checked_workload, plan.workloads)))
    if not LEAST_TOKENS <= plan.quality_tokens <= MOST_TOKENS:
        raise InvalidRequestError(
            f"A text cannot be scored on {plan.quality_tokens} tokens.",
            f"Choose from {LEAST_TOKENS} to {MOST_TOKENS:,}.",
        )
    if not (1 if plan.quality is None else 0) <= len(workloads) <= MOST_WORKLOADS:
        raise InvalidRequestError(
            f"{len(workloads):,} tests cannot be run.", f"Choose from 1 to {MOST_WORKLOADS:,} tests."
        )
    distinct = {(model.engine, model.path, model.options): model for model in plan.models}
    return msgspec.structs.replace(plan, workloads=workloads, models=tuple(distinct.values()))


def fits_context(workload: Workload, context_tokens: int | None) -> bool:
    """Return whether a context has room for the workload; an unstated one has."""
    return context_tokens is None or context_need_tokens(workload) <= context_tokens


def context_error(workload: Workload, model_name: str, context_tokens: int) -> InvalidRequestError:
    """Return the error for a workload that a model's context has no room for."""
    need = context_need_tokens(workload)
    return InvalidRequestError(
        f"The test {name_of(workload)} takes a context of {need:,} tokens; that of {model_name} holds"
        f" {context_tokens:,}.",
        "Choose a smaller depth or fewer tokens.",
    )


def interleaved(workloads: Sequence[Workload], variants: int, repetitions: int, *, together: bool) -> Iterator[Step]:
    """Yield the steps of a run, round by round; within a round every workload once on every variant.

    Args:
        workloads: what to time.
        variants: how many models there are.
        repetitions: number of rounds.
        together: whether all models are in memory at the same time: then they take turns at each workload, otherwise
            one does its round before the next is loaded.
    """
    for repetition in range(repetitions):
        if together:
            yield from (Step(variant, one, repetition) for one in workloads for variant in range(variants))
        else:
            yield from (Step(variant, one, repetition) for variant in range(variants) for one in workloads)


def _sorted_depths(depths: Sequence[int | None]) -> list[int | None]:
    known = sorted({depth for depth in depths if depth is not None})
    return [*known, *([None] if None in depths else [])]


def _deepened(workload: Prefill | Decode, depth: int | None, longest_context_tokens: int | None) -> Workload:
    if depth is not None:
        return msgspec.structs.replace(workload, depth_tokens=depth)
    if longest_context_tokens is None:
        raise InvalidRequestError(
            'The depth "max" is unknown: the model does not say how long its context is.', "Name a depth in tokens."
        )
    # A reply at depth 0 has a prompt of one token; at any other depth that token is part of the depth.
    need = context_need_tokens(workload) - (1 if isinstance(workload, Decode) else 0)
    return msgspec.structs.replace(workload, depth_tokens=max(0, longest_context_tokens - need))
