"""Everything the benchmark panel knows, made when it is first opened."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from desktop.state.bench_history import BenchHistoryState
from desktop.state.bench_setup import BenchSetup
from desktop.state.bench_state import BenchState
from desktop.state.engine_state import EngineState
from desktop.state.published_figures import PublishedFigure, read_published
from desktop.state.storage import Storage
from runtime.bench.history import FILE_NAME, open_history
from runtime.bench.model_identity import CACHE_FILE_NAME, HashCache
from runtime.client.launch import make_supervisor
from runtime.config.paths import AppPaths


class BenchStates(msgspec.Struct, frozen=True, kw_only=True):
    """Everything the benchmark panel knows."""

    setup: BenchSetup
    bench: BenchState
    history: BenchHistoryState
    published: Callable[[], tuple[PublishedFigure, ...]]

    async def close(self) -> None:
        """End what is under way, keep what it measured, and close the history."""
        await self.bench.close()
        await self.history.close()


def make_bench_states(paths: AppPaths, engine: EngineState) -> BenchStates:
    """Return everything the benchmark panel knows, empty yet."""
    history = BenchHistoryState(Storage(lambda: open_history(paths.data / FILE_NAME)))
    return BenchStates(
        setup=BenchSetup(paths, engine, history),
        bench=BenchState(make_supervisor, lambda: HashCache(paths.cache / CACHE_FILE_NAME), history),
        history=history,
        published=lambda: read_published(paths.assets),
    )
