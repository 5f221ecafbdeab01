"""The way to the benchmark's states for an app that has just been started: none is made before it is needed."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from desktop.state.bench_states import BenchStates


class BenchStart:
    """Makes the states once."""

    def __init__(self, make: Callable[[], BenchStates]) -> None:
        self._make = make
        self._states: BenchStates | None = None

    @property
    def states(self) -> BenchStates:
        """Everything the benchmark panel knows."""
        if self._states is None:
            self._states = self._make()
        return self._states

    async def close(self) -> None:
        """End what is under way and keep what it measured."""
        if self._states is not None:
            await self._states.close()
