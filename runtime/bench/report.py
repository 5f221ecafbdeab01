"""Results as text: a Markdown table for people, JSON and JSON lines for scripts, CSV for spreadsheets."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import assert_never

import msgspec

from runtime.bench.comparison import Comparison, Metric, Verdict
from runtime.bench.model_identity import ModelIdentity
from runtime.bench.record import BenchRow, RowStatus, Scope
from runtime.bench.statistics import Interval
from runtime.bench.variant_quality import ModelQuality
from runtime.config.atomic_file import replace_file
from runtime.values.errors import OutputError
from runtime.values.wording import UNDEFINED, bytes_text, milliseconds_text

FORMULA_SIGNS = ("=", "+", "-", "@", "\t", "\r")
COLUMNS = ("model", "size", "params", "engine", "test", "t/s", "median", "95 %", "TTFT", "memory", "limit", "notes")
QUALITY_COLUMNS = (
    *("model", "size", "bits a weight", "tg t/s", "perplexity", "95 %", "bits a byte", "KL", "top-1", "against"),
)
NUMBER_COLUMNS = frozenset({"size", "params", "t/s", "median", "95 %", "TTFT", "memory", "limit"})


class OutputFormat(StrEnum):
    """How results are written."""

    MARKDOWN = "md"
    JSON = "json"
    JSON_LINES = "jsonl"
    CSV = "csv"


def rendered(
    rows: Sequence[BenchRow],
    output: OutputFormat,
    comparisons: Sequence[Comparison] = (),
    quality: Sequence[ModelQuality] = (),
) -> str:
    """Return the rows in a format, its last line ended.

    Comparisons, and the table of quality, are for people: only Markdown has them. Rows hold their model's quality.
    """
    match output:
        case OutputFormat.MARKDOWN:
            return markdown(rows, comparisons, quality)
        case OutputFormat.JSON:
            encoded = msgspec.json.format(msgspec.json.encode(rows), indent=2)
            return encoded.decode() + "\n"
        case OutputFormat.JSON_LINES:
            return "".join(msgspec.json.encode(row).decode() + "\n" for row in rows)
        case OutputFormat.CSV:
            return comma_separated(rows)
        case _:
            assert_never(output)


def write_report(file: Path, text: str) -> None:
    """Write results to a file, all of them or nothing.

    Raises:
        OutputError: it cannot be written. The results are still there to be written elsewhere.
    """
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        replace_file(file, text.encode())
    except OSError as error:
        raise OutputError(
            f"The results cannot be written to {file}: {error.strerror or error}.",
            "Choose another folder, or make room. Nothing is lost: the results are still here.",
        ) from error


def markdown(
    rows: Sequence[BenchRow], comparisons: Sequence[Comparison] = (), quality: Sequence[ModelQuality] = ()
) -> str:
    """Return a table with a line for each row, what it was measured on, the models' quality, and what has changed."""
    parts = []
    if rows:
        parts = [_table(COLUMNS, [_cells(row) for row in rows], NUMBER_COLUMNS), *_machines(rows), *_legend(rows)]
    if quality:
        parts += [quality_table(quality, rows), ""]
    if comparisons:
        parts.append(_comparison_table(comparisons))
    return "\n".join(parts)


def quality_table(quality: Sequence[ModelQuality], rows: Sequence[BenchRow]) -> str:
    """Return quality next to size and speed: the trade at a glance."""
    lines = [_quality_cells(one, rows) for one in quality]
    return _table(QUALITY_COLUMNS, lines, frozenset(QUALITY_COLUMNS) - {"model", "against"})


def comma_separated(rows: Sequence[BenchRow]) -> str:
    """Return CSV (RFC 4180) with a header; nested fields are named "environment.chip", lists are JSON."""
    flat = [_flattened(row) for row in rows]
    names = list(dict.fromkeys(name for row in flat for name in row))
    out = io.StringIO()
    writer = csv.DictWriter(out, names, restval="")
    writer.writeheader()
    writer.writerows(flat)
    return out.getvalue()


