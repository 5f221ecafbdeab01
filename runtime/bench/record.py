"""A row of results. It carries everything it depends on, so that it can be read alone, years later.

Fields that llama-bench has too bear its names and mean the same, so that scripts written for it read these rows:
`n_prompt`, `n_gen`, `n_depth`, `avg_ns`, `stddev_ns`, `avg_ts`, `stddev_ts`, `samples_ns`, `samples_ts` and the
`model_*` ones. Times are of the timed part alone; `avg_ts` is the mean of the samples' rates, as there. Where
llama-bench writes 0 for the spread of a single sample, there is none here (null).
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from statistics import fmean

import msgspec

from runtime.bench.conditions import Conditions, Disturbance, conditions_together, disturbances_of
from runtime.bench.environment import Environment
from runtime.bench.model_identity import ModelIdentity
from runtime.bench.quality import QualityFigures
from runtime.bench.statistics import Interval, percentile, summarize
from runtime.bench.workload import ChatReply, Serving, Workload, depth_of, name_of
from runtime.metrics.roofline import Bound
from runtime.metrics.timeline import NS_PER_S
from runtime.values.errors import ErrorReport
from runtime.values.generation import MemoryFigures, TtftParts
from runtime.values.model import EngineName, LoadOptions
from runtime.values.sampling import SamplingParams

SCHEMA_VERSION = 1


class RowStatus(StrEnum):
    """How a row came to its end; `cancelled` rows have fewer samples than asked for, `left-out` ones have none."""

    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"
    LEFT_OUT = "left-out"


class Scope(StrEnum):
    """What the rate includes.

    `engine`: token ids in, greedy choice, times stamped where the token is made; comparable with llama-bench.
    `chat`: chat template, tokenizer, sampling, and the way to this process; what a person gets.
    """

    ENGINE = "engine"
    CHAT = "chat"


class Sample(msgspec.Struct, frozen=True, kw_only=True):
    """One repetition.

    Attributes:
        tokens: tokens of the timed part.
        elapsed_ns: how long it took.
        prompt_tokens: tokens of the prompt, cached ones included.
        cached_tokens: of those, what was in the KV cache and was not evaluated.
        ttft_ms: submit to first token, one for each request.
        ttft_parts: its parts, of a single request.
        request_ts: writing speed of each request, tokens a second; where one wrote fewer than two, none.
        requests: how many requests ran.
        generated_tokens: tokens all of them wrote.
        memory: what the model took, at the most.
        conditions: what else went on.
    """

    tokens: int
    elapsed_ns: int
    prompt_tokens: int
    cached_tokens: int
    ttft_ms: tuple[float, ...] = ()
    ttft_parts: TtftParts | None = None
    request_ts: tuple[float, ...] = ()
    requests: int = 1
    generated_tokens: int = 0
    memory: MemoryFigures | None = None
    conditions: Conditions | None = None

    @property
    def is_timed(self) -> bool:
        """Whether the timed part has a rate; a reply that arrived all at once has none."""
        return self.tokens > 0 and self.elapsed_ns > 0

    @property
    def tokens_per_second(self) -> float:
        """Rate of the timed part; only where there is one."""
        return self.tokens * NS_PER_S / self.elapsed_ns


class Latency(msgspec.Struct, frozen=True, kw_only=True):
    """Time to first token, in ms; the interval is that of the mean, parts are means over the repetitions."""

    samples_ms: tuple[float, ...]
    mean_ms: float
    stddev_ms: float | None
    median_ms: float
    interval_ms: Interval | None
    p50_ms: float
    p95_ms: float
    parts: TtftParts | None


class ServingFigures(msgspec.Struct, frozen=True, kw_only=True):
    """Several requests at once: what all of them wrote a second, what each did, and requests a second; means."""

    concurrency: int
    generated_ts: float
    generated_ts_per_user: float | None
    requests_per_second: float


class RowRoofline(msgspec.Struct, frozen=True, kw_only=True):
    """How near the rate came to what memory allows; see `runtime.metrics.roofline`."""

    bound: Bound
    bandwidth_bytes_per_second: float
    bytes_per_token: float
    ceiling_ts: float
    share: float | None


class RowCompute(msgspec.Struct, frozen=True, kw_only=True):
    """How near reading a prompt, which computation limits, came to what the device can compute.

    Attributes:
        flops_per_second: see `BenchRow`.
        peak_flops_per_second: of MLX's fastest product of two matrices, or of what llama.cpp's kernels attain on a CPU
            (`runtime.bench.compute_roof`); None where neither can be measured.
        share: the one of the other; None where it comes out above 1 by more than the two differ from moment to moment.
    """

    flops_per_second: float
    peak_flops_per_second: float | None
    share: float | None


class RowSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that was chosen.

    Attributes:
        seed: of random prompts and of sampling.
        repetitions: how many were asked for.
        load: how the model was loaded.
        sampling: how tokens were chosen.
        shared_memory: whether the other models of the run were in memory at the same time.
    """

    seed: int
    repetitions: int
    load: LoadOptions
    sampling: SamplingParams
    shared_memory: bool = False


