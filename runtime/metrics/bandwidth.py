"""How fast memory can be read: measured, in pieces so short that a worker can turn to a request between two of them.

A reader holds a buffer much larger than the caches and reads it as an engine reads weights; `CpuReader` is the one for
engines that compute on the CPU. A measurement has the reader read the whole buffer, and ever smaller parts of it. The
fastest round counts: whatever else the machine does only slows a round down. A part that is read clearly faster than
the whole is held by the caches, which tells, on any machine, virtual ones included, how large a model has to be before
memory is what limits it. At the end the reader says how fast its device computes, where it can tell.

The CPU reads with the C library's `memcmp` over two equal halves: two streams for each thread. On a 2-core Xeon it read
32 GB/s where `memchr` read 23, and hand-written AVX-512 loops with 1 to 8 streams and prefetching read 24 to 34.
"""

from __future__ import annotations

import ctypes
import mmap
import sys
from collections.abc import Callable
from contextlib import suppress
from statistics import median
from threading import Barrier, Thread
from time import perf_counter
from typing import Protocol

from runtime.values.memory_reads import MemoryBandwidth

MB = 1 << 20
LEAST_BUFFER_BYTES = 64 * MB
USUAL_BUFFER_BYTES = 256 * MB
MOST_BUFFER_BYTES = 512 * MB
LARGE_MEMORY_SHARE = 64
"""Machines with much memory have large caches: from 16 GB on the buffer grows with what is free."""
MOST_MEMORY_SHARE = 8

FILL_PIECE_BYTES = 16 * MB
FILL_BUDGET_S = 0.4
ROUND_S = 0.02
FULL_ROUNDS = 8
PART_ROUNDS = 2
LEAST_PART_BYTES = 2 * MB
CACHED_SPEED_UP = 1.3
"""A part that is read so much faster than the whole does not come from memory."""


class MemoryReader(Protocol):
    """Reads memory as an engine does. Every call but the last returns within a few hundredths of a second."""

    @property
    def name(self) -> str:
        """What reads, for example "2 CPU threads"."""
        ...

    @property
    def buffer_bytes(self) -> int:
        """Size of the buffer, once it is prepared."""
        ...

    def prepare(self) -> bool:
        """Do a piece of the work of setting up the buffer; return whether all of it is done."""
        ...

    def read(self, size_bytes: int) -> float:
        """Read the first `size_bytes` of the buffer over and over for a moment; return the bytes per second."""
        ...

    def compute(self) -> float | None:
        """Return the floating-point operations a second of the fastest product of two matrices; None if unknown."""
        ...

    def close(self) -> None:
        """Give the buffer back. Idempotent."""
        ...


class BandwidthMeasurement:
    """A measurement under way."""

    def __init__(self, reader: MemoryReader) -> None:
        self._reader = reader
        self._speeds: dict[int, list[float]] = {}
        self._left: list[int] | None = None

    def step(self) -> MemoryBandwidth | None:
        """Do the next piece; return the figure after the last one."""
        if self._left is None:
            if self._reader.prepare():
                self._left = _rounds(self._reader.buffer_bytes)
            return None
        size = self._left.pop()
        self._speeds.setdefault(size, []).append(self._reader.read(size))
        return None if self._left else self._figure()

    def close(self) -> None:
        """Give the buffer back; without a figure, the measurement has to begin anew. Idempotent."""
        self._reader.close()

    def _figure(self) -> MemoryBandwidth:
        whole = self._speeds[self._reader.buffer_bytes]
        cached = [size for size, speeds in self._speeds.items() if max(speeds) > CACHED_SPEED_UP * max(whole)]
        return MemoryBandwidth(
            bytes_per_second=max(whole),
            median_bytes_per_second=median(whole),
            slowest_bytes_per_second=min(whole),
            rounds=len(whole),
            buffer_bytes=self._reader.buffer_bytes,
            cached_bytes=max(cached, default=0),
            reader=self._reader.name,
            flops_per_second=self._reader.compute(),
        )


def measure_bandwidth(reader: MemoryReader) -> MemoryBandwidth:
    """Measure at one go; takes up to a second."""
    measurement = BandwidthMeasurement(reader)
    try:
        while (figure := measurement.step()) is None:
            pass
        return figure
    finally:
        measurement.close()


