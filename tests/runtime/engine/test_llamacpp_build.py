"""What the embedded llama.cpp uses of this machine, and what it says about it."""

from __future__ import annotations

import msgspec
import pytest

from runtime.engine.llamacpp_build import EngineBuild, describe_build, device_text, instruction_sets
from runtime.metrics.device import read_device

X86 = "CPU : SSE3 = 1 | AVX = 1 | AVX2 = 1 | AVX512 = 0 | LLAMAFILE = 1 | OPENMP = 1 | REPACK = 1 | "
ARM = "Metal : EMBED_LIBRARY = 1 | CPU : NEON = 1 | ARM_FMA = 1 | MATMUL_INT8 = 1 | DOTPROD = 1 | ACCELERATE = 1 | "
NATIVE = "system_info: n_threads = 2 (n_threads_batch = 2) / 2 | CPU : AVX2 = 1 | AVX512 = 1 | AVX512_VNNI = 1 | "


def test_instruction_sets_are_those_in_use() -> None:
    assert instruction_sets(X86) == ("SSE3", "AVX", "AVX2")
    assert instruction_sets(ARM) == ("NEON", "ARM_FMA", "MATMUL_INT8", "DOTPROD")
    assert instruction_sets("") == ()


@pytest.mark.parametrize(
    ("gpus", "system_info", "threads", "text"),
    [
        ((), X86, 2, "CPU, 2 threads, AVX2"),
        ((), X86, 1, "CPU, 1 thread, AVX2"),
        ((), NATIVE, 8, "CPU, 8 threads, AVX512_VNNI"),
        ((), "", 8, "native llama-server, 8 CPU threads"),
        (("Apple M4",), ARM, 4, "Apple M4"),
    ],
)
def test_device_is_named_as_users_know_it(gpus: tuple[str, ...], system_info: str, threads: int, text: str) -> None:
    assert device_text(gpus, system_info, threads) == text


def test_a_native_server_pays_where_instruction_sets_lie_idle() -> None:
    wheel = EngineBuild(version="x", instruction_sets=("AVX2",), unused_instruction_sets=("AVX512",), gpus=())
    assert wheel.native_server_would_pay
    assert "AVX512" in str(wheel.advice)
    with_gpu = msgspec.structs.replace(wheel, gpus=("a GPU",))
    native = msgspec.structs.replace(wheel, unused_instruction_sets=())
    for nothing_to_gain in (with_gpu, native):
        assert not nothing_to_gain.native_server_would_pay
        assert nothing_to_gain.advice is None


def test_the_installed_build_describes_itself() -> None:
    build = describe_build(read_device().simd)
    assert build.version.startswith("xllamacpp ")
    assert "(llama.cpp b" in build.version
    assert {"AVX2", "NEON"} & set(build.instruction_sets)
    assert set(build.instruction_sets).isdisjoint(build.unused_instruction_sets)
    assert "AVX512" in describe_build(("avx2", "avx512f")).unused_instruction_sets + build.instruction_sets
    assert describe_build(()).unused_instruction_sets == ()
