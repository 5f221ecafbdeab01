"""Whether two runs agree: figures whose 95 % intervals overlap between two Standard runs, one after the other.

What does not overlap is listed, with what disturbed it; of many figures a few are apart by chance.

    uv run python -m tests.benchmarks.two_standard_runs
    uv run python -m tests.benchmarks.two_standard_runs --preset quick --model demo:int4
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Iterator
from typing import NamedTuple

import msgspec

from runtime.bench.record import BenchRow
from runtime.bench.statistics import Interval
from tests.benchmarks.interleaved import machine


class Pair(NamedTuple):
    """A figure of a row in both runs: its mean and interval, and what disturbed either."""

    name: str
    means: tuple[float, float]
    intervals: tuple[Interval, Interval]
    disturbances: tuple[str, ...]

    @property
    def overlaps(self) -> bool:
        """Whether the intervals have anything in common."""
        first, second = self.intervals
        return first.low <= second.high and second.low <= first.high

    def __str__(self) -> str:
        first, second = self.means
        disturbed = f"; {', '.join(self.disturbances)}" if self.disturbances else ""
        return f"{self.name}: {first:.2f}, then {second:.2f} ({second / first - 1:+.1%}){disturbed}"


def run(arguments: list[str]) -> list[BenchRow]:
    """Return the rows of one run of the command line."""
    command = [sys.executable, "-m", "desktop", "bench", "--output", "json", *arguments]
    return msgspec.json.decode(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout, type=list[BenchRow])


def pairs(first: list[BenchRow], second: list[BenchRow]) -> Iterator[Pair]:
    """Yield what both runs have an interval of: rates, and times to first token."""
    for one, other in zip(first, second, strict=True):
        disturbances = tuple(dict.fromkeys(each.detail for row in (one, other) for each in row.disturbances))
        name = f"{one.model.name} {one.test}"
        if one.interval_ts and other.interval_ts and one.avg_ts and other.avg_ts:
            yield Pair(f"{name}, tok/s", (one.avg_ts, other.avg_ts), (one.interval_ts, other.interval_ts), disturbances)
        if one.ttft and other.ttft and one.ttft.interval_ms and other.ttft.interval_ms:
            intervals = (one.ttft.interval_ms, other.ttft.interval_ms)
            yield Pair(f"{name}, TTFT ms", (one.ttft.mean_ms, other.ttft.mean_ms), intervals, disturbances)


def parsed() -> argparse.Namespace:
    """Return the options."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--preset", default="standard")
    parser.add_argument("--model", nargs="+", default=["demo:int4", "demo:int8"])
    parser.add_argument("--engine", default="llamacpp")
    return parser.parse_args()


def main() -> None:
    """Measure twice and print."""
    options = parsed()
    arguments = ["--preset", options.preset, "--model", *options.model, "--engine", options.engine]
    found = list(pairs(run(arguments), run(arguments)))
    overlapping = [pair for pair in found if pair.overlaps]
    sys.stdout.write(f"{machine()}\n{len(overlapping)} of {len(found)} figures overlap in their 95 % intervals\n")
    for pair in found:
        if not pair.overlaps:
            sys.stdout.write(f"apart: {pair}\n")


if __name__ == "__main__":
    main()