def _cells(row: BenchRow) -> tuple[str, ...]:
    quantization = f" {row.model.quantization.name}" if row.model.quantization is not None else ""
    return (
        f"{row.model.name}{quantization}",
        bytes_text(row.model_size) if row.model_size else UNDEFINED,
        _parameters_text(row.model_n_params),
        row.engine,
        row.test,
        _rate_text(row),
        UNDEFINED if row.median_ts is None else f"{row.median_ts:.2f}",
        _interval_text(row.interval_ts),
        _ttft_text(row),
        UNDEFINED if row.memory is None else bytes_text(row.memory.peak_bytes),
        _limit_text(row),
        "; ".join(_notes(row)),
    )


def _quality_cells(one: ModelQuality, rows: Sequence[BenchRow]) -> tuple[str, ...]:
    model, figures = one.model, one.figures
    bits = UNDEFINED if model.quantization is None else f"{model.quantization.bits_per_weight:.2f}"
    size = bytes_text(model.weights_bytes) if model.weights_bytes else UNDEFINED
    start = (model.name, size, bits, _writing(model, rows))
    if figures is None:
        return (*start, *[UNDEFINED] * 5, "" if one.error is None else f"failed: {one.error.what}")
    return (
        *start,
        f"{figures.perplexity:,.3f}",
        _interval_text(figures.perplexity_interval),
        UNDEFINED if figures.bits_per_byte is None else f"{figures.bits_per_byte:.3f}",
        UNDEFINED if figures.divergence is None else f"{figures.divergence:.5f}",
        UNDEFINED if figures.top1_agreement is None else f"{figures.top1_agreement:.1%}",
        f"{figures.reference or 'nothing'}; {figures.tokens:,} tokens of the text {figures.text}",
    )


def _writing(model: ModelIdentity, rows: Sequence[BenchRow]) -> str:
    """Return how fast the model writes, from the first row that says so."""
    rates = (row.avg_ts for row in rows if row.model == model and row.n_gen and not row.n_prompt)
    rate = next((rate for rate in rates if rate is not None), None)
    return UNDEFINED if rate is None else f"{rate:.2f}"


def _rate_text(row: BenchRow) -> str:
    if row.avg_ts is None:
        return UNDEFINED
    return f"{row.avg_ts:.2f}" if row.stddev_ts is None else f"{row.avg_ts:.2f} ± {row.stddev_ts:.2f}"


def _interval_text(interval: Interval | None) -> str:
    return UNDEFINED if interval is None else f"{interval.low:.2f} to {interval.high:.2f}"


def _ttft_text(row: BenchRow) -> str:
    if row.ttft is None:
        return UNDEFINED
    if row.serving is None:
        return milliseconds_text(row.ttft.median_ms)
    return f"p50 {milliseconds_text(row.ttft.p50_ms)}, p95 {milliseconds_text(row.ttft.p95_ms)}"


def _limit_text(row: BenchRow) -> str:
    """Return the share of what memory allows (writing) or of what the device computes (reading)."""
    if row.roofline is not None and row.roofline.share is not None:
        return f"{row.roofline.share:.0%}"
    if row.compute is not None and row.compute.share is not None:
        return f"{row.compute.share:.0%}"
    return UNDEFINED


def _parameters_text(count: int | None) -> str:
    if count is None:
        return UNDEFINED
    return f"{count / 1e9:.2f} B" if count >= 1e9 else f"{count / 1e6:.2f} M"


def _notes(row: BenchRow) -> list[str]:
    notes: list[str] = []
    if row.error is not None:
        word = "failed" if row.status is RowStatus.FAILED else row.status.value.replace("-", " ")
        notes.append(f"{word}: {row.error.what}")
    elif row.status is RowStatus.CANCELLED:
        notes.append(f"cancelled after {len(row.samples_ns)} of {row.settings.repetitions}")
    if row.serving is not None:
        notes.append(_serving_text(row))
    if row.scope is Scope.CHAT and row.samples_ns:
        notes.append(f"as in the chat; {row.cached_tokens or 0:,} of {row.n_prompt:,} prompt tokens cached")
    notes += [f"disturbed: {one.detail}" for one in row.disturbances]
    return notes


