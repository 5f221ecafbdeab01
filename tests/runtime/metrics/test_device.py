"""What is read of the machine agrees with other ways to ask, and container limits count."""

from __future__ import annotations

import os
import platform
from pathlib import Path

import msgspec
import psutil
import pytest

from runtime.metrics import cgroup
from runtime.metrics.device import (
    available_memory_bytes,
    chip_of_cpuinfo,
    is_apple_silicon,
    read_device,
    simd_of_cpuinfo,
    total_memory_bytes,
    usable_cores,
)

GIB = 1 << 30


def test_this_machine_makes_sense() -> None:
    device = read_device()

    assert device.chip.strip()
    assert device.chip != "unknown"
    assert 1 <= device.physical_cores <= device.logical_cores
    assert 1 <= device.usable_cores <= device.logical_cores
    assert 0 < device.available_memory_bytes <= device.total_memory_bytes <= psutil.virtual_memory().total
    assert device.recommended_working_set_bytes is None


@pytest.mark.skipif(platform.machine() != "x86_64" or platform.system() != "Linux", reason="reads /proc/cpuinfo of x86")
def test_simd_is_what_the_kernel_lists() -> None:
    flags = Path("/proc/cpuinfo").read_text(encoding="utf-8").split("flags", 1)[1].splitlines()[0].split()

    assert ("avx2" in read_device().simd) == ("avx2" in flags)
    assert ("avx512f" in read_device().simd) == ("avx512f" in flags)


def test_apple_silicon_is_macos_on_arm64_only() -> None:
    device = read_device()

    def on(os_name: str, architecture: str) -> bool:
        return is_apple_silicon(msgspec.structs.replace(device, os=os_name, architecture=architecture))

    assert on("macOS", "arm64")
    assert not on("macOS", "x86_64")
    assert not on("Linux", "arm64")


def test_simd_flags_of_both_families() -> None:
    assert simd_of_cpuinfo("model name\t: X\nflags\t\t: fpu sse avx2 avx512f amx_tile\n") == ("avx2", "avx512f", "amx")
    assert simd_of_cpuinfo("Features\t: fp asimd asimddp sve i8mm\n") == ("neon", "dotprod", "i8mm", "sve")
    assert simd_of_cpuinfo("nothing here") == ()


def test_chip_name_of_cpuinfo() -> None:
    assert chip_of_cpuinfo("processor : 0\nmodel name : AMD EPYC\n") == "AMD EPYC"
    assert chip_of_cpuinfo("processor : 0\nBogoMIPS : 50\n") is None


def _group(root: Path, inside: str, files: dict[str, str]) -> None:
    folder = root / inside
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")


@pytest.fixture
def membership(tmp_path: Path) -> Path:
    file = tmp_path / "membership"
    file.write_text("0::/app/worker\n", encoding="utf-8")
    return file


def test_version_2_limits_of_an_ancestor_count(tmp_path: Path, membership: Path) -> None:
    root = tmp_path / "cgroup"
    _group(root, "app", {"memory.max": f"{2 * GIB}\n", "memory.current": f"{GIB}\n", "cpu.max": "150000 100000\n"})
    _group(root, "app", {"memory.stat": f"anon 7\ninactive_file {GIB // 4}\n"})
    _group(root, "app/worker", {"memory.max": "max\n", "memory.current": "5\n", "cpu.max": "max 100000\n"})

    assert cgroup.memory_limit_bytes(root, membership) == 2 * GIB
    assert cgroup.memory_left_bytes(root, membership) == GIB + GIB // 4
    assert cgroup.cpu_quota_cores(root, membership) == 1.5


def test_version_1_limits_count(tmp_path: Path, membership: Path) -> None:
    root = tmp_path / "cgroup"
    membership.write_text("4:memory:/box\n1:cpu,cpuacct:/box\n", encoding="utf-8")
    _group(root, "memory/box", {"memory.limit_in_bytes": f"{GIB}\n", "memory.usage_in_bytes": f"{2 * GIB}\n"})
    _group(root, "memory", {"memory.limit_in_bytes": "9223372036854771712\n", "memory.usage_in_bytes": "1\n"})
    _group(root, "cpu/box", {"cpu.cfs_quota_us": "200000\n", "cpu.cfs_period_us": "100000\n"})
    _group(root, "cpu", {"cpu.cfs_quota_us": "-1\n", "cpu.cfs_period_us": "100000\n"})

    assert cgroup.memory_limit_bytes(root, membership) == GIB
    assert cgroup.memory_left_bytes(root, membership) == 0
    assert cgroup.cpu_quota_cores(root, membership) == 2.0


def test_no_container_means_no_limit(tmp_path: Path) -> None:
    assert cgroup.memory_limit_bytes(tmp_path, tmp_path / "none") is None
    assert cgroup.memory_left_bytes(tmp_path, tmp_path / "none") is None
    assert cgroup.cpu_quota_cores(tmp_path, tmp_path / "none") is None


def test_the_containers_limit_is_the_machines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cgroup, "memory_limit_bytes", lambda: GIB)
    monkeypatch.setattr(cgroup, "memory_left_bytes", lambda: GIB // 2)
    monkeypatch.setattr(cgroup, "cpu_quota_cores", lambda: 0.5)

    assert total_memory_bytes() == GIB
    assert available_memory_bytes() == GIB // 2
    assert usable_cores() == 1


def test_usable_cores_follow_the_affinity() -> None:
    if not hasattr(os, "sched_getaffinity"):
        pytest.skip("this system has no affinity")

    assert usable_cores() <= len(os.sched_getaffinity(0))
