"""What the benchmark panel says of rows, tests and progress, in words."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import assert_never

from PySide6.QtCore import QCoreApplication

from runtime.bench.history import RunSummary
from runtime.bench.plan import PresetName
from runtime.bench.progress import Activity, BenchProgress
from runtime.bench.record import BenchRow, RowStatus, Scope
from runtime.bench.statistics import Interval
from runtime.metrics.roofline import Bound
from runtime.values.wording import (
    bandwidth_text,
    bytes_text,
    duration_text,
    number_text,
    operations_text,
    percent_text,
    rate_text,
)

CONTEXT = "BenchmarkPanel"
MS_PER_S = 1000


def tr(text: str) -> str:
    """Return `text` in the user's language."""
    return QCoreApplication.translate(CONTEXT, text)


def quantization_name(row: BenchRow) -> str:
    """Return how a row's model is stored; nothing where its files do not say."""
    return row.model.quantization.name if row.model.quantization is not None else ""


def short_model(row: BenchRow) -> str:
    """Return a row's model without its publisher: what there is room for."""
    return row.model.name.rpartition("/")[2] or row.model.name


def variant_name(row: BenchRow) -> str:
    """Return a row's model with its quantization, unless the name has it."""
    quantization, name = quantization_name(row), short_model(row)
    is_named = quantization.casefold() in name.casefold()
    return name if is_named or not quantization else f"{name} · {quantization}"


def is_chat(row: BenchRow) -> bool:
    """Return whether a row's rate is what a person gets in the chat."""
    return row.scope is Scope.CHAT


def half_width(interval: Interval | None) -> float | None:
    """Return half of an interval's width."""
    return None if interval is None else (interval.high - interval.low) / 2


def samples_text(row: BenchRow) -> str:
    """Return every sample of a row's rate."""
    if not row.samples_ts:
        return ""
    values = ", ".join(rate_text(value) for value in row.samples_ts)
    return tr("Samples: {values} tok/s.").format(values=values)


def interval_words(row: BenchRow) -> str:
    """Return a row's confidence interval and median, as far as there are any."""
    if row.interval_ts is None:
        return tr("One sample has no interval.") if row.samples_ts else ""
    return tr("95 % interval of the mean: {low} to {high}; median {median}.").format(
        low=rate_text(row.interval_ts.low), high=rate_text(row.interval_ts.high), median=rate_text(row.median_ts)
    )


def ttft_samples_text(row: BenchRow) -> str:
    """Return every time to first token of a row."""
    if row.ttft is None:
        return ""
    values = ", ".join(number_text(value, 1) for value in row.ttft.samples_ms)
    return tr("Samples: {values} ms.").format(values=values)


def quality_text(row: BenchRow) -> str:
    """Return what a row's quality was measured on, and against what."""
    if row.quality is None:
        return ""
    found = row.quality
    against = found.reference or tr("nothing: there is one model only, or its tokens differ")
    return tr("{count} tokens of the text “{text}”, against {reference}.").format(
        count=f"{found.tokens:,}", text=found.text, reference=against
    )


def limit_text(row: BenchRow) -> str:
    """Return the numbers behind a row's share of the roofline, or why it has none."""
    found = row.roofline
    if found is None:
        return _compute_text(row)
    numbers = tr("{bandwidth} ÷ {read} a token = at most {ceiling} tok/s.").format(
        bandwidth=bandwidth_text(found.bandwidth_bytes_per_second),
        read=bytes_text(round(found.bytes_per_token)),
        ceiling=rate_text(found.ceiling_ts),
    )
    match found.bound:
        case Bound.MEMORY:
            return numbers
        case Bound.CACHE:
            return numbers + " " + tr("The processor's caches hold the model, so memory is not its limit.")
        case Bound.UNKNOWN:
            return numbers + " " + tr("It was faster than that: memory was slower when it was measured.")
        case _:
            assert_never(found.bound)


def _compute_text(row: BenchRow) -> str:
    """Return what reading a prompt computed, and what the device can."""
    found = row.compute
    if found is None:
        return ""
    speed = operations_text(found.flops_per_second)
    if found.peak_flops_per_second is None:
        return tr("{speed}; what this device can compute was not measured.").format(speed=speed)
    numbers = tr("{speed} of the {peak} that this device was measured to compute.").format(
        speed=speed, peak=operations_text(found.peak_flops_per_second)
    )
    return numbers if found.share is not None else numbers + " " + tr("It was slower when it was measured.")


