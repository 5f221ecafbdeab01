"""The machine's limit: known cases by hand, invariants by property, and nothing where anything is not known."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.metrics.roofline import (
    Bound,
    bytes_per_token,
    ceiling_tokens_per_second,
    mean_context_tokens,
    reply_roofline,
)
from runtime.values.generation import GenerationStats, MemoryFigures
from runtime.values.memory_reads import DecodeReads, KvReads, MemoryBandwidth
from runtime.values.model import Capabilities, EngineName, LoadedModel, Quantization

MB = 10**6
GB = 10**9
INT4 = Quantization("INT4", 4.5)
BANDWIDTH = MemoryBandwidth(
    bytes_per_second=100.0 * GB,
    median_bytes_per_second=98.0 * GB,
    slowest_bytes_per_second=80.0 * GB,
    rounds=8,
    buffer_bytes=256 * MB,
    cached_bytes=32 * MB,
    reader="2 CPU threads",
)
MODEL = LoadedModel(
    name="made-up",
    engine=EngineName.LLAMACPP,
    engine_version="1",
    device="CPU",
    quantization=INT4,
    weights_bytes=1100 * MB,
    context_limit_tokens=4096,
    vocabulary_size=1000,
    load_started_ns=0,
    load_ended_ns=0,
    capabilities=Capabilities(parallel_requests=1, prompt_progress=True, kv_cache_quantization=(), max_top_logprobs=0),
    decode_reads=DecodeReads(weights_bytes=900 * MB, kv=(KvReads(token_bytes=100_000),)),
)
STATS = GenerationStats(
    engine=EngineName.LLAMACPP,
    model="made-up",
    quantization=INT4,
    prompt_tokens=900,
    cached_tokens=0,
    generated_tokens=200,
    reasoning_tokens=0,
    ttft_ms=100.0,
    ttft_parts=None,
    prefill_tokens_per_second=1000.0,
    decode_tokens_per_second=50.0,
    token_times_ms=(),
    memory=MemoryFigures(
        weights_bytes=0, kv_cache_bytes=0, compute_buffer_bytes=None, worker_resident_bytes=0, peak_bytes=0
    ),
    context_used_tokens=1100,
    context_limit_tokens=4096,
)
kv_reads = st.builds(KvReads, token_bytes=st.floats(0, 1e6), window_tokens=st.one_of(st.none(), st.integers(1, 10_000)))
reads = st.builds(DecodeReads, weights_bytes=st.integers(1, 10**12), kv=st.lists(kv_reads, max_size=3).map(tuple))


def with_reads(**changes: object) -> LoadedModel:
    assert MODEL.decode_reads is not None
    return msgspec.structs.replace(MODEL, decode_reads=msgspec.structs.replace(MODEL.decode_reads, **changes))


def test_a_reply_is_compared_with_the_ceiling_at_its_mean_context() -> None:
    roofline = reply_roofline(STATS, MODEL, BANDWIDTH)

    assert roofline is not None
    assert roofline.bytes_per_token == 900 * MB + 1000 * 100_000
    assert roofline.ceiling_tokens_per_second == pytest.approx(100.0)
    assert roofline.share == pytest.approx(0.5)
    assert roofline.bound is Bound.MEMORY


def test_the_mean_context_is_that_of_the_intervals_between_tokens() -> None:
    prompt, generated = 900, 200
    contexts = [prompt + token for token in range(1, generated)]

    assert mean_context_tokens(STATS) == pytest.approx(sum(contexts) / len(contexts))


def test_layers_with_a_window_read_no_more_than_the_window() -> None:
    both = DecodeReads(weights_bytes=1000, kv=(KvReads(token_bytes=10), KvReads(token_bytes=4, window_tokens=512)))

    assert bytes_per_token(both, 100) == 1000 + 1000 + 400
    assert bytes_per_token(both, 2000) == 1000 + 20_000 + 2048


@given(reads, st.floats(0, 1e6), st.floats(0, 1e6))
def test_a_longer_context_never_reads_less_and_never_less_than_the_weights(
    read: DecodeReads, one: float, other: float
) -> None:
    shorter, longer = sorted((one, other))

    assert read.weights_bytes <= bytes_per_token(read, shorter) <= bytes_per_token(read, longer)


@given(reads, st.floats(0, 1e6), st.floats(1e6, 1e13))
def test_at_the_ceiling_all_of_the_bandwidth_is_used(read: DecodeReads, context: float, bandwidth: float) -> None:
    size = bytes_per_token(read, context)
    ceiling = ceiling_tokens_per_second(bandwidth, size)

    assert ceiling is not None
    assert ceiling * size == pytest.approx(bandwidth)


@given(reads, st.integers(2, 1000), st.floats(0.001, 1e5), st.floats(1e6, 1e13))
def test_a_share_is_speed_by_ceiling_or_there_is_none(
    read: DecodeReads, generated: int, speed: float, bytes_per_second: float
) -> None:
    stats = msgspec.structs.replace(
        STATS, generated_tokens=generated, context_used_tokens=900 + generated, decode_tokens_per_second=speed
    )
    model = msgspec.structs.replace(MODEL, weights_bytes=read.weights_bytes, decode_reads=read)
    bandwidth = msgspec.structs.replace(BANDWIDTH, bytes_per_second=bytes_per_second)
    roofline = reply_roofline(stats, model, bandwidth)

    assert roofline is not None
    if roofline.share is None:
        assert roofline.bound in {Bound.CACHE, Bound.UNKNOWN}
    else:
        assert 0 <= roofline.share <= 1.1
        assert roofline.share * roofline.ceiling_tokens_per_second == pytest.approx(speed)


def test_a_model_that_the_caches_hold_has_no_share() -> None:
    model = msgspec.structs.replace(with_reads(weights_bytes=5 * MB, kv=()), weights_bytes=6 * MB)
    roofline = reply_roofline(STATS, model, BANDWIDTH)

    assert roofline is not None
    assert (roofline.bound, roofline.share) == (Bound.CACHE, None)


def test_few_active_experts_do_not_make_a_large_model_fit_in_the_caches() -> None:
    roofline = reply_roofline(STATS, with_reads(weights_bytes=5 * MB, kv=()), BANDWIDTH)

    assert roofline is not None
    assert roofline.bound is Bound.MEMORY


def test_a_reply_faster_than_memory_allows_has_no_share() -> None:
    roofline = reply_roofline(msgspec.structs.replace(STATS, decode_tokens_per_second=150.0), MODEL, BANDWIDTH)

    assert roofline is not None
    assert (roofline.bound, roofline.share) == (Bound.UNKNOWN, None)


@pytest.mark.parametrize(
    ("stats", "model", "bandwidth"),
    [
        (STATS, None, BANDWIDTH),
        (STATS, MODEL, None),
        (STATS, msgspec.structs.replace(MODEL, decode_reads=None), BANDWIDTH),
        (msgspec.structs.replace(STATS, decode_tokens_per_second=None), MODEL, BANDWIDTH),
        (msgspec.structs.replace(STATS, model="another"), MODEL, BANDWIDTH),
        (msgspec.structs.replace(STATS, engine=EngineName.MLX), MODEL, BANDWIDTH),
        (msgspec.structs.replace(STATS, quantization=Quantization("INT8", 8.5)), MODEL, BANDWIDTH),
    ],
    ids=["no model", "no bandwidth", "unknown reads", "one token", "other model", "other engine", "other width"],
)
def test_without_any_of_what_it_takes_there_is_no_roofline(
    stats: GenerationStats, model: LoadedModel | None, bandwidth: MemoryBandwidth | None
) -> None:
    assert reply_roofline(stats, model, bandwidth) is None
