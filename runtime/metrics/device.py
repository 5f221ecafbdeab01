"""The machine: chip, cores, memory, SIMD. Read from the operating system alone, without any inference library."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from pathlib import Path

import msgspec
import psutil

from runtime.metrics import cgroup

if sys.platform == "win32":
    import ctypes
    import winreg

SYSCTL = "/usr/sbin/sysctl"
CPUINFO = Path("/proc/cpuinfo")
DEVICE_TREE_MODEL = Path("/proc/device-tree/model")

SIMD_NAMES = {
    "avx": "avx",
    "avx2": "avx2",
    "fma": "fma",
    "f16c": "f16c",
    "avx_vnni": "avx_vnni",
    "avx512f": "avx512f",
    "avx512_vnni": "avx512_vnni",
    "avx512_bf16": "avx512_bf16",
    "avx512_fp16": "avx512_fp16",
    "amx_tile": "amx",
    "amx_int8": "amx_int8",
    "amx_bf16": "amx_bf16",
    "neon": "neon",
    "asimd": "neon",
    "asimddp": "dotprod",
    "i8mm": "i8mm",
    "sve": "sve",
    "sve2": "sve2",
    "sme": "sme",
}
"""Flags of /proc/cpuinfo that matter to inference, and the names shown for them."""

APPLE_SIMD_FLAGS = {"FEAT_DotProd": "dotprod", "FEAT_I8MM": "i8mm", "FEAT_BF16": "bf16", "FEAT_SME": "sme"}
WINDOWS_SIMD_FEATURES = {39: "avx", 40: "avx2", 41: "avx512f", 19: "neon", 43: "dotprod"}
"""Numbers that IsProcessorFeaturePresent understands (PF_*_INSTRUCTIONS_AVAILABLE of winnt.h)."""

ARM64_NAMES = frozenset({"arm64", "aarch64"})


class DeviceInfo(msgspec.Struct, frozen=True, kw_only=True):
    """The machine this process runs on.

    Attributes:
        os: "macOS", "Linux", "Windows" or what the system calls itself.
        os_version: as the user knows it.
        architecture: "arm64", "x86_64" …
        chip: the processor's name.
        physical_cores: cores, hyper-threads not counted; at most `logical_cores`.
        logical_cores: what the system schedules on.
        usable_cores: logical cores this process may use (affinity and container quota), at least 1.
        performance_cores: on chips with two kinds of cores, the fast ones; None where the system does not say.
        efficiency_cores: the other kind.
        total_memory_bytes: memory of the machine, or of the container where that is less.
        available_memory_bytes: what could be taken now without swapping.
        unified_memory: True where CPU and GPU share the memory.
        recommended_working_set_bytes: what the GPU should use at most; None unless an engine said so.
        simd: vector instruction sets that matter to inference, by the names of `SIMD_NAMES`.
    """

    os: str
    os_version: str
    architecture: str
    chip: str
    physical_cores: int
    logical_cores: int
    usable_cores: int
    performance_cores: int | None
    efficiency_cores: int | None
    total_memory_bytes: int
    available_memory_bytes: int
    unified_memory: bool
    recommended_working_set_bytes: int | None
    simd: tuple[str, ...]


def read_device() -> DeviceInfo:
    """Look at the machine; takes a few milliseconds."""
    system = platform.system()
    architecture = _architecture()
    logical = psutil.cpu_count(logical=True) or 1
    apple = system == "Darwin"
    return DeviceInfo(
        os="macOS" if apple else system,
        os_version=platform.mac_ver()[0] if apple else _os_version(system),
        architecture=architecture,
        chip=_chip(system),
        physical_cores=min(psutil.cpu_count(logical=False) or logical, logical),
        logical_cores=logical,
        usable_cores=usable_cores(),
        performance_cores=_sysctl_number("hw.perflevel0.physicalcpu") if apple else None,
        efficiency_cores=_sysctl_number("hw.perflevel1.physicalcpu") if apple else None,
        total_memory_bytes=total_memory_bytes(),
        available_memory_bytes=available_memory_bytes(),
        unified_memory=apple and architecture == "arm64",
        recommended_working_set_bytes=None,
        simd=_simd(system, architecture),
    )


def is_apple_silicon(device: DeviceInfo) -> bool:
    """Return whether MLX has a GPU here."""
    return device.os == "macOS" and device.architecture == "arm64"


def total_memory_bytes() -> int:
    """Return the machine's memory, or the container's limit where that is less."""
    limit = cgroup.memory_limit_bytes()
    total = int(psutil.virtual_memory().total)
    return total if limit is None else min(total, limit)


def available_memory_bytes() -> int:
    """Return what could be taken now without swapping, inside the container's limit if there is one; cheap."""
    left = cgroup.memory_left_bytes()
    available = int(psutil.virtual_memory().available)
    return available if left is None else min(available, left)


