"""Results against earlier ones: the change of every test with its interval, and which changes are regressions.

A change counts only where its 95 % interval excludes "no change" and it is at least 2 %: two runs differ by that much
for reasons of their own (where the kernel put the memory, what the machine did before). Earlier results may be ours,
JSON or JSON lines, or llama-bench's (`-o json`, `-o jsonl`).
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path, PureWindowsPath

import msgspec

from runtime.bench.record import BenchRow
from runtime.bench.statistics import Change, relative_change
from runtime.bench.workload import Decode, Prefill, Serving, name_of
from runtime.values.errors import InvalidRequestError

LEAST_CHANGE = 0.02
MOST_FILE_BYTES = 200_000_000


class Metric(StrEnum):
    """What is compared."""

    SPEED = "t/s"
    TTFT = "TTFT"


class Verdict(StrEnum):
    """What a change amounts to; `unknown` where a side has too few samples to tell."""

    FASTER = "faster"
    SLOWER = "slower"
    SAME = "same"
    UNKNOWN = "unknown"


class EarlierModel(msgspec.Struct, frozen=True):
    """The part of `ModelIdentity` that says whether two models are the same."""

    name: str = ""
    sha256: str = ""


class EarlierEnvironment(msgspec.Struct, frozen=True):
    """The part of `Environment` that says whether two machines are alike."""

    chip: str = ""


class EarlierLatency(msgspec.Struct, frozen=True):
    """The part of `Latency` that is compared."""

    samples_ms: tuple[float, ...] = ()


class EarlierRow(msgspec.Struct, frozen=True, kw_only=True):
    """What is needed of an earlier row; llama-bench's rows lack most of it."""

    model_filename: str = ""
    n_prompt: int = 0
    n_gen: int = 0
    n_depth: int = 0
    samples_ts: tuple[float, ...] = ()
    test_time: str = ""
    test: str = ""
    engine: str = ""
    engine_version: str | None = None
    ttft: EarlierLatency | None = None
    model: EarlierModel = EarlierModel()
    environment: EarlierEnvironment = EarlierEnvironment()

    @property
    def test_name(self) -> str:
        """Name of the workload; worked out where the row does not say."""
        if self.test:
            return self.test
        if self.n_prompt and self.n_gen:
            return name_of(Serving(self.n_prompt, self.n_gen, 1))
        return name_of(Prefill(self.n_prompt, self.n_depth) if self.n_prompt else Decode(self.n_gen, self.n_depth))

    @property
    def filename(self) -> str:
        """Last part of the model's path, which llama-bench writes whole, in either system's style."""
        return PureWindowsPath(self.model_filename).name


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """One figure against an earlier one.

    Attributes:
        model: name of the model now.
        test: name of the workload.
        metric: what is compared.
        earlier: mean of the samples then.
        now: mean of the samples now.
        change: relative change; more is better for speed and worse for TTFT.
        verdict: what it amounts to.
        differences: what else is not as it was: machine, model files, engine.
    """

    model: str
    test: str
    metric: Metric
    earlier: float
    now: float
    change: Change | None
    verdict: Verdict
    differences: tuple[str, ...] = ()


def read_earlier(file: Path) -> tuple[EarlierRow, ...]:
    """Return the rows of a file of results.

    Raises:
        InvalidRequestError: it cannot be read, or holds no results.
    """
    try:
        with file.open("rb") as stream:
            content = stream.read(MOST_FILE_BYTES + 1)
    except OSError as error:
        raise InvalidRequestError(
            f"The results in {file} cannot be read: {error.strerror or error}.", "Check the path."
        ) from error
    if len(content) > MOST_FILE_BYTES:
        raise _no_results(file, "it is too large")
    try:
        rows = _decoded(content)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise _no_results(file, str(error)) from error
    if not rows:
        raise _no_results(file, "it is empty")
    return rows


def earlier_of(rows: Sequence[BenchRow]) -> tuple[EarlierRow, ...]:
    """Return rows of ours as rows to compare with."""
    return tuple(msgspec.convert(msgspec.to_builtins(row), EarlierRow) for row in rows)


def compare(rows: Sequence[BenchRow], earlier: Sequence[EarlierRow]) -> tuple[Comparison, ...]:
    """Return how each row that has an earlier counterpart has changed. The last such counterpart counts."""
    found: list[Comparison] = []
    for row in rows:
        counterpart = next((old for old in reversed(earlier) if _is_counterpart(row, old)), None)
        if counterpart is not None:
            found += _comparisons(row, counterpart)
    return tuple(found)


def is_regression(comparison: Comparison) -> bool:
    """Return whether the figure became worse."""
    return comparison.verdict is Verdict.SLOWER


def _decoded(content: bytes) -> tuple[EarlierRow, ...]:
    stripped = content.strip()
    if stripped.startswith(b"["):
        return msgspec.json.decode(stripped, type=tuple[EarlierRow, ...])
    decoder = msgspec.json.Decoder(EarlierRow)
    return tuple(decoder.decode(line) for line in stripped.splitlines() if line.strip())


def _no_results(file: Path, reason: str) -> InvalidRequestError:
    return InvalidRequestError(
        f"{file} holds no benchmark results: {reason}.",
        "Name a file written with --output json or jsonl, or by llama-bench.",
    )


def _is_counterpart(row: BenchRow, old: EarlierRow) -> bool:
    same_model = old.model.name == row.model.name if old.model.name else old.filename == row.model_filename
    return same_model and old.test_name == row.test and old.engine in {"", row.engine} and bool(old.samples_ts)


def _comparisons(row: BenchRow, old: EarlierRow) -> list[Comparison]:
    differences = _differences(row, old)
    pairs = [(Metric.SPEED, old.samples_ts, row.samples_ts)]
    if old.ttft is not None and row.ttft is not None:
        pairs.append((Metric.TTFT, old.ttft.samples_ms, row.ttft.samples_ms))
    return [
        Comparison(
            model=row.model.name,
            test=row.test,
            metric=metric,
            earlier=sum(before) / len(before),
            now=sum(after) / len(after),
            change=relative_change(before, after),
            verdict=_verdict(metric, relative_change(before, after)),
            differences=differences,
        )
        for metric, before, after in pairs
        if before and after
    ]


def _verdict(metric: Metric, change: Change | None) -> Verdict:
    if change is None or change.interval is None:
        return Verdict.UNKNOWN
    if change.interval.holds(0.0) or abs(change.relative) < LEAST_CHANGE:
        return Verdict.SAME
    is_more = change.relative > 0
    return Verdict.FASTER if is_more is (metric is Metric.SPEED) else Verdict.SLOWER


def _differences(row: BenchRow, old: EarlierRow) -> tuple[str, ...]:
    pairs = (
        ("another machine", old.environment.chip, row.environment.chip),
        ("other model files", old.model.sha256, row.model.sha256),
        ("another engine version", old.engine_version or "", row.engine_version or ""),
    )
    return tuple(text for text, before, now in pairs if before and now and before != now)
