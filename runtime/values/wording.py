"""Quantities in words: the one place where a number becomes "41.2 tok/s", for the terminal and the window alike.

Undefined is a dash, never 0: a speed that was not measured is not a slow one.
"""

from __future__ import annotations

from runtime.values.model import Quantization

UNDEFINED = "–"


def bytes_text(count: int | None) -> str:
    """Return a size in decimal units: 999 B, 12 MB, 4.5 GB, 1.1 TB."""
    if count is None:
        return UNDEFINED
    size = float(count)
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if size < 1000 or unit == "TB":
            return f"{size:.0f} {unit}" if size >= 10 or unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    raise AssertionError("unreachable: the last unit returns")


def count_text(count: float | None) -> str:
    """Return a large number of things in short: 950, 12 k, 596 M, 8.2 B, 1.1 T."""
    if count is None:
        return UNDEFINED
    size = float(count)
    for unit in ("", " k", " M", " B", " T"):
        if round(size) < 1000 or unit == " T":
            has_tenths = unit in {" B", " T"} and size < 100 and round(size, 1) % 1 != 0
            return f"{size:.1f}{unit}" if has_tenths else f"{size:,.0f}{unit}"
        size /= 1000
    raise AssertionError("unreachable: the last unit returns")


def download_speed_text(bytes_per_second: float | None) -> str:
    """Return how fast bytes come: 850 kB/s, 12 MB/s."""
    return UNDEFINED if bytes_per_second is None else f"{bytes_text(round(bytes_per_second))}/s"


def milliseconds_text(value_ms: float | None) -> str:
    """Return a time: 0.8 ms, 41 ms, 2.35 s."""
    if value_ms is None:
        return UNDEFINED
    if value_ms >= 1000:
        return f"{value_ms / 1000:.2f} s"
    return f"{value_ms:.1f} ms" if value_ms < 10 else f"{value_ms:.0f} ms"


def duration_text(seconds: float | None) -> str:
    """Return a span that nobody needs to know to the second: 45 s, 3 min, 2 h 05 min."""
    if seconds is None:
        return UNDEFINED
    whole = round(max(0.0, seconds))
    if whole < 90:
        return f"{whole} s"
    minutes = round(whole / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"


def speed_text(tokens_per_second: float | None) -> str:
    """Return a speed: 41.2 tok/s, 3,210 tok/s."""
    if tokens_per_second is None:
        return UNDEFINED
    return f"{tokens_per_second:,.0f} tok/s" if tokens_per_second >= 100 else f"{tokens_per_second:.1f} tok/s"


def bandwidth_text(bytes_per_second: float | None) -> str:
    """Return a memory bandwidth: 31.2 GB/s, 410 GB/s."""
    if bytes_per_second is None:
        return UNDEFINED
    speed = bytes_per_second / 1e9
    return f"{speed:,.0f} GB/s" if speed >= 100 else f"{speed:.1f} GB/s"


def percent_text(share: float | None) -> str:
    """Return a part of a whole, 1 being all of it: 67 %."""
    return UNDEFINED if share is None else f"{share * 100:.0f} %"


def quantization_text(quantization: Quantization) -> str:
    """Return the name and the effective width: INT4, 4.50 bits a weight."""
    return f"{quantization.name}, {quantization.bits_per_weight:.2f} bits a weight"


def rate_text(per_second: float | None, half_width: float | None = None) -> str:
    """Return a rate whose unit is said elsewhere, with half its confidence interval: 41.2, 41.2 ± 0.6, 3,210 ± 12."""
    if per_second is None:
        return UNDEFINED
    digits = 0 if per_second >= 1000 else 1 if per_second >= 10 else 2
    value = f"{per_second:,.{digits}f}"
    return value if half_width is None else f"{value} ± {half_width:,.{digits}f}"


def number_text(value: float | None, digits: int) -> str:
    """Return a number that has no unit, with so many digits behind the point."""
    return UNDEFINED if value is None else f"{value:,.{digits}f}"


def change_text(share: float | None) -> str:
    """Return a relative change with its sign: +3.1 %, −12.0 %."""
    if share is None:
        return UNDEFINED
    return f"{share * 100:+.1f} %".replace("-", "−")


def operations_text(per_second: float | None) -> str:
    """Return how much is computed: 950 MFLOP/s, 41 GFLOP/s, 2.1 TFLOP/s."""
    if per_second is None:
        return UNDEFINED
    size = per_second / 1e6
    for unit in ("MFLOP/s", "GFLOP/s", "TFLOP/s"):
        if size < 1000 or unit == "TFLOP/s":
            return f"{size:.1f} {unit}" if size < 10 else f"{size:,.0f} {unit}"
        size /= 1000
    raise AssertionError("unreachable: the last unit returns")
