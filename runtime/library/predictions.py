"""How fast a model will be here, before it is downloaded; and what was foretold against what came, to do better next.

Writing is bound by memory, so its speed follows from the bandwidth measured on this machine and the bytes that a token
reads (`runtime.metrics.roofline`). Reading the prompt is bound by arithmetic, two operations for each weight and token:

    tok/s  =  efficiency × bandwidth ÷ bytes read per token
    TTFT   =  prompt tokens × 2 × active parameters ÷ operations per second  +  1 ÷ tok/s

Efficiency and operations per second are medians of what replies on this machine came to with the same engine. Before
there is a reply, the efficiency is `USUAL_EFFICIENCY` and the operations per second are not known; without a measured
bandwidth nothing is. Replies that memory did not bound (models that caches hold) teach nothing about one that it will.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import msgspec

from runtime.config.atomic_file import replace_file
from runtime.config.paths import AppPaths
from runtime.metrics.device import DeviceInfo
from runtime.metrics.roofline import Bound, bytes_per_token, ceiling_tokens_per_second, reply_roofline
from runtime.values.errors import StoreError
from runtime.values.generation import GenerationStats
from runtime.values.memory_reads import DecodeReads, MemoryBandwidth
from runtime.values.model import EngineName, LoadedModel

FILE_NAME = "predictions.json"
FORM = 1
MAX_FILE_BYTES = 4_000_000
MAX_RECORDS = 50
"""Kept for each machine and engine; the latest count."""

USUAL_EFFICIENCY = 0.7
"""Of the ceiling: 0.65 to 0.76 were measured with llama.cpp and models of 0.3 to 0.5 billion parameters."""
OPERATIONS_PER_WEIGHT = 2
LEAST_PROMPT_TOKENS = 64
"""Shorter prompts are over before the arithmetic counts."""
USUAL_PROMPT_TOKENS = 512
MS_PER_S = 1000


class Workload(msgspec.Struct, frozen=True, kw_only=True):
    """What a model has to do for a token, and how long the prompt is.

    Attributes:
        reads: what writing a token reads.
        active_parameters: weights that take part in it.
        prompt_tokens: length of the prompt.
    """

    reads: DecodeReads
    active_parameters: float
    prompt_tokens: int = USUAL_PROMPT_TOKENS


class Prediction(msgspec.Struct, frozen=True, kw_only=True):
    """What is foretold; None where it cannot be.

    Attributes:
        tokens_per_second: of writing, right after the prompt.
        ttft_ms: from the submit to the first token, with a prompt that has to be read whole.
        replies: how many replies of this engine on this machine it was corrected by.
    """

    tokens_per_second: float | None = None
    ttft_ms: float | None = None
    replies: int = 0


class SpeedRecord(msgspec.Struct, frozen=True, kw_only=True):
    """What was foretold of a reply and what came.

    Attributes:
        at: when.
        model: its name.
        quantization: how its weights are stored.
        ceiling_tokens_per_second: what memory allowed.
        predicted_tokens_per_second: what was foretold.
        tokens_per_second: what came.
        predicted_ttft_ms: what was foretold; None if nothing was.
        ttft_ms: what came, loading left out; None if the prompt was cached or too short to tell.
        operations_per_second: while the prompt was read; None likewise.
    """

    at: datetime
    model: str
    quantization: str
    ceiling_tokens_per_second: float
    predicted_tokens_per_second: float
    tokens_per_second: float
    predicted_ttft_ms: float | None = None
    ttft_ms: float | None = None
    operations_per_second: float | None = None


class EngineHistory(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of one engine on one machine.

    Attributes:
        bandwidth: of the memory its models lie in, as measured last.
        working_set_bytes: what Metal recommends to use at most; None elsewhere.
        records: replies, oldest first.
    """

    bandwidth: MemoryBandwidth | None = None
    working_set_bytes: int | None = None
    records: tuple[SpeedRecord, ...] = ()

    @property
    def efficiency(self) -> float:
        """Part of the ceiling that replies come to."""
        shares = [one.tokens_per_second / one.ceiling_tokens_per_second for one in self.records]
        return _median(shares) if shares else USUAL_EFFICIENCY

    @property
    def operations_per_second(self) -> float | None:
        """Arithmetic while prompts are read; None before any was."""
        speeds = [one.operations_per_second for one in self.records if one.operations_per_second is not None]
        return _median(speeds) if speeds else None


class _Content(msgspec.Struct, frozen=True):
    form: int
    machines: dict[str, dict[EngineName, EngineHistory]]


def machine_key(device: DeviceInfo) -> str:
    """Return what tells machines apart: a home folder may be carried from one to another."""
    return f"{device.chip}, {device.logical_cores} cores, {round(device.total_memory_bytes / 2**30)} GiB, {device.os}"


def read_history(paths: AppPaths, device: DeviceInfo, engine: EngineName) -> EngineHistory:
    """Return what is known of `engine` on this machine; a file that cannot be understood counts as none."""
    return _read(paths).get(machine_key(device), {}).get(engine, EngineHistory())


