"""What a large library costs: listing it for the first time, listing it again, and searching it.

A library of tiny models in both formats is made in a temporary folder. The first listing reads every header; a later
one, which a new start of the app does, only looks at files; a search goes through what was listed.

uv run python -m tests.benchmarks.library_search --models 500
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter

from runtime.config.paths import AppPaths, app_paths
from runtime.config.settings import Settings
from runtime.library.local_library import LibraryModel, read_library, search_library
from tests.benchmarks.interleaved import machine, measure, summary
from tests.models.random_gguf import GgufRecipe, write_random_gguf
from tests.models.random_mlx import write_random_mlx

MS_PER_S = 1000
QUERIES = {"one word": "model", "two words": "q8_0 qwen3", "a name": "publisher-7/model-77", "nothing": "no such thing"}


def make_library(folder: Path, count: int) -> AppPaths:
    """Return the folders of an app with `count` models, every other one an MLX directory."""
    paths = app_paths({"FIRST_TOKEN_HOME": str(folder / "app")})
    gguf, mlx = folder / "source.gguf", folder / "source"
    write_random_gguf(gguf, GgufRecipe(weights="Q8_0"))
    write_random_mlx(mlx, quantized_bits=8)
    for number in range(count):
        place = paths.models / f"publisher-{number % 20}" / f"model-{number}"
        place.mkdir(parents=True)
        for file in [gguf] if number % 2 else sorted(mlx.iterdir()):
            os.link(file, place / file.name)
    return paths


def timed(work: Callable[[], object]) -> Callable[[], float]:
    """Return a function that does `work` and returns the milliseconds it took."""

    def run() -> float:
        started_s = perf_counter()
        work()
        return (perf_counter() - started_s) * MS_PER_S

    return run


def parsed() -> argparse.Namespace:
    """Return the options."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=20)
    return parser.parse_args()


def main() -> None:
    """Measure and print."""
    options = parsed()
    with TemporaryDirectory(prefix="first-token-library-") as folder:
        paths = make_library(Path(folder), options.models)
        library: list[LibraryModel] = []
        first_ms = timed(lambda: library.extend(read_library(paths, Settings())))()
        work: dict[str, Callable[[], object]] = {"listing it again": lambda: read_library(paths, Settings())}
        for name, text in QUERIES.items():
            work[f"searching for {name}"] = partial(search_library, library, text)
        samples = measure({name: timed(one) for name, one in work.items()}, options.rounds)
    sys.stdout.write(f"{machine()}\n{len(library)} models\nlisting it for the first time: {first_ms:.0f} ms\n")
    for name, values in samples.items():
        sys.stdout.write(summary(name, values, "ms") + "\n")


if __name__ == "__main__":
    main()