class RowContext(msgspec.Struct, frozen=True, kw_only=True):
    """All of a row that is known before the first sample.

    Attributes:
        workload: what is timed.
        engine: who runs it.
        model: which model.
        environment: the machine.
        settings: what was chosen.
        scope: what the rate includes.
        cache: the state of the KV cache at the beginning, in words.
        test_time: when it began, RFC 3339, UTC.
        engine_version: the library; None where loading failed.
        device: what it runs on; None where loading failed.
        load_ms: how long loading took; None where it failed.
        advice: what would make the engine faster here.
    """

    workload: Workload
    engine: EngineName
    model: ModelIdentity
    environment: Environment
    settings: RowSettings
    scope: Scope
    cache: str
    test_time: str
    engine_version: str | None = None
    device: str | None = None
    load_ms: float | None = None
    advice: str | None = None


class BenchRow(msgspec.Struct, frozen=True, kw_only=True):
    """One test on one model. The first fields are llama-bench's.

    Attributes:
        model_filename: last part of the model's path.
        model_type: name and quantization.
        model_size: bytes of its tensors.
        model_n_params: number of its weights.
        n_prompt: tokens of the prompt that are timed; of a chat, all of its prompt's.
        n_gen: tokens that are written and timed.
        n_depth: tokens in the KV cache before.
        test_time: when it began, RFC 3339, UTC.
        avg_ns: mean time.
        stddev_ns: its sample standard deviation.
        avg_ts: mean rate in tokens a second.
        stddev_ts: its sample standard deviation.
        samples_ns: every time.
        samples_ts: every rate.
        schema_version: form of this row.
        test: name of the workload.
        status: how it ended.
        error: why it failed or was left out.
        median_ts: median rate.
        interval_ts: 95 % confidence interval of the mean rate.
        scope: what the rate includes.
        cache: the state of the KV cache at the beginning, in words.
        cached_tokens: prompt tokens that were not evaluated, in the last repetition.
        ttft: time to first token, where the workload has one.
        serving: what several requests at once came to.
        roofline: the limit that memory sets; None where unknown.
        flops_per_second: of prefill, which computation limits: 2 × the weights that every token meets × mean rate,
            attention, and what only the last token meets, left out; None where unknown.
        compute: the same against what the device can compute; None where it is.
        quality: how well the model predicts a text, where that was measured.
        memory: what the model took at the most.
        engine: who ran it.
        engine_version: the library and its version.
        device: what it ran on.
        load_ms: how long loading took.
        advice: what would make the engine faster here.
        model: which model exactly.
        environment: the machine.
        settings: what was chosen.
        conditions: what else went on meanwhile.
        disturbances: what of that disturbed the measurement.
    """

    model_filename: str
    model_type: str
    model_size: int
    model_n_params: int | None
    n_prompt: int
    n_gen: int
    n_depth: int
    test_time: str
    avg_ns: int | None
    stddev_ns: int | None
    avg_ts: float | None
    stddev_ts: float | None
    samples_ns: tuple[int, ...]
    samples_ts: tuple[float, ...]
    schema_version: int = SCHEMA_VERSION
    test: str
    status: RowStatus
    error: ErrorReport | None
    median_ts: float | None
    interval_ts: Interval | None
    scope: Scope
    cache: str
    cached_tokens: int | None
    ttft: Latency | None
    serving: ServingFigures | None
    roofline: RowRoofline | None
    flops_per_second: float | None = None
    compute: RowCompute | None = None
    quality: QualityFigures | None = None
    memory: MemoryFigures | None
    engine: EngineName
    engine_version: str | None
    device: str | None
    load_ms: float | None
    advice: str | None
    model: ModelIdentity
    environment: Environment
    settings: RowSettings
    conditions: Conditions | None
    disturbances: tuple[Disturbance, ...]