def write_history(paths: AppPaths, device: DeviceInfo, engine: EngineName, history: EngineHistory) -> None:
    """Keep what is known of `engine` on this machine.

    Raises:
        StoreError: the file cannot be written.
    """
    machines = _read(paths)
    engines = {**machines.get(machine_key(device), {}), engine: history}
    content = _Content(FORM, {**machines, machine_key(device): engines})
    file = paths.data / FILE_NAME
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        replace_file(file, msgspec.json.encode(content))
    except OSError as error:
        raise StoreError(
            f"The file {file} cannot be written.", "Check the folder's permissions and free space.", detail=str(error)
        ) from error


def predict(history: EngineHistory, workload: Workload) -> Prediction:
    """Return how fast a model with `workload` will be."""
    ceiling = _ceiling(history.bandwidth, workload.reads, workload.prompt_tokens)
    if ceiling is None:
        return Prediction()
    speed = ceiling * history.efficiency
    operations = history.operations_per_second
    ttft_ms = None
    if operations:
        reading_s = workload.prompt_tokens * OPERATIONS_PER_WEIGHT * workload.active_parameters / operations
        ttft_ms = (reading_s + 1 / speed) * MS_PER_S
    return Prediction(tokens_per_second=speed, ttft_ms=ttft_ms, replies=len(history.records))


def with_reply(
    history: EngineHistory, stats: GenerationStats, model: LoadedModel, bandwidth: MemoryBandwidth | None
) -> EngineHistory:
    """Return `history` with what is known now, and with the reply that `stats` describe unless it teaches nothing."""
    history = msgspec.structs.replace(
        history,
        bandwidth=bandwidth or history.bandwidth,
        working_set_bytes=model.working_set_bytes or history.working_set_bytes,
    )
    record = _record(history, stats, model)
    if record is None:
        return history
    return msgspec.structs.replace(history, records=(*history.records, record)[-MAX_RECORDS:])


def loaded_workload(model: LoadedModel, prompt_tokens: int = USUAL_PROMPT_TOKENS) -> Workload | None:
    """Return what a loaded model has to do for a token; None where that is not known."""
    if model.decode_reads is None or not model.quantization.bits_per_weight:
        return None
    active = model.decode_reads.weights_bytes * 8 / model.quantization.bits_per_weight
    return Workload(reads=model.decode_reads, active_parameters=active, prompt_tokens=prompt_tokens)


def _median(values: Sequence[float]) -> float:
    from statistics import median  # noqa: PLC0415 - with its fractions it costs the window half a megabyte at the start

    return median(values)


def median_error(records: Sequence[SpeedRecord]) -> float | None:
    """Return by what part of the speed that came the foretold one was off, in the middle; None without records."""
    errors = [abs(one.predicted_tokens_per_second / one.tokens_per_second - 1) for one in records]
    return _median(errors) if errors else None


def _record(history: EngineHistory, stats: GenerationStats, model: LoadedModel) -> SpeedRecord | None:
    roofline = reply_roofline(stats, model, history.bandwidth)
    workload = loaded_workload(model, stats.prompt_tokens)
    if roofline is None or roofline.bound is not Bound.MEMORY or workload is None:
        return None
    foretold = predict(history, workload)
    reading = stats.prefill_tokens_per_second
    was_read = stats.prompt_tokens - stats.cached_tokens >= LEAST_PROMPT_TOKENS and stats.ttft_parts is not None
    whole_ttft = stats.ttft_ms if was_read and stats.cached_tokens == 0 else None
    loading_ms = stats.ttft_parts.load_ms if stats.ttft_parts is not None else 0.0
    return SpeedRecord(
        at=datetime.now(UTC),
        model=stats.model,
        quantization=stats.quantization.name,
        ceiling_tokens_per_second=roofline.ceiling_tokens_per_second,
        predicted_tokens_per_second=roofline.ceiling_tokens_per_second * history.efficiency,
        tokens_per_second=roofline.tokens_per_second,
        predicted_ttft_ms=foretold.ttft_ms if whole_ttft is not None else None,
        ttft_ms=whole_ttft - loading_ms if whole_ttft is not None else None,
        operations_per_second=(
            reading * OPERATIONS_PER_WEIGHT * workload.active_parameters if was_read and reading is not None else None
        ),
    )


def _ceiling(bandwidth: MemoryBandwidth | None, reads: DecodeReads, context_tokens: int) -> float | None:
    if bandwidth is None:
        return None
    return ceiling_tokens_per_second(bandwidth.bytes_per_second, bytes_per_token(reads, context_tokens))


def _read(paths: AppPaths) -> dict[str, dict[EngineName, EngineHistory]]:
    try:
        with (paths.data / FILE_NAME).open("rb") as stream:
            content = stream.read(MAX_FILE_BYTES + 1)
        kept = msgspec.json.decode(content, type=_Content)
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return {}
    return kept.machines if kept.form == FORM else {}
