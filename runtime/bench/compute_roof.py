"""How fast llama.cpp multiplies on this machine's CPU: the compute roof that reading a prompt is held against.

MLX multiplies two matrices for whoever asks; llama.cpp has no such call. So a model that does little else is loaded,
with matrices of the same type and as the model under test is loaded, and reads prompts; the fastest one counts:

    roof, FLOP/s = 2 × weights that a token meets × prompt tokens ÷ seconds

It is what llama.cpp's own kernels attain, on large matrices, with all the threads it takes here; not what another
library, or the processor's data sheet, would make of the machine.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import msgspec

from runtime.bench.model_identity import unidentified
from runtime.bench.requests import StopSignal
from runtime.bench.roof_model import CONTEXT_TOKENS, RoofModel, write_roof_model
from runtime.bench.variant import Variant
from runtime.bench.workload import Prefill
from runtime.client.base import EngineClient, ModelToLoad
from runtime.values.errors import FirstTokenError
from runtime.values.model import EngineName, LoadOptions

OPERATIONS_PER_WEIGHT = 2
"""A multiplication and an addition."""
PROMPT = Prefill(128)
ROUNDS = 10
"""Short ones: on a busy machine one of them meets a quiet moment."""
NAME = "roof"
Key = tuple[str, LoadOptions]


class ComputeRoofs:
    """Measures roofs, each once: models of one type that are loaded alike share theirs.

    Args:
        make_client: gives a client for the model that is measured with.
        seed: of its prompts.
        stop: says when to give up.
    """

    def __init__(self, make_client: Callable[[], EngineClient], seed: int, stop: StopSignal) -> None:
        self._make_client = make_client
        self._seed = seed
        self._stop = stop
        self._known: dict[Key, float | None] = {}

    async def find(self, variant: Variant, options: LoadOptions) -> None:
        """Tell `variant`, loaded with `options`, its roof where the memory's reader could not: llama.cpp on a CPU.

        Raises:
            RunStoppedError: the run was cancelled.
        """
        bandwidth = variant.bandwidth
        if variant.model.engine is EngineName.LLAMACPP and bandwidth is not None and variant.peak_flops is None:
            variant.peak_flops = await self.flops_per_second(variant.model, options)

    async def flops_per_second(self, model: ModelToLoad, options: LoadOptions) -> float | None:
        """Return the roof of `model`, a GGUF file loaded with `options`; None where it cannot be measured.

        Raises:
            RunStoppedError: the run was cancelled.
        """
        with ExitStack() as cleaning_up:
            try:
                folder = cleaning_up.enter_context(
                    tempfile.TemporaryDirectory(prefix="first-token-roof-", ignore_cleanup_errors=True)
                )
                file = Path(folder) / f"{NAME}.gguf"
                roof = await asyncio.to_thread(write_roof_model, file, Path(model.path))
            except (FirstTokenError, OSError):  # A disk that is full costs a share, not the run.
                return None
            return await self._known_or_measured(roof, _alike(options))

    async def _known_or_measured(self, roof: RoofModel, options: LoadOptions) -> float | None:
        key = (roof.dtype, options)
        if key not in self._known:
            self._known[key] = await self._measured(roof, options)
        return self._known[key]

    async def _measured(self, roof: RoofModel, options: LoadOptions) -> float | None:
        model = ModelToLoad(engine=EngineName.LLAMACPP, path=str(roof.path), options=options)
        identity = unidentified(NAME, roof.path, model.engine)
        variant = Variant(model, identity, self._make_client(), self._seed, self._stop)
        try:
            await variant.load(options)
            meter = variant.meter()
            samples = [(await meter.measure(PROMPT, number)).sample for number in range(ROUNDS)]
        except FirstTokenError:  # No memory left for it, or the model's bytes are no numbers.
            return None
        finally:
            await variant.close()
        rates = [sample.tokens_per_second for sample in samples if sample.is_timed]
        return OPERATIONS_PER_WEIGHT * roof.weights * max(rates) if rates else None


def _alike(options: LoadOptions) -> LoadOptions:
    return msgspec.structs.replace(
        options,
        model_name=NAME,
        is_demo=False,
        requested_ns=None,
        context_tokens=CONTEXT_TOKENS,
        parallel_requests=1,
        kv_budget_bytes=None,
        kv_store=None,
    )
