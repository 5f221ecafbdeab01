"""The self-test's report as a person reads it."""

from __future__ import annotations

from collections.abc import Iterator

from desktop.self_test.result import EngineResult, SelfTestReport, WindowResult
from runtime.values.wording import bytes_text, milliseconds_text, quantization_text, speed_text


def report_lines(report: SelfTestReport) -> Iterator[str]:
    """Yield the report, its verdict last."""
    device = report.device
    yield f"First Token {report.version}, {'packaged' if report.packaged else 'from source'}, Python {report.python}"
    yield f"platform    {device.os} {device.os_version}, {device.architecture}"
    yield f"chip        {device.chip}, {device.physical_cores} cores ({device.logical_cores} threads)"
    yield f"memory      {bytes_text(device.total_memory_bytes)}, {bytes_text(device.available_memory_bytes)} available"
    yield from (f"files       FAILED: {problem}" for problem in report.file_problems)
    for engine in report.engines:
        yield from engine_lines(engine)
    yield from window_lines(report.window)
    yield verdict_line(report)


def verdict_line(report: SelfTestReport) -> str:
    """Return pass or fail in one line."""
    return f"self-test: {'passed' if report.passed else 'FAILED'}"


def engine_lines(engine: EngineResult) -> Iterator[str]:
    """Yield what one engine did."""
    yield from (f"{engine.name:<12}FAILED: {problem}" for problem in engine.problems)
    stats = engine.stats
    if stats is None:
        return
    yield (
        f"{engine.name:<12}{engine.engine_version} on {engine.device}, {quantization_text(stats.quantization)},"
        f" loaded in {milliseconds_text(engine.load_ms)}"
    )
    yield (
        f"{'':<12}TTFT {milliseconds_text(stats.ttft_ms)}, prefill {speed_text(stats.prefill_tokens_per_second)},"
        f" decode {speed_text(stats.decode_tokens_per_second)}, weights {bytes_text(stats.memory.weights_bytes)},"
        f" KV cache {bytes_text(stats.memory.kv_cache_bytes)}, peak {bytes_text(stats.memory.peak_bytes)}"
    )


def window_lines(window: WindowResult) -> Iterator[str]:
    """Yield what the window did."""
    yield from (f"window      FAILED: {problem}" for problem in window.problems)
    if window.first_paint_ms is not None:
        width, height = window.size_px
        yield (
            f"window      {width} × {height} on {window.platform}, on the screen after"
            f" {milliseconds_text(window.first_paint_ms)}, model ready after {milliseconds_text(window.answerable_ms)},"
            f" first token after {milliseconds_text(window.first_token_ms)}"
        )
