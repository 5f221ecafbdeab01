"""Reads the GPU's memory as decoding does: products of a matrix and a vector, each of which needs the one before.

Without that chain the GPU might compute several products at once and read the matrix once for all of them.
"""

from __future__ import annotations

from math import isqrt
from time import perf_counter

import mlx.core as mx

from runtime.metrics.bandwidth import CpuReader

SIDE_STEP = 32
ELEMENT_BYTES = 2
ENTRY = 2.0**-14
CHAINED_BYTES = 1 << 31
"""Read between two looks at the clock: 20 ms at 100 GB/s, so that handing over the work does not count."""
MOST_CHAINED = 256
LEAST_PRODUCT_SIDE = 256
MOST_PRODUCT_SIDE = 8192
LONG_PRODUCT_S = 0.01
PRODUCT_ROUNDS = 3


def computes_on_gpu() -> bool:
    """Return whether MLX computes on a GPU here."""
    return mx.default_device().type == mx.DeviceType.gpu


class MlxReader:
    """A `MemoryReader` on MLX's own device, in 16-bit floats."""

    def __init__(self, buffer_bytes: int, chained_bytes: int = CHAINED_BYTES) -> None:
        self._wanted_bytes = buffer_bytes
        self._chained_bytes = chained_bytes
        self._buffer: mx.array | None = None

    @property
    def name(self) -> str:
        """See `MemoryReader.name`."""
        return "GPU" if computes_on_gpu() else "MLX on the CPU"

    @property
    def buffer_bytes(self) -> int:
        """See `MemoryReader.buffer_bytes`."""
        return self._wanted_bytes

    def prepare(self) -> bool:
        """See `MemoryReader.prepare`."""
        self._buffer = mx.full((self._wanted_bytes // ELEMENT_BYTES,), ENTRY, dtype=mx.float16)
        mx.eval(self._buffer)
        return True

    def read(self, size_bytes: int) -> float:
        """See `MemoryReader.read`. A square as large as fits in `size_bytes` is read."""
        if self._buffer is None:
            raise RuntimeError("a reader was used before it was prepared")
        side = max(SIDE_STEP, isqrt(size_bytes // ELEMENT_BYTES) // SIDE_STEP * SIDE_STEP)
        matrix = self._buffer[: side * side].reshape(side, side)
        vector = mx.ones((side,), dtype=mx.float16)
        mx.eval(matrix, vector)
        chained = min(MOST_CHAINED, max(1, self._chained_bytes // matrix.nbytes))
        began_s = perf_counter()
        for _ in range(chained):
            vector = matrix @ vector
        mx.eval(vector)
        return chained * matrix.nbytes / (perf_counter() - began_s)

    def compute(self) -> float | None:
        """See `MemoryReader.compute`, in 16-bit floats."""
        return product_flops_per_second(mx.float16)

    def close(self) -> None:
        """See `MemoryReader.close`."""
        self._buffer = None
        mx.clear_cache()


class MlxCpuReader(CpuReader):
    """A `MemoryReader` for MLX on the CPU: memory is read by threads, and MLX tells how fast it computes."""

    def compute(self) -> float | None:
        """See `MemoryReader.compute`, in 32-bit floats: those of 16 bits it emulates."""
        return product_flops_per_second(mx.float32)


def product_flops_per_second(dtype: mx.Dtype) -> float:
    """Return the floating-point operations a second of a product of two matrices in `dtype`.

    The matrices grow until a product takes long enough to be timed: what a chip can do, it does with large ones.
    """
    best, side, took_s = 0.0, LEAST_PRODUCT_SIDE, 0.0
    while side <= MOST_PRODUCT_SIDE and took_s < LONG_PRODUCT_S:
        matrix = mx.full((side, side), ENTRY, dtype=dtype)
        mx.eval(matrix, matrix @ matrix)
        for _ in range(PRODUCT_ROUNDS):
            began_s = perf_counter()
            mx.eval(matrix @ matrix)
            took_s = perf_counter() - began_s
            best = max(best, 2 * side**3 / took_s)
        side *= 2
    mx.clear_cache()
    return best