def row_of(
    context: RowContext,
    samples: Sequence[Sample],
    status: RowStatus,
    error: ErrorReport | None = None,
    roofline: RowRoofline | None = None,
) -> BenchRow:
    """Return the row that `samples`, possibly none, make."""
    timed = [sample for sample in samples if sample.is_timed]
    times = summarize([sample.elapsed_ns for sample in timed])
    rates = summarize([sample.tokens_per_second for sample in timed])
    conditions = conditions_together([one.conditions for one in samples if one.conditions is not None])
    workload, model = context.workload, context.model
    n_prompt, n_gen = _counts(workload, samples)
    return BenchRow(
        model_filename=model.filename,
        model_type=_model_type(model),
        model_size=model.weights_bytes,
        model_n_params=model.parameters,
        n_prompt=n_prompt,
        n_gen=n_gen,
        n_depth=depth_of(workload),
        test_time=context.test_time,
        avg_ns=None if times is None else round(times.mean),
        stddev_ns=None if times is None or times.stddev is None else round(times.stddev),
        avg_ts=None if rates is None else rates.mean,
        stddev_ts=None if rates is None else rates.stddev,
        samples_ns=tuple(sample.elapsed_ns for sample in timed),
        samples_ts=tuple(sample.tokens_per_second for sample in timed),
        test=name_of(workload),
        status=status,
        error=error,
        median_ts=None if rates is None else rates.median,
        interval_ts=_above_zero(rates.interval) if rates is not None else None,
        scope=context.scope,
        cache=context.cache,
        cached_tokens=samples[-1].cached_tokens if samples else None,
        ttft=_latency(samples),
        serving=_serving(workload, samples),
        roofline=roofline,
        memory=_most_memory(samples),
        engine=context.engine,
        engine_version=context.engine_version,
        device=context.device,
        load_ms=context.load_ms,
        advice=context.advice,
        model=model,
        environment=context.environment,
        settings=context.settings,
        conditions=conditions,
        disturbances=disturbances_of(conditions, context.environment.logical_cores) if conditions else (),
    )


def _above_zero(interval: Interval | None) -> Interval | None:
    """Cut off what neither a rate nor a time can be; on a noisy machine a few samples' interval reaches below."""
    return None if interval is None else Interval(max(0.0, interval.low), interval.high)


def _model_type(model: ModelIdentity) -> str:
    return f"{model.name} {model.quantization.name}" if model.quantization is not None else model.name


def _counts(workload: Workload, samples: Sequence[Sample]) -> tuple[int, int]:
    """Return prompt and generated tokens of one request; how long a chat's prompt is, only its samples know."""
    prompt = getattr(workload, "prompt_tokens", 0)
    if isinstance(workload, ChatReply) and samples:
        prompt = samples[-1].prompt_tokens
    return prompt, getattr(workload, "generate_tokens", 0)


def _latency(samples: Sequence[Sample]) -> Latency | None:
    times = tuple(time for sample in samples for time in sample.ttft_ms)
    summary = summarize(times)
    p50, p95 = percentile(times, 0.5), percentile(times, 0.95)
    if summary is None or p50 is None or p95 is None:
        return None
    return Latency(
        samples_ms=times,
        mean_ms=summary.mean,
        stddev_ms=summary.stddev,
        median_ms=summary.median,
        interval_ms=_above_zero(summary.interval),
        p50_ms=p50,
        p95_ms=p95,
        parts=_mean_parts([sample.ttft_parts for sample in samples if sample.ttft_parts is not None]),
    )


def _mean_parts(parts: Sequence[TtftParts]) -> TtftParts | None:
    if not parts:
        return None
    return TtftParts(**{name: fmean(getattr(one, name) for one in parts) for name in TtftParts.__struct_fields__})


def _serving(workload: Workload, samples: Sequence[Sample]) -> ServingFigures | None:
    timed = [sample for sample in samples if sample.is_timed]
    if not isinstance(workload, Serving) or not timed:
        return None
    rates = [rate for sample in samples for rate in sample.request_ts]
    return ServingFigures(
        concurrency=workload.concurrency,
        generated_ts=fmean(one.generated_tokens * NS_PER_S / one.elapsed_ns for one in timed),
        generated_ts_per_user=fmean(rates) if rates else None,
        requests_per_second=fmean(one.requests * NS_PER_S / one.elapsed_ns for one in timed),
    )


def _most_memory(samples: Sequence[Sample]) -> MemoryFigures | None:
    return max((one.memory for one in samples if one.memory is not None), key=lambda one: one.peak_bytes, default=None)