def _serving_text(row: BenchRow) -> str:
    if row.serving is None:
        return ""
    each = row.serving.generated_ts_per_user
    per_user = "" if each is None else f", {each:.1f} each"
    return f"writes {row.serving.generated_ts:.1f} t/s{per_user}, {row.serving.requests_per_second:.2f} requests/s"


def _machines(rows: Sequence[BenchRow]) -> list[str]:
    lines = []
    for row in rows:
        machine = row.environment
        engine = f", {row.engine_version}" if row.engine_version else ""
        device = f" on {row.device}" if row.device else ""
        lines.append(
            f"{machine.chip}, {machine.physical_cores} cores, {bytes_text(machine.total_memory_bytes)}, {machine.os};"
            f" First Token {machine.app_version}{engine}{device}; seed {row.settings.seed},"
            f" {row.settings.repetitions} repetitions"
        )
    return ["", *dict.fromkeys(lines)]


def _legend(rows: Sequence[BenchRow]) -> list[str]:
    lines = ["", "t/s: mean ± sample standard deviation; 95 %: confidence interval of the mean (Student's t)."]
    if any(row.roofline is not None or row.compute is not None for row in rows):
        lines += ["- limit: tg of what memory bandwidth allows, pp of what the device computes; both measured here"]
    caches = {row.cache: None for row in rows if row.samples_ns}
    lines += [f"- {text}" for text in caches]
    advice = {row.advice: None for row in rows if row.advice}
    return [*lines, *(f"- {text}" for text in advice), ""]


def _comparison_table(comparisons: Sequence[Comparison]) -> str:
    header = ("model", "test", "figure", "earlier", "now", "change", "95 %", "verdict")
    lines = [_comparison_cells(one) for one in comparisons]
    return _table(header, lines, frozenset({"earlier", "now", "change", "95 %"})) + "\n"


def _comparison_cells(one: Comparison) -> tuple[str, ...]:
    text = milliseconds_text if one.metric is Metric.TTFT else _two_digits
    interval = one.change.interval if one.change is not None else None
    verdict = "REGRESSION" if one.verdict is Verdict.SLOWER else one.verdict.value
    return (
        one.model,
        one.test,
        one.metric,
        text(one.earlier),
        text(one.now),
        UNDEFINED if one.change is None else f"{one.change.relative:+.1%}",
        UNDEFINED if interval is None else f"{interval.low:+.1%} to {interval.high:+.1%}",
        ", ".join([verdict, *one.differences]),
    )


def _two_digits(value: float | None) -> str:
    return UNDEFINED if value is None else f"{value:.2f}"


def _table(header: Sequence[str], lines: Sequence[Sequence[str]], right: frozenset[str]) -> str:
    """Return a Markdown table whose columns line up in plain text, too."""
    cells = [[_escaped(cell) for cell in line] for line in lines]
    widths = [max(map(len, column)) for column in zip(header, *cells, strict=True)]
    dashes = zip(header, widths, strict=True)
    rule = [("-" * (width - 1) + ":") if name in right else "-" * width for name, width in dashes]

    def row(line: Sequence[str]) -> str:
        padded = (
            cell.rjust(width) if name in right else cell.ljust(width)
            for cell, width, name in zip(line, widths, header, strict=True)
        )
        return f"| {' | '.join(padded)} |"

    return "\n".join([row(header), row(rule), *map(row, cells)])


def _escaped(cell: str) -> str:
    """Return a cell that cannot end early or break the line, whatever a model is called."""
    plain = "".join(character if character.isprintable() else " " for character in cell)
    return plain.replace("\\", "\\\\").replace("|", "\\|")


def _flattened(row: BenchRow) -> dict[str, object]:
    flat: dict[str, object] = {}

    def put(name: str, value: object) -> None:
        match value:
            case dict():
                for key, inner in value.items():
                    put(f"{name}.{key}" if name else str(key), inner)
            case list() | tuple():
                flat[name] = msgspec.json.encode(value).decode()
            case str():
                # A spreadsheet runs what begins like a formula; a model's name may.
                flat[name] = f"'{value}" if value.startswith(FORMULA_SIGNS) else value
            case None:
                flat[name] = ""
            case _:
                flat[name] = value

    put("", msgspec.to_builtins(row))
    return flat
