"""What a Linux container may use: memory and CPU limits of the control group this process is in (v2 and v1).

A container's limit may be far below what the machine has; the kernel kills who goes over it. Limits are inherited, so
every ancestor of the group counts.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import msgspec

ROOT = Path("/sys/fs/cgroup")
MEMBERSHIP = Path("/proc/self/cgroup")
UNLIMITED_BYTES = 1 << 60
"""Version 1 writes a number close to 2^63 for "no limit"."""


class MemoryGroup(msgspec.Struct, frozen=True):
    """One group with a memory limit, in bytes; `reclaimable_bytes` is file cache the kernel drops under pressure."""

    limit_bytes: int
    used_bytes: int
    reclaimable_bytes: int


def memory_limit_bytes(root: Path = ROOT, membership: Path = MEMBERSHIP) -> int | None:
    """Return the smallest memory limit on this process; None where there is none."""
    return min((group.limit_bytes for group in _memory_groups(root, membership)), default=None)


def memory_left_bytes(root: Path = ROOT, membership: Path = MEMBERSHIP) -> int | None:
    """Return what may still be taken below every memory limit on this process; None where there is none."""
    left = (
        max(0, group.limit_bytes - max(0, group.used_bytes - group.reclaimable_bytes))
        for group in _memory_groups(root, membership)
    )
    return min(left, default=None)


def cpu_quota_cores(root: Path = ROOT, membership: Path = MEMBERSHIP) -> float | None:
    """Return the smallest CPU quota on this process, in cores; None where there is none."""
    quotas = (_cpu_quota(folder) for folder in _folders(root, membership, "cpu"))
    return min((quota for quota in quotas if quota is not None), default=None)


def _memory_groups(root: Path, membership: Path) -> Iterator[MemoryGroup]:
    for folder in _folders(root, membership, "memory"):
        limit = _number(folder / "memory.max")
        used = _number(folder / "memory.current")
        reclaimable = "inactive_file"
        if limit is None:
            limit = _number(folder / "memory.limit_in_bytes")
            used = _number(folder / "memory.usage_in_bytes")
            reclaimable = "total_inactive_file"
        if limit is not None and limit < UNLIMITED_BYTES:
            yield MemoryGroup(limit, used or 0, _field(folder / "memory.stat", reclaimable))


def _cpu_quota(folder: Path) -> float | None:
    quota, _, period = _text(folder / "cpu.max").partition(" ")
    if not period:
        quota, period = _text(folder / "cpu.cfs_quota_us"), _text(folder / "cpu.cfs_period_us")
    if not (quota.isdecimal() and period.strip().isdecimal()) or int(period) == 0:
        return None
    return int(quota) / int(period)


def _folders(root: Path, membership: Path, controller: str) -> Iterator[Path]:
    """Yield the folders of this process's group and its ancestors, for version 2 and then for version 1."""
    for line in _text(membership).splitlines():
        _, controllers, group = [*line.split(":", 2), "", ""][:3]
        base = root if not controllers else root / controller
        if controllers and controller not in controllers.split(","):
            continue
        inside = PurePosixPath(group.lstrip("/") or ".")
        for part in (inside, *inside.parents):
            yield base / part


def _number(path: Path) -> int | None:
    text = _text(path)
    return int(text) if text.isdecimal() else None


def _field(path: Path, name: str) -> int:
    for line in _text(path).splitlines():
        key, _, value = line.partition(" ")
        if key == name and value.isdecimal():
            return int(value)
    return 0


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""
