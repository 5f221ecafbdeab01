"""How to run a server for a model: context, batch, threads, memory.

llama.cpp reserves the whole KV cache when it loads, and clears it, so memory and time are paid for a context that may
never be used. Without a request the context is therefore the model's own only as far as its KV cache takes at most
1 GiB, but at least 8,192 tokens where the model and the memory bear them.

Each of several requests has a context of its own. A shared one would save memory, but what other conversations have
left in it would slow every token down.
"""

from __future__ import annotations

from collections.abc import Callable

from runtime.engine.kv_budget import default_kept_bytes
from runtime.engine.llamacpp_server import ServerPlan
from runtime.engine.llamacpp_threads import choose_threads
from runtime.library.context_choice import automatic_context
from runtime.library.fit import at_once, choose_context, kept_windows_bytes, kv_cache_bytes, memory_need
from runtime.library.overhead import Evaluation
from runtime.library.spec import ModelSpec
from runtime.metrics.device import DeviceInfo
from runtime.values.errors import SettingsError
from runtime.values.model import LoadOptions

BATCH_TOKENS = 128
"""On a CPU this costs nothing against larger batches, and a cancelled prompt stops within one."""
GPU_BATCH_TOKENS = 512
LEAST_BATCH_TOKENS = 32
"""llama.cpp aborts with a batch of 1, and with one smaller than the number of requests."""
MAX_BATCH_TOKENS = 4096
MAX_PARALLEL_REQUESTS = 32
KV_CACHE_BITS = (4, 8)
KV_BLOCK_ELEMENTS = 32

MOST_CHECKPOINTS = 32
MOST_CHECKPOINT_BYTES = 1 << 30
CHECKPOINT_SHARE = 8
REARRANGED_TYPES = frozenset({"Q4_0", "Q4_K", "IQ4_NL", "MXFP4"})
"""Types that llama.cpp rearranges for CPUs with AVX2 or with Arm's dot products."""
MIB = 1 << 20


def plan_server(
    spec: ModelSpec,
    options: LoadOptions,
    device: DeviceInfo,
    measure_busy_cores: Callable[[], float],
    *,
    may_have_gpu: bool,
) -> ServerPlan:
    """Return how to run the server for a model, within the memory and the cores of `device`.

    `may_have_gpu` says whether the server can, or for all that is known might, use a GPU.

    Raises:
        SettingsError: an option is out of range.
        InvalidRequestError: the model has no such context.
        MemoryShortError: more is asked for than there is.
    """
    _check_options(options, spec)
    may_have_gpu = may_have_gpu and options.gpu_layers != 0
    batch = max(
        options.prefill_chunk_tokens or (GPU_BATCH_TOKENS if may_have_gpu else BATCH_TOKENS), LEAST_BATCH_TOKENS
    )
    context_tokens, spare_bytes = _choose_context(spec, options, device.available_memory_bytes, Evaluation(batch))
    windows_bytes = kept_windows_bytes(spec, context_tokens, options.kv_cache_bits, Evaluation(batch))
    threads = choose_threads(options.threads, device, spec.weights_bytes, measure_busy_cores)
    return ServerPlan(
        model_path=spec.path,
        context_tokens=context_tokens,
        parallel_requests=options.parallel_requests,
        decode_threads=threads.decode,
        prefill_threads=threads.prefill,
        batch_tokens=batch,
        gpu_layers=options.gpu_layers,
        may_have_gpu=may_have_gpu,
        kv_cache_bits=options.kv_cache_bits,
        prompt_cache_mib=_prompt_cache_bytes(spec, options, context_tokens, spare_bytes) // MIB,
        maps_weights=may_have_gpu or not _is_rearranged(spec),
        context_checkpoints=_checkpoints(spec.recurrent_state_bytes + windows_bytes, spare_bytes),
    )


def _prompt_cache_bytes(spec: ModelSpec, options: LoadOptions, context_tokens: int, spare_bytes: int) -> int:
    """Return what conversations that others have displaced may take; the budget is for those in their slots as well."""
    if options.kv_budget_bytes is None:
        return default_kept_bytes(spare_bytes)
    slots_bytes = kv_cache_bytes(at_once(spec, options.parallel_requests), context_tokens, options.kv_cache_bits)
    return max(0, options.kv_budget_bytes - slots_bytes)


def _is_rearranged(spec: ModelSpec) -> bool:
    """Return whether a CPU gets most of the weights in another order than that of the file.

    It then needs a copy of them; mapping the file as well would have them in memory twice.
    """
    rearranged = sum(tensor.size_bytes for tensor in spec.tensors if tensor.dtype in REARRANGED_TYPES)
    return rearranged > spec.weights_bytes / 2


def _checkpoints(state_bytes: int, spare_bytes: int) -> int:
    """Return how many states to keep of what cannot be cut back: the last one, and as many as spare memory bears."""
    affordable = min(MOST_CHECKPOINT_BYTES, spare_bytes // CHECKPOINT_SHARE) // state_bytes if state_bytes else 0
    return max(1, min(MOST_CHECKPOINTS, affordable))


def _check_options(options: LoadOptions, spec: ModelSpec) -> None:
    ranges = {
        "parallel_requests": (1, MAX_PARALLEL_REQUESTS),
        "prefill_chunk_tokens": (1, MAX_BATCH_TOKENS),
        "gpu_layers": (0, 10_000),
    }
    for name, (least, most) in ranges.items():
        value = getattr(options, name)
        if value is not None and not least <= value <= most:
            raise SettingsError(f"{name} cannot be {value}.", f"Choose a number from {least} to {most:,}.")
    bits = options.kv_cache_bits
    if bits is not None and bits not in KV_CACHE_BITS:
        raise SettingsError(f"kv_cache_bits cannot be {bits}.", "Choose 4 or 8, or none for 16 bits.")
    if bits is not None and any(
        run.key_dim % KV_BLOCK_ELEMENTS or run.value_dim % KV_BLOCK_ELEMENTS for run in spec.kv_layers
    ):
        raise SettingsError("The KV cache of this model cannot be quantized.", "Load it with 16 bits.")


def _choose_context(
    spec: ModelSpec, options: LoadOptions, available_bytes: int, evaluation: Evaluation
) -> tuple[int, int]:
    """Return the context of each request, in tokens, and the bytes that stay free."""
    together = at_once(spec, options.parallel_requests)
    bits = options.kv_cache_bits
    if options.context_tokens is None:
        chosen = automatic_context(together, available_bytes, bits, evaluation)
    else:
        chosen = choose_context(together, options.context_tokens, available_bytes, bits, evaluation)
    return chosen, max(0, available_bytes - memory_need(together, chosen, bits, evaluation).total_bytes)