def choose_buffer_bytes(available_bytes: int) -> int | None:
    """Return how large a buffer to read where `available_bytes` are free; None where it could not be large enough."""
    wanted = min(MOST_BUFFER_BYTES, max(USUAL_BUFFER_BYTES, available_bytes // LARGE_MEMORY_SHARE))
    size = min(wanted, available_bytes // MOST_MEMORY_SHARE) // FILL_PIECE_BYTES * FILL_PIECE_BYTES
    return size if size >= LEAST_BUFFER_BYTES else None


def _rounds(buffer_bytes: int) -> list[int]:
    """Return the sizes to read, in the order of a stack: halves, quarters … spread between rounds over everything."""
    parts: list[int] = []
    size = buffer_bytes // 2
    while size >= LEAST_PART_BYTES:
        parts += [size] * PART_ROUNDS
        size //= 2
    every = -(-len(parts) // FULL_ROUNDS) or 1
    groups = [parts[start : start + every] for start in range(0, FULL_ROUNDS * every, every)]
    return [size for group in groups for size in (*group, buffer_bytes)]


class CpuReader:
    """Reads with CPU threads, without holding the interpreter: `ctypes` lets go of it during a call."""

    def __init__(self, threads: int, buffer_bytes: int, clock_s: Callable[[], float] = perf_counter) -> None:
        self._threads = threads
        self._wanted_bytes = buffer_bytes
        self._clock_s = clock_s
        self._compare = _memcmp()
        self._memory: mmap.mmap | None = None
        self._filled_bytes = 0
        self._fill_s = 0.0

    @property
    def name(self) -> str:
        """See `MemoryReader.name`."""
        return f"{self._threads} CPU thread{'s' if self._threads > 1 else ''}"

    @property
    def buffer_bytes(self) -> int:
        """See `MemoryReader.buffer_bytes`: what could be filled within `FILL_BUDGET_S`, but at least 64 MiB."""
        return self._filled_bytes

    def prepare(self) -> bool:
        """See `MemoryReader.prepare`. Pages that were never written are one and the same page, which is no memory."""
        started_s = self._clock_s()
        memory = self._memory = self._memory or _allocate(self._wanted_bytes)
        size = min(FILL_PIECE_BYTES, self._wanted_bytes - self._filled_bytes)
        _fill(memory, self._filled_bytes, size)
        self._filled_bytes += size
        self._fill_s += self._clock_s() - started_s
        enough = self._filled_bytes >= LEAST_BUFFER_BYTES and self._fill_s >= FILL_BUDGET_S
        return enough or self._filled_bytes == self._wanted_bytes

    def read(self, size_bytes: int) -> float:
        """See `MemoryReader.read`. Each thread reads a part of its own."""
        if self._memory is None:
            raise RuntimeError("a reader was used before it was prepared")
        hold = ctypes.c_char.from_buffer(self._memory)
        address, part = ctypes.addressof(hold), size_bytes // self._threads
        together = Barrier(self._threads)
        rounds: list[tuple[int, float, float]] = []

        def work(start: int) -> None:
            together.wait()
            rounds.append(self._read_part(start, part // 2))

        threads = [Thread(target=work, args=(address + number * part,)) for number in range(self._threads)]
        try:
            for thread in threads:
                thread.start()
        except RuntimeError:  # The system gives no more threads: those that wait for it must not wait for ever.
            together.abort()
            raise
        for thread in threads:
            thread.join()
        del hold
        began_s, ended_s = min(began for _, began, _ in rounds), max(ended for _, _, ended in rounds)
        return sum(count for count, _, _ in rounds) / (ended_s - began_s)

    def compute(self) -> float | None:
        """See `MemoryReader.compute`. Without an inference library there is nothing here to multiply matrices with."""
        return None

    def close(self) -> None:
        """See `MemoryReader.close`."""
        memory, self._memory = self._memory, None
        self._filled_bytes = 0
        if memory is not None:
            memory.close()

    def _read_part(self, start: int, half: int) -> tuple[int, float, float]:
        """Read two times `half` bytes from `start` on, again and again; return bytes, begin and end."""
        began_s = now_s = self._clock_s()
        done = 0
        while now_s - began_s < ROUND_S:
            self._compare(start, start + half, half)
            done += 2 * half
            now_s = self._clock_s()
        return done, began_s, now_s


def _allocate(size: int) -> mmap.mmap:
    memory = mmap.mmap(-1, size)
    if sys.platform == "linux":
        with suppress(OSError):  # Large pages are filled faster; a kernel without them has none to give.
            memory.madvise(mmap.MADV_HUGEPAGE)
    return memory


def _fill(memory: mmap.mmap, offset: int, size: int) -> None:
    hold = ctypes.c_char.from_buffer(memory, offset)
    ctypes.memset(ctypes.addressof(hold), 1, size)


def _memcmp() -> Callable[[int, int, int], int]:
    library = ctypes.CDLL("msvcrt" if sys.platform == "win32" else None)
    function = library.memcmp
    function.restype = ctypes.c_int
    function.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t]
    compare: Callable[[int, int, int], int] = function
    return compare
