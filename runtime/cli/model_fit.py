"""`first-token models fit`: whether a model fits in memory here, and how fast it will be, before it is downloaded.

The model may be installed, a path, one of the curated list, a repository on the Hub (whose headers are then read), or
no model at all but a number of parameters.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

import msgspec

from runtime.cli.fit_subjects import FitSubject, find_subject
from runtime.cli.numbers import number
from runtime.cli.streams import printable_path, write_json, write_line
from runtime.cli.terminal import without_controls
from runtime.config.paths import AppPaths
from runtime.library.local import ENGINE_OF
from runtime.library.planner import PlannedModel, plan_inference, plan_training
from runtime.library.predictions import EngineHistory, Prediction, Workload, predict, read_history
from runtime.library.verdict import USUAL_CONTEXT_TOKENS, MemoryBudget, Verdict, judge, memory_budget, verdict_of
from runtime.metrics.device import DeviceInfo, read_device
from runtime.values.errors import InvalidRequestError, UsageError
from runtime.values.model import EngineName
from runtime.values.wording import bytes_text, milliseconds_text, speed_text

if TYPE_CHECKING:
    from runtime.cli.parser import Commands

DESCRIPTION = """\
Whether a model fits in the memory that this machine can give, with every term; how fast it will be, as far as that is
known here; and what training it would take. A repository's headers are read without downloading it.
"""
EPILOG = """\
examples:
  first-token models fit demo
  first-token models fit mlx-community/Qwen3-8B-4bit --context 32768
  first-token models fit qwen3.5-9b --variant int8
  first-token models fit --parameters 70e9 --bits 4
"""
DEFAULT_BITS = 16.0
MOST_TOKENS = 100_000_000


class FitAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What `models fit` says; None where it is not known.

    Attributes:
        model: name or repository; None for a number of parameters.
        format: how it is stored; None likewise.
        quantization: name of the weights' form; None likewise.
        parameters: number of weights.
        bits_per_weight: effective bits.
        context_tokens: the context asked about.
        batch: sequences at the same time.
        weights_bytes: the weights.
        kv_cache_bytes: keys and values of the context.
        recurrent_state_bytes: states of layers that keep no keys and values.
        overhead_bytes: working memory.
        total_bytes: all of them.
        available_bytes: what this machine can give.
        verdict: whether it fits.
        largest_context_tokens: the longest context that fits; None for a number of parameters.
        tokens_per_second: foretold speed of writing.
        ttft_ms: foretold time to first token.
        training_bytes: what training it takes: weights, gradients, AdamW's states, activations.
    """

    model: str | None
    format: str | None
    quantization: str | None
    parameters: int
    bits_per_weight: float
    context_tokens: int
    batch: int
    weights_bytes: int
    kv_cache_bytes: int
    recurrent_state_bytes: int = 0
    overhead_bytes: int
    total_bytes: int
    available_bytes: int
    verdict: Verdict
    largest_context_tokens: int | None
    tokens_per_second: float | None
    ttft_ms: float | None
    training_bytes: int


def add_fit_parser(actions: Commands) -> None:
    """Add `models fit` and its options."""
    parser = actions.add_parser("fit", help="does it fit in memory here?", description=DESCRIPTION, epilog=EPILOG)
    parser.add_argument(
        "model", metavar="NAME|REPO", nargs="?", help="an installed model, a path, or a repository on the Hub"
    )
    parser.add_argument("--variant", metavar="V", help="which form of a repository: int4, int8, Q4_K_M …")
    parser.add_argument("--parameters", metavar="N", type=number, help="instead of a model: 8e9, 8B, 600M")
    parser.add_argument("--bits", metavar="B", type=float, help="bits of a weight, with --parameters (default: 16)")
    parser.add_argument("--context", metavar="N", type=int, help="tokens of context (default: 8,192)")
    parser.add_argument("--batch", metavar="N", type=int, default=1, help="sequences at the same time (default: 1)")
    parser.add_argument("--kv-bits", type=int, choices=(4, 8), help="a quantized KV cache")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.set_defaults(run=run_fit)


def run_fit(options: argparse.Namespace, paths: AppPaths) -> int:
    """Print the answer; return the exit code, which is 0 whatever the verdict."""
    if (options.model is None) == (options.parameters is None):
        raise UsageError("Name a model, or a number of parameters.", "`first-token models fit --help` has examples.")
    for name, count in (("context", options.context), ("batch", options.batch)):
        if count is not None and not 1 <= count <= MOST_TOKENS:
            raise InvalidRequestError(f"The {name} cannot be {count:,}.", f"Choose from 1 to {MOST_TOKENS:,}.")
    device = read_device()
    if options.parameters is not None:
        answer = planned_answer(options, memory_budget(device))
    else:
        if options.bits is not None:
            raise UsageError("--bits goes with --parameters.", "Choose a form of a model with --variant.")
        answer = model_answer(options, find_subject(options.model, options.variant, paths, device), paths, device)
    if options.json:
        write_json(answer)
        return 0
    for line in fit_lines(answer):
        write_line(without_controls(line))
    return 0


