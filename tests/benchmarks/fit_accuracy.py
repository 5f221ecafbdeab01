"""How near the memory estimate comes: `fit` against the largest memory that a worker really took, as a Markdown table.

Random-weight models of several architectures and quantizations are made in a temporary folder, loaded by a worker with
several contexts, and given a prompt that fills the context. On Linux the peak is the kernel's own (VmHWM), loading
included; elsewhere the largest sample during the reply.

uv run python -m tests.benchmarks.fit_accuracy
uv run python -m tests.benchmarks.fit_accuracy --only "sliding window" --engine llamacpp --terms
"""

from __future__ import annotations

import argparse
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import mlx.core as mx
import msgspec
import psutil

from runtime.engine.llamacpp_plan import BATCH_TOKENS
from runtime.engine.mlx_bandwidth import computes_on_gpu
from runtime.library.fit import MemoryNeed, memory_need
from runtime.library.overhead import Evaluation
from runtime.library.reader import read_spec
from runtime.values.model import EngineName, LoadOptions
from runtime.values.prompt import TokenPrompt
from tests.benchmarks.engine_paths import WorkerPath
from tests.benchmarks.interleaved import machine
from tests.models.random_gguf import GgufRecipe, Weights, write_random_gguf
from tests.models.random_mlx import write_random_mlx

GENERATED_TOKENS = 8
SPARE_TOKENS = 16
FIRST_ORDINARY_ID = 10
ORDINARY_IDS = 250
"""Ids that every test vocabulary has, special tokens left out."""
METAL_CHUNK_TOKENS = 512
"""MLX reads prompts in such chunks on Metal, which is what users have; on a CPU it would take fewer at a time."""
MB = 1_000_000
HIGH_WATER = re.compile(r"^VmHWM:\s+(\d+) kB$", re.MULTILINE)

DENSE = GgufRecipe(layers=12, hidden=768, feed_forward=2304, heads=12, kv_heads=4, head_dim=64, context_tokens=32_768)
MODELS = {
    "dense, grouped queries": DENSE,
    "dense, a key for every query": msgspec.structs.replace(DENSE, layers=10, kv_heads=12),
    "sliding window": msgspec.structs.replace(
        DENSE, architecture="gemma3", layers=12, heads=8, kv_heads=8, window_tokens=512
    ),
    "mixture of experts": msgspec.structs.replace(
        DENSE, architecture="qwen3moe", layers=8, hidden=512, feed_forward=512, experts=16, active_experts=2
    ),
    "large vocabulary": msgspec.structs.replace(
        DENSE, layers=8, hidden=512, feed_forward=1536, vocabulary_size=128_000, filled_vocabulary=True
    ),
}


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """A model in one form, loaded in one way.

    Attributes:
        model: its name in `MODELS`.
        engine: which engine.
        stored: how the weights are stored: GGUF's names, or MLX's "FP32", "INT8", "INT4".
        context_tokens: length of the context.
        kv_cache_bits: for a quantized KV cache.
    """

    model: str
    engine: EngineName
    stored: str
    context_tokens: int
    kv_cache_bits: int | None = None


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What was foretold and what it was."""

    case: Case
    need: MemoryNeed
    peak_bytes: int

    @property
    def error(self) -> float:
        """How far the estimate is above the peak, as a part of the peak."""
        return self.need.total_bytes / self.peak_bytes - 1


def all_cases() -> Iterator[Case]:
    """Yield the cases; MLX's CPU backend is slow at all but 32-bit floats, so its prompts are shorter."""
    for model in MODELS:
        for stored, context in (("Q8_0", 1024), ("Q8_0", 4096), ("Q4_0", 2048), ("F16", 2048)):
            yield Case(model=model, engine=EngineName.LLAMACPP, stored=stored, context_tokens=context)
        for stored, context in (("FP32", 512), ("FP32", 1536), ("INT8", 256), ("INT4", 128), ("INT4", 384)):
            yield Case(model=model, engine=EngineName.MLX, stored=stored, context_tokens=context)


def made(case: Case, folder: Path) -> Path:
    """Return the model of `case` on disk, made if it is not there; other models are removed first."""
    name = f"{case.model}, {case.stored}".replace(" ", "-").replace(",", "")
    path = folder / (f"{name}.gguf" if case.engine is EngineName.LLAMACPP else name)
    if path.exists():
        return path
    for old in folder.iterdir():
        shutil.rmtree(old) if old.is_dir() else old.unlink()
    sys.stderr.write(f"making {path.name} …\n")
    recipe = recipe_of(case)
    if case.engine is EngineName.LLAMACPP:
        write_random_gguf(path, msgspec.structs.replace(recipe, weights=msgspec.convert(case.stored, Weights)))
    else:
        bits = int(case.stored.removeprefix("INT")) if case.stored.startswith("INT") else None
        write_random_mlx(path, recipe, dtype=mx.float32, quantized_bits=bits)
    return path


