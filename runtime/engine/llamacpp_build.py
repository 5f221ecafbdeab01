"""What the embedded llama.cpp was built for, and what of this machine it leaves unused.

The wheels for Linux and Windows run on any x86 processor with AVX2 and on any 64-bit Arm; a `llama-server` built for
the machine it runs on uses more. Against such a build on a machine with AVX-512 the wheel read prompts at 0.45 (Q4_0)
to 0.78 (Q8_0) of its speed, and wrote at 0.91 to 0.93.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

import msgspec

from runtime.engine.llamacpp_embedded import gpu_names, import_library, package_version

FLAG = re.compile(r"(\w+) = 1\b")
NOT_INSTRUCTIONS = frozenset({"LLAMAFILE", "OPENMP", "REPACK", "ACCELERATE", "BLAS", "KLEIDIAI"})

INSTRUCTION_SETS = {
    "avx2": "AVX2",
    "avx_vnni": "AVX_VNNI",
    "avx512f": "AVX512",
    "avx512_vnni": "AVX512_VNNI",
    "avx512_bf16": "AVX512_BF16",
    "amx_int8": "AMX_INT8",
    "neon": "NEON",
    "dotprod": "DOTPROD",
    "i8mm": "MATMUL_INT8",
    "sve": "SVE",
    "sme": "SME",
}
"""Instruction sets that llama.cpp has code for, weakest first: `DeviceInfo.simd`'s names and llama.cpp's."""


class EngineBuild(msgspec.Struct, frozen=True, kw_only=True):
    """The embedded llama.cpp on this machine.

    Attributes:
        version: package and llama.cpp build number.
        instruction_sets: what it uses of the CPU, in llama.cpp's names.
        unused_instruction_sets: what the CPU has and llama.cpp could use, but this build does not.
        gpus: GPUs it can put layers on.
    """

    version: str
    instruction_sets: tuple[str, ...]
    unused_instruction_sets: tuple[str, ...]
    gpus: tuple[str, ...]

    @property
    def native_server_would_pay(self) -> bool:
        """Whether a `llama-server` built for this machine would be faster: the CPU does the work and could do more."""
        return bool(self.unused_instruction_sets) and not self.gpus

    @property
    def advice(self) -> str | None:
        """Say what would be faster, where something would."""
        if not self.native_server_would_pay:
            return None
        return (
            f"A llama-server built for this machine would also use {', '.join(self.unused_instruction_sets)} and read"
            " prompts up to twice as fast. Put one on PATH, or name it in the settings."
        )


def describe_build(cpu_simd: Iterable[str]) -> EngineBuild:
    """Return what the embedded llama.cpp uses of a CPU that has `cpu_simd` (`DeviceInfo.simd`).

    Raises:
        EngineUnavailableError: xllamacpp is not installed or does not start here.
    """
    library = import_library()
    used = instruction_sets(library.get_system_info())
    could = {INSTRUCTION_SETS[name] for name in cpu_simd if name in INSTRUCTION_SETS}
    return EngineBuild(
        version=package_version(),
        instruction_sets=used,
        unused_instruction_sets=tuple(name for name in INSTRUCTION_SETS.values() if name in could - set(used)),
        gpus=gpu_names(library),
    )


def instruction_sets(system_info: str) -> tuple[str, ...]:
    """Return the instruction sets that llama.cpp's line of system information says it uses, in its order."""
    _, _, cpu = system_info.rpartition("CPU : ")
    return tuple(name for name in FLAG.findall(cpu) if name not in NOT_INSTRUCTIONS)


def device_text(gpu_names: Iterable[str], system_info: str, threads: int) -> str:
    """Return what a model runs on, for example "CPU, 2 threads, AVX2"; not every native server says what it uses."""
    names = list(gpu_names)
    if names:
        return ", ".join(names)
    if not system_info:
        return f"native llama-server, {threads} CPU thread{'s' if threads > 1 else ''}"
    used = set(instruction_sets(system_info))
    strongest = [name for name in INSTRUCTION_SETS.values() if name in used][-1:]
    return ", ".join(["CPU", f"{threads} thread{'s' if threads > 1 else ''}", *strongest])