def planned_answer(options: argparse.Namespace, budget: MemoryBudget) -> FitAnswer:
    """Return the answer for a number of parameters."""
    planned = PlannedModel(
        parameters=options.parameters,
        bits_per_weight=DEFAULT_BITS if options.bits is None else options.bits,
        context_tokens=USUAL_CONTEXT_TOKENS if options.context is None else options.context,
        batch=options.batch,
    )
    need = plan_inference(planned)
    return FitAnswer(
        model=None,
        format=None,
        quantization=None,
        parameters=round(planned.parameters),
        bits_per_weight=planned.bits_per_weight,
        context_tokens=planned.context_tokens,
        batch=planned.batch,
        weights_bytes=need.weights_bytes,
        kv_cache_bytes=need.kv_cache_bytes,
        overhead_bytes=need.overhead_bytes,
        total_bytes=need.total_bytes,
        available_bytes=budget.available_bytes,
        verdict=verdict_of(need.total_bytes, budget),
        largest_context_tokens=None,
        tokens_per_second=None,
        ttft_ms=None,
        training_bytes=plan_training(planned).total_bytes,
    )


def model_answer(options: argparse.Namespace, subject: FitSubject, paths: AppPaths, device: DeviceInfo) -> FitAnswer:
    """Return the answer for a model."""
    history = read_history(paths, device, ENGINE_OF.get(subject.spec.format, EngineName.LLAMACPP))
    if history.working_set_bytes is not None:
        device = msgspec.structs.replace(device, recommended_working_set_bytes=history.working_set_bytes)
    spec = subject.spec
    judgement = judge(subject.with_batch(options.batch), memory_budget(device), options.context, options.kv_bits)
    need = judgement.need
    training = PlannedModel(
        parameters=spec.parameters,
        bits_per_weight=DEFAULT_BITS,
        context_tokens=need.context_tokens,
        batch=options.batch,
        shape=subject.shape,
    )
    speed = _predicted(history, subject)
    return FitAnswer(
        model=printable_path(subject.name),
        format=spec.format,
        quantization=spec.quantization.name,
        parameters=spec.parameters,
        bits_per_weight=spec.quantization.bits_per_weight,
        context_tokens=need.context_tokens,
        batch=options.batch,
        weights_bytes=need.weights_bytes,
        kv_cache_bytes=need.kv_cache_bytes,
        recurrent_state_bytes=need.recurrent_state_bytes,
        overhead_bytes=need.overhead_bytes,
        total_bytes=need.total_bytes,
        available_bytes=judgement.budget.available_bytes,
        verdict=judgement.verdict,
        largest_context_tokens=judgement.largest_context_tokens,
        tokens_per_second=speed.tokens_per_second,
        ttft_ms=speed.ttft_ms,
        training_bytes=plan_training(training).total_bytes,
    )


def fit_lines(answer: FitAnswer) -> list[str]:
    """Return the answer as a person reads it."""
    stored = f"{answer.quantization} ({answer.format})" if answer.quantization else f"{answer.bits_per_weight:g} bits"
    name = answer.model or f"{answer.parameters:,} parameters"
    batch = f", {answer.batch} at once" if answer.batch > 1 else ""
    longest = answer.largest_context_tokens
    return [
        f"{name}, {stored}, context {answer.context_tokens:,} tokens{batch}: {answer.verdict}",
        f"weights         {bytes_text(answer.weights_bytes)}",
        f"KV cache        {bytes_text(answer.kv_cache_bytes)}",
        *([f"state           {bytes_text(answer.recurrent_state_bytes)}"] if answer.recurrent_state_bytes else []),
        f"working memory  {bytes_text(answer.overhead_bytes)}",
        f"total           {bytes_text(answer.total_bytes)}; this machine can give {bytes_text(answer.available_bytes)}",
        *([f"longest         {longest:,} tokens of context fit"] if longest is not None else []),
        *([f"speed           about {speed_text(answer.tokens_per_second)}"] if answer.tokens_per_second else []),
        *([f"first token     after about {milliseconds_text(answer.ttft_ms)}"] if answer.ttft_ms else []),
        f"training        {bytes_text(answer.training_bytes)} with AdamW in 16 and 32 bits, activations included",
    ]


def _predicted(history: EngineHistory, subject: FitSubject) -> Prediction:
    if subject.reads is None or subject.active_parameters is None:
        return Prediction()
    return predict(history, Workload(reads=subject.reads, active_parameters=subject.active_parameters))
