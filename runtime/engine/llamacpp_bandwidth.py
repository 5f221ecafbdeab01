"""What reads the memory that a GGUF model lies in, as far as that can be measured.

On the CPU that is as many threads as write tokens. On Apple's GPU it is MLX, which is installed there and reaches the
same memory from the same GPU. Any other GPU has memory of its own, which nothing here can read; and a model that is
split between the two has no one bandwidth.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module

from runtime.metrics.bandwidth import CpuReader, MemoryReader, choose_buffer_bytes
from runtime.metrics.device import DeviceInfo, is_apple_silicon

MLX_READER = ("runtime.engine.mlx_bandwidth", "MlxReader")


def memory_reader(device: DeviceInfo, *, uses_gpu: bool, is_split: bool, threads: int) -> MemoryReader | None:
    """Return what reads the model's memory; None where nothing can.

    Args:
        device: the machine, as it is now.
        uses_gpu: whether llama.cpp put layers on a GPU.
        is_split: whether it left others on the CPU.
        threads: CPU threads that write tokens.
    """
    buffer_bytes = choose_buffer_bytes(device.available_memory_bytes)
    if buffer_bytes is None or (uses_gpu and is_split):
        return None
    if not uses_gpu:
        return CpuReader(threads, buffer_bytes)
    return _gpu_reader(buffer_bytes) if is_apple_silicon(device) else None


def _gpu_reader(buffer_bytes: int) -> MemoryReader | None:
    module_name, class_name = MLX_READER
    try:
        make: Callable[[int], MemoryReader] = getattr(import_module(module_name), class_name)
    except ImportError:  # Installed without MLX: then there is nothing to measure with.
        return None
    return make(buffer_bytes)
