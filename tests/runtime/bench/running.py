"""Runs of real workers: scripts where the outcome has to be known, tiny random models where the engine has to run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from runtime.bench.conditions import SystemProbe
from runtime.bench.model_identity import HashCache
from runtime.bench.plan import BenchPlan
from runtime.bench.progress import Activity, BenchProgress
from runtime.bench.record import BenchRow
from runtime.bench.runner import BenchResult, BenchRun
from runtime.bench.workload import Workload
from runtime.client.base import ModelToLoad
from runtime.client.launch import make_supervisor
from runtime.client.supervisor import Supervisor
from runtime.engine.scripted_engine import Script
from runtime.values.model import EngineName, LoadOptions

LONG_REPLY = tuple(f"word{number} " for number in range(200))
FAST = Script(
    replies=(LONG_REPLY,),
    prefill_tokens_per_second=20_000.0,
    decode_tokens_per_second=500.0,
    remembers_prompt=True,
    memory_bytes_per_second=1e9,
)


def script_at(folder: Path, name: str, script: Script = FAST, options: LoadOptions | None = None) -> ModelToLoad:
    """Write a script and return how to load it under that name."""
    path = folder / f"{name}.json"
    path.write_bytes(msgspec.json.encode(script))
    chosen = msgspec.structs.replace(options or LoadOptions(), model_name=name)
    return ModelToLoad(engine=EngineName.SCRIPTED, path=str(path), options=chosen)


def plan_for(models: Sequence[ModelToLoad], workloads: Sequence[Workload], **choices: object) -> BenchPlan:
    """Return a plan of two repetitions, unless the choices say otherwise."""
    plan = BenchPlan(models=tuple(models), workloads=tuple(workloads), repetitions=2)
    return msgspec.structs.replace(plan, **choices)


class Watched:
    """A run, and everything it told on its way."""

    def __init__(
        self,
        plan: BenchPlan,
        folder: Path,
        on_progress: Callable[[Watched, BenchProgress], None] = lambda _run, _progress: None,
    ) -> None:
        self.progress: list[BenchProgress] = []
        self.rows: list[BenchRow] = []
        self.clients: list[Supervisor] = []
        self._react = on_progress
        self.bench = BenchRun(
            plan, self._make_client, HashCache(folder / "hashes.json"), SystemProbe(), self._note, self.rows.append
        )

    async def run(self) -> BenchResult:
        """Run to the end."""
        return await self.bench.run()

    def measured(self) -> list[tuple[str, str]]:
        """Return model and test of each repetition, in order."""
        return [(one.model, one.test) for one in self.progress if one.activity is Activity.MEASURING]

    def _make_client(self) -> Supervisor:
        self.clients.append(make_supervisor())
        return self.clients[-1]

    def _note(self, progress: BenchProgress) -> None:
        self.progress.append(progress)
        self._react(self, progress)
