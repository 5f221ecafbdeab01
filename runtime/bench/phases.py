"""The parts of a run that need the models loaded differently, and whether the models fit in memory together.

Most tests want a model loaded for one request at a time, as in the chat. Cold chats load it anew for each repetition;
servings want it loaded for several requests at once.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from runtime.bench.plan import BenchPlan, Step, interleaved
from runtime.bench.workload import CacheState, ChatReply, Serving, Workload
from runtime.client.base import ModelToLoad
from runtime.library.fit import UNSTATED_CONTEXT_TOKENS, at_once, memory_need
from runtime.library.reader import read_spec
from runtime.values.errors import UserFacingError
from runtime.values.model import EngineName, LoadOptions

SHARED_MEMORY_PART = 0.7
"""Of what is free: models that take more together are loaded in turn."""


class Phase(msgspec.Struct, frozen=True, kw_only=True):
    """Tests that need the models loaded in the same way.

    Attributes:
        workloads: what is measured.
        variants: on how many models.
        repetitions: how often.
        parallel: for how many requests at once the models are loaded.
        is_cold: whether each repetition begins with loading.
    """

    workloads: tuple[Workload, ...]
    variants: int
    repetitions: int
    parallel: int = 1
    is_cold: bool = False

    def steps(self, *, together: bool) -> Iterator[Step]:
        """Yield the steps in their order; see `interleaved`."""
        return interleaved(self.workloads, self.variants, self.repetitions, together=together)


def phases_of(plan: BenchPlan) -> list[Phase]:
    """Return the phases of a plan that have anything to do."""
    cold = tuple(one for one in plan.workloads if isinstance(one, ChatReply) and one.cache is CacheState.COLD)
    serving = tuple(one for one in plan.workloads if isinstance(one, Serving))
    single = tuple(one for one in plan.workloads if one not in (*cold, *serving))
    most = max((one.concurrency for one in serving), default=1)
    whole = Phase(workloads=single, variants=len(plan.models), repetitions=plan.repetitions)
    phases = (
        whole,
        msgspec.structs.replace(whole, workloads=cold, is_cold=True),
        msgspec.structs.replace(whole, workloads=serving, parallel=most),
    )
    return [phase for phase in phases if phase.workloads]


def fits_together(models: Sequence[tuple[ModelToLoad, LoadOptions]], available_bytes: int) -> bool:
    """Return whether all models, loaded with these options, may be in memory at the same time. Reads their headers."""
    if len(models) < 2:
        return True
    need = sum(_need_bytes(model, options) for model, options in models)
    return need <= available_bytes * SHARED_MEMORY_PART


def _need_bytes(model: ModelToLoad, options: LoadOptions) -> int:
    if model.engine is EngineName.SCRIPTED:
        return 0
    try:
        spec = read_spec(Path(model.path))
    except UserFacingError:
        return 0  # It will not be loaded; loading it says why.
    every_request = at_once(spec, options.parallel_requests)
    context = options.context_tokens or spec.context_tokens or UNSTATED_CONTEXT_TOKENS
    return memory_need(every_request, context, options.kv_cache_bits).total_bytes