def recipe_of(case: Case) -> GgufRecipe:
    """Return what to make; MLX gets fewer parameters, because its CPU backend is slow."""
    recipe = MODELS[case.model]
    if case.engine is EngineName.LLAMACPP:
        return recipe
    return msgspec.structs.replace(recipe, layers=recipe.layers // 2, hidden=512, feed_forward=recipe.feed_forward // 2)


def measured(case: Case, path: Path) -> Outcome:
    """Load the model, fill its context, and return how much memory that took."""
    spec = read_spec(path)
    evaluation = evaluation_of(case.engine)
    options = LoadOptions(
        context_tokens=case.context_tokens,
        kv_cache_bits=case.kv_cache_bits,
        prefill_chunk_tokens=evaluation.chunk_tokens,
    )
    worker = WorkerPath(case.engine, path, options)
    try:
        count = case.context_tokens - SPARE_TOKENS
        ids = tuple(FIRST_ORDINARY_ID + index * 7 % ORDINARY_IDS for index in range(count))
        stats = worker.run(TokenPrompt(ids), GENERATED_TOKENS)
        peak = max(stats.memory.peak_bytes, *(_high_water_bytes(child) for child in psutil.Process().children()))
    finally:
        worker.close()
    need = memory_need(spec, case.context_tokens, case.kv_cache_bits, evaluation)
    return Outcome(case=case, need=need, peak_bytes=peak)


def evaluation_of(engine: EngineName) -> Evaluation:
    """Return how `engine` evaluates prompts: as on Metal, or with llama.cpp as on a CPU."""
    if engine is EngineName.LLAMACPP:
        return Evaluation(BATCH_TOKENS)
    return Evaluation(METAL_CHUNK_TOKENS, computes_on_gpu())


def _high_water_bytes(process: psutil.Process) -> int:
    """Return the largest resident memory that the process ever had; 0 where the system does not say."""
    try:
        found = HIGH_WATER.search(Path(f"/proc/{process.pid}/status").read_text(encoding="ascii"))
    except OSError:
        return 0
    return int(found[1]) * 1024 if found else 0


def row(outcome: Outcome, *, with_terms: bool) -> str:
    """Return a row of the table."""
    case, need = outcome.case, outcome.need
    stored = case.stored + (f", KV {case.kv_cache_bits} bits" if case.kv_cache_bits else "")
    cells = [case.model, str(case.engine), stored, f"{case.context_tokens:,}"]
    if with_terms:
        terms = (need.weights_bytes, need.kv_cache_bytes, need.overhead_bytes)
        cells += [f"{term / MB:,.0f}" for term in (*terms, outcome.peak_bytes - terms[0] - terms[1])]
    cells += [f"{need.total_bytes / MB:,.0f}", f"{outcome.peak_bytes / MB:,.0f}", f"{outcome.error:+.1%}"]
    return f"| {' | '.join(cells)} |"


def header(*, with_terms: bool) -> str:
    """Return the head of the table."""
    names = ["model", "engine", "weights", "context"]
    names += ["weights, MB", "KV cache, MB", "overhead, MB", "overhead was, MB"] if with_terms else []
    names += ["estimated, MB", "peak, MB", "error"]
    return f"| {' | '.join(names)} |\n|{'---|' * len(names)}"


def parsed() -> argparse.Namespace:
    """Return the options."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="models whose name contains this")
    parser.add_argument("--engine", choices=[EngineName.MLX, EngineName.LLAMACPP], type=EngineName)
    parser.add_argument("--stored", help="only this form")
    parser.add_argument("--terms", action="store_true", help="show the terms of each estimate")
    return parser.parse_args()


def main() -> None:
    """Measure and print the table."""
    options = parsed()
    outcomes = []
    sys.stdout.write(f"{machine()}\n\n{header(with_terms=options.terms)}\n")
    with TemporaryDirectory(prefix="first-token-fit-") as folder:
        for case in all_cases():
            if options.only not in case.model or options.engine not in {None, case.engine}:
                continue
            if options.stored not in {None, case.stored}:
                continue
            outcomes.append(measured(case, made(case, Path(folder))))
            sys.stdout.write(row(outcomes[-1], with_terms=options.terms) + "\n")
            sys.stdout.flush()
    errors = [abs(outcome.error) for outcome in outcomes]
    within = sum(error <= 0.1 for error in errors)
    sys.stdout.write(f"\n{within} of {len(errors)} within 10 %, the furthest {max(errors):.1%}\n")


if __name__ == "__main__":
    main()
