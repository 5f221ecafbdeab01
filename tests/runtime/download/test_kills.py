"""Killed at random moments, full disks: what a download leaves behind is right, or clearly partial."""

from __future__ import annotations

import random
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from runtime.download.part_file import BUFFER_BYTES
from runtime.download.staging import partial_downloads
from tests.hub.faults import Throttle
from tests.hub.hosted import HostedFile, HostedRepo
from tests.runtime.download.scene import MLX_REPO, WEIGHTS, Scene, has_arrived, plan_for

ROUNDS, KILLS_A_ROUND = 10, 10
WEIGHTS_PER_SECOND = 2_000_000
LONGEST_LIFE_S = 1.2


def started(scene: Scene, folder: Path, limit_bytes: int | None = None) -> subprocess.Popen[bytes]:
    """Start a process that downloads; with a limit, no file of it may grow beyond."""
    module = "tests.runtime.download.download_until_killed"
    limit = [] if limit_bytes is None else [str(limit_bytes)]
    command = [sys.executable, "-m", module, scene.hub.endpoint, str(folder), MLX_REPO, *limit]
    return subprocess.Popen(command, stdout=subprocess.PIPE)


def check_what_is_there(repo: HostedRepo, folder: Path) -> None:
    """Check that what a killed process left is a whole model, or a beginning of the right bytes."""
    models = folder / "models"
    for part in models.rglob("*.part"):
        if part.is_file():
            there = part.read_bytes()
            assert repo.files[part.name.removesuffix(".part")].read(0, len(there)) == there
    target = models / MLX_REPO
    assert not target.exists() or set(repo.files) >= {path.name for path in target.iterdir()}
    if target.exists():
        assert (target / WEIGHTS).read_bytes() == repo.files[WEIGHTS].read(0, 10**9)


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("seed", range(ROUNDS))
def test_killed_a_hundred_times_and_always_right_in_the_end(seed: int, scene: Scene, tmp_path: Path) -> None:
    generator = random.Random(seed)
    plan = plan_for(scene.api)
    kills = completed = 0
    fetched_before = scene.hub.sent_bytes
    while kills < KILLS_A_ROUND:
        scene.hub.plan(Throttle(WEIGHTS_PER_SECOND), WEIGHTS, part="cdn", times=10_000)
        with started(scene, tmp_path) as process:
            assert process.stdout is not None
            process.stdout.readline()
            try:
                process.wait(generator.uniform(0.0, LONGEST_LIFE_S))
            except subprocess.TimeoutExpired:
                process.kill()
                kills += 1
        check_what_is_there(scene.repo, tmp_path)
        if process.returncode == 0:
            assert has_arrived(scene.repo, plan, tmp_path / "models")
            completed += 1
            shutil.rmtree(tmp_path / "models")
    scene.hub.heal()
    with started(scene, tmp_path) as process:
        assert process.wait(60) == 0
    assert has_arrived(scene.repo, plan, tmp_path / "models")
    assert partial_downloads(tmp_path / "models") == ()
    wasted = scene.hub.sent_bytes - fetched_before - (completed + 1) * plan.total_bytes
    assert wasted < kills * BUFFER_BYTES


@pytest.mark.skipif(sys.platform == "win32", reason="limits the size of files as POSIX systems do")
def test_a_disk_that_fills_up_is_said_and_nothing_is_lost(scene: Scene, tmp_path: Path) -> None:
    content = scene.repo.files[WEIGHTS].read(0, 10**9)
    scene.repo.files[WEIGHTS] = HostedFile(content)
    queue_file = tmp_path / "queue.json"
    with started(scene, tmp_path, limit_bytes=len(content) // 2) as process:
        deadline = time.monotonic() + 60
        while not (queue_file.exists() and b"disk is full" in queue_file.read_bytes()):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        process.kill()

    check_what_is_there(scene.repo, tmp_path)
    with started(scene, tmp_path) as process:
        assert process.wait(60) == 0
    assert has_arrived(scene.repo, plan_for(scene.api), tmp_path / "models")