def usable_cores() -> int:
    """Return how many logical cores this process may use: its affinity, cut to the container's CPU quota."""
    logical = psutil.cpu_count(logical=True) or 1
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else logical
    quota = cgroup.cpu_quota_cores()
    return max(1, allowed if quota is None else min(allowed, int(quota)))


def simd_of_cpuinfo(text: str) -> tuple[str, ...]:
    """Return the SIMD names in the text of /proc/cpuinfo, of x86 ("flags") or Arm ("Features")."""
    for line in text.splitlines():
        key, _, value = line.partition(":")
        if key.strip() in {"flags", "Features"}:
            flags = set(value.split())
            return tuple(dict.fromkeys(name for flag, name in SIMD_NAMES.items() if flag in flags))
    return ()


def chip_of_cpuinfo(text: str) -> str | None:
    """Return the processor's name in the text of /proc/cpuinfo, or None: many Arm boards do not give one."""
    for line in text.splitlines():
        key, _, value = line.partition(":")
        if key.strip() in {"model name", "Model", "Hardware"} and value.strip():
            return value.strip()
    return None


def _architecture() -> str:
    """Return what the hardware is: under Rosetta the interpreter says x86_64 on an arm64 machine."""
    name = platform.machine().lower()
    if name in ARM64_NAMES or (platform.system() == "Darwin" and _sysctl_number("sysctl.proc_translated") == 1):
        return "arm64"
    return "x86_64" if name in {"amd64", "x86_64"} else name


def _os_version(system: str) -> str:
    if system != "Linux":
        return platform.version()
    try:
        return platform.freedesktop_os_release().get("PRETTY_NAME", platform.release())
    except OSError:
        return platform.release()


def _chip(system: str) -> str:
    name: str | None
    if system == "Darwin":
        name = _sysctl("machdep.cpu.brand_string")
    elif system == "Windows":
        name = _windows_chip()
    else:
        name = chip_of_cpuinfo(_text(CPUINFO)) or _text(DEVICE_TREE_MODEL).strip("\0 \n")
    return name or platform.processor() or platform.machine() or "unknown"


def _windows_chip() -> str | None:
    if sys.platform == "win32":
        try:
            with winreg.OpenKey(winreg.HKEY_LOCAL_MACHINE, r"HARDWARE\DESCRIPTION\System\CentralProcessor\0") as key:
                return str(winreg.QueryValueEx(key, "ProcessorNameString")[0]).strip()
        except OSError:
            return None
    return None


def _windows_simd() -> tuple[str, ...]:
    if sys.platform == "win32":
        present = ctypes.windll.kernel32.IsProcessorFeaturePresent
        return tuple(name for number, name in WINDOWS_SIMD_FEATURES.items() if present(number))
    return ()


def _simd(system: str, architecture: str) -> tuple[str, ...]:
    if system == "Linux":
        return simd_of_cpuinfo(_text(CPUINFO))
    if system == "Darwin" and architecture == "arm64":
        found = (name for flag, name in APPLE_SIMD_FLAGS.items() if _sysctl_number(f"hw.optional.arm.{flag}") == 1)
        return ("neon", *found)
    if system == "Darwin":
        return simd_of_cpuinfo(f"flags: {_sysctl_features()}")
    return _windows_simd()


def _sysctl_features() -> str:
    names = f"{_sysctl('machdep.cpu.features') or ''} {_sysctl('machdep.cpu.leaf7_features') or ''}".lower()
    return names.replace("avx1.0", "avx")


def _sysctl(name: str) -> str | None:
    return _output([SYSCTL, "-n", name]).strip() or None


def _sysctl_number(name: str) -> int | None:
    text = _sysctl(name) or ""
    return int(text) if text.isdecimal() else None


def _output(command: list[str]) -> str:
    """Return what `command` prints; empty if it is not there, fails or takes longer than two seconds."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=2, check=False)
    except (OSError, subprocess.SubprocessError, UnicodeDecodeError):
        return ""
    return done.stdout if done.returncode == 0 else ""


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