def notes_of(row: BenchRow, *, is_running: bool) -> list[str]:
    """Return what has to be known of a row besides its figures: why it failed, what disturbed it, how far it is."""
    notes: list[str] = []
    done, wanted = len(row.samples_ns), row.settings.repetitions
    match row.status:
        case RowStatus.FAILED:
            notes.append(tr("failed: {why}").format(why=_why(row)))
        case RowStatus.LEFT_OUT:
            notes.append(tr("left out: {why}").format(why=_why(row)))
        case RowStatus.CANCELLED if is_running:
            notes.append(tr("{done} of {wanted} so far").format(done=done, wanted=wanted))
        case RowStatus.CANCELLED:
            notes.append(tr("cancelled after {done} of {wanted}").format(done=done, wanted=wanted))
        case RowStatus.DONE:
            pass
        case _:
            assert_never(row.status)
    notes += [tr("disturbed: {what}").format(what=one.detail) for one in row.disturbances]
    if row.serving is not None:
        notes.append(_serving_text(row))
    elif is_chat(row) and row.cached_tokens:
        notes.append(
            tr("{cached} of {prompt} prompt tokens cached").format(
                cached=f"{row.cached_tokens:,}", prompt=f"{row.n_prompt:,}"
            )
        )
    return notes


def preset_title(preset: PresetName) -> str:
    """Return what a preset is called."""
    match preset:
        case PresetName.QUICK:
            return tr("Quick")
        case PresetName.STANDARD:
            return tr("Standard")
        case PresetName.THOROUGH:
            return tr("Thorough")
        case _:
            assert_never(preset)


def preset_about(preset: PresetName) -> str:
    """Return what a preset measures."""
    match preset:
        case PresetName.QUICK:
            return tr("Reading and writing, and a chat with and without its conversation cached. Under a minute.")
        case PresetName.STANDARD:
            return tr("Also at depths of 1k, 4k and 16k tokens, chats from a cold start, and four requests at once.")
        case PresetName.THOROUGH:
            return tr("Also at the greatest depth, up to eight requests at once, and the quality of each model.")
        case _:
            assert_never(preset)


def expectation_text(seconds: float | None) -> str:
    """Return about how long a plan takes."""
    if seconds is None:
        return tr("How long it takes is known once the first test is done.")
    return tr("Takes about {time}.").format(time=duration_text(seconds))


def progress_text(progress: BenchProgress | None, remaining_s: float | None) -> str:
    """Return what is going on, and how long it will still take."""
    if progress is None:
        return tr("Starting")
    what = " · ".join(filter(None, (_activity_text(progress.activity), progress.model, progress.test)))
    if remaining_s is None:
        return what
    return tr("{what} · about {time} left").format(what=what, time=duration_text(remaining_s))


def run_title(run: RunSummary) -> str:
    """Return how an earlier run is listed: when, and which models."""
    when = datetime.fromtimestamp(run.started_unix_ms / MS_PER_S, UTC).astimezone()
    title = f"{when:%Y-%m-%d %H:%M} · {', '.join(run.models)}"
    return tr("{title} · cancelled").format(title=title) if run.cancelled else title


def machine_text(row: BenchRow) -> str:
    """Return what a row was measured on."""
    machine = row.environment
    cores = tr("{count} cores").format(count=machine.physical_cores)
    memory = bytes_text(machine.total_memory_bytes)
    parts = [machine.chip, cores, memory, machine.os, row.engine_version or row.engine.value, row.device]
    return " · ".join(part for part in parts if part)


def _why(row: BenchRow) -> str:
    return f"{row.error.what} {row.error.next_step}".strip() if row.error is not None else ""


def _serving_text(row: BenchRow) -> str:
    if row.serving is None:
        return ""
    text = tr("writes {rate} tok/s, {each} each; {requests} requests/s").format(
        rate=rate_text(row.serving.generated_ts),
        each=rate_text(row.serving.generated_ts_per_user),
        requests=number_text(row.serving.requests_per_second, 2),
    )
    if row.ttft is None:
        return text
    return text + tr("; TTFT p50 {p50} ms, p95 {p95} ms").format(
        p50=number_text(row.ttft.p50_ms, 0), p95=number_text(row.ttft.p95_ms, 0)
    )


def _activity_text(activity: Activity) -> str:
    match activity:
        case Activity.IDENTIFYING:
            return tr("Reading")
        case Activity.LOADING:
            return tr("Loading")
        case Activity.WARMING_UP:
            return tr("Warming up")
        case Activity.MEASURING:
            return tr("Measuring")
        case Activity.SCORING:
            return tr("Scoring")
        case _:
            assert_never(activity)


def share_text(row: BenchRow) -> str:
    """Return how near a row came to its limit: of memory where it writes, of arithmetic where it reads."""
    found = row.roofline if row.roofline is not None else row.compute
    return percent_text(found.share if found is not None else None)
