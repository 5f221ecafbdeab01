"""What a figure depends on besides the model: machine, system, versions. A part of every row, which so stands alone."""

from __future__ import annotations

import platform
from importlib.metadata import version

import msgspec

from runtime.metrics.device import DeviceInfo, read_device

DISTRIBUTION = "first-token"


class Environment(msgspec.Struct, frozen=True, kw_only=True):
    """A machine and what runs on it.

    Attributes:
        chip: the processor's name.
        physical_cores: cores, hyper-threads not counted.
        logical_cores: what the system schedules on.
        usable_cores: of those, what this process may use.
        performance_cores: fast cores, on chips with two kinds; None where the system does not say.
        efficiency_cores: the other kind.
        simd: vector instruction sets that matter to inference.
        total_memory_bytes: memory of the machine, or of the container where that is less.
        available_memory_bytes: what was free when the run began.
        unified_memory: whether CPU and GPU share it.
        os: "macOS 26.1", "Debian GNU/Linux 13" …
        architecture: "arm64", "x86_64" …
        app_version: of First Token.
        python_version: of the interpreter.
    """

    chip: str
    physical_cores: int
    logical_cores: int
    usable_cores: int
    performance_cores: int | None
    efficiency_cores: int | None
    simd: tuple[str, ...]
    total_memory_bytes: int
    available_memory_bytes: int
    unified_memory: bool
    os: str
    architecture: str
    app_version: str
    python_version: str


def read_environment() -> Environment:
    """Look at this machine; takes a few milliseconds."""
    return environment_of(read_device())


def environment_of(device: DeviceInfo) -> Environment:
    """Return the environment of a process on `device`."""
    named = device.os_version if device.os == "Linux" else f"{device.os} {device.os_version}"
    return Environment(
        chip=device.chip,
        physical_cores=device.physical_cores,
        logical_cores=device.logical_cores,
        usable_cores=device.usable_cores,
        performance_cores=device.performance_cores,
        efficiency_cores=device.efficiency_cores,
        simd=device.simd,
        total_memory_bytes=device.total_memory_bytes,
        available_memory_bytes=device.available_memory_bytes,
        unified_memory=device.unified_memory,
        os=named,
        architecture=device.architecture,
        app_version=version(DISTRIBUTION),
        python_version=platform.python_version(),
    )
