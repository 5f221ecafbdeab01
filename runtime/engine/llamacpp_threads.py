"""How many CPU threads llama.cpp gets: what this machine has, less what others take of it at the moment.

llama.cpp's threads work in lock-step, hundreds of times a token, so the slowest one sets the pace: a thread that has to
share its core makes all others wait. Measured on 2 cores with 440 million parameters in Q8_0, writing, in tok/s:

    another program keeps      no core    one core    both cores busy
    1 thread                        37          36                 17
    2 threads                       42          19                 14

and reading a prompt, where the work between two meetings is longer, 2 threads gained up to 1.8 on an idle machine and
lost nothing on a busy one. Small models meet more often than they compute: with 5 million parameters 1 thread wrote
2,500 tok/s and 2 threads between 180 and 3,000. The number is fixed when the server starts, and loading a model again
to try another one takes longer than it would save; so it follows from the load that is there before.
"""

from __future__ import annotations

import os
from collections.abc import Callable

import msgspec
import psutil

from runtime.metrics.device import DeviceInfo
from runtime.values.errors import SettingsError

MAX_THREADS = 512
QUIET_CORES = 0.5
SAMPLE_S = 0.1
ONE_DECODE_THREAD_BYTES = 100_000_000
ONE_PREFILL_THREAD_BYTES = 16_000_000


class Threads(msgspec.Struct, frozen=True):
    """CPU threads for writing and for reading the prompt."""

    decode: int
    prefill: int


def choose_threads(
    requested: int | None, device: DeviceInfo, weights_bytes: int, measure_busy_cores: Callable[[], float]
) -> Threads:
    """Return the thread counts for a model of `weights_bytes`.

    Where there are more than two cores, one is left to the window. `measure_busy_cores` says how many cores other
    programs use; writing does without these, down to half of the cores, for their load may pass.

    Raises:
        SettingsError: `requested` is out of range.
    """
    if requested is not None:
        if not 1 <= requested <= MAX_THREADS:
            raise SettingsError(f"threads cannot be {requested}.", f"Choose a number from 1 to {MAX_THREADS}.")
        return Threads(requested, requested)
    cores = max(1, min(device.performance_cores or device.physical_cores, device.usable_cores))
    most = cores - 1 if cores > 2 else cores
    prefill = 1 if weights_bytes < ONE_PREFILL_THREAD_BYTES else most
    if most == 1 or weights_bytes < ONE_DECODE_THREAD_BYTES:
        return Threads(1, prefill)
    free = round(cores - measure_busy_cores())
    return Threads(max(1, cores // 2, min(most, free)), prefill)


def busy_cores() -> float:
    """Return how many cores other programs keep busy, both lastingly and right now.

    The load average of the last minute alone would count a program that has just ended, and a look at the present
    alone would count the start of our own window. Takes 0.1 s where the last minute was not quiet.
    """
    lasting = os.getloadavg()[0] if hasattr(os, "getloadavg") else float("inf")
    if lasting < QUIET_CORES:
        return lasting
    cores = psutil.cpu_count(logical=True) or 1
    return min(lasting, psutil.cpu_percent(interval=SAMPLE_S) / 100 * cores)
