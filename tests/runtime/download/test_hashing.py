"""When what comes is hashed: while the line has nothing, and the rest at the end of a file, which can be stopped."""

from __future__ import annotations

import os
import threading

import pytest

from runtime.download.model_download import ModelDownload
from runtime.download.part_file import PartFile
from runtime.download.staging import Staging
from runtime.download.status import DownloadState
from tests.hub.faults import StallAfter
from tests.hub.hosted import HostedFile, HostedRepo, Sparse
from tests.runtime.download.scene import WEIGHTS, Scene, fetched, has_arrived, partial, plan_for, stopped_after


def test_what_is_here_is_hashed_while_the_line_has_nothing(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    plan, _ = partial(scene)
    hashed = threading.Event()
    hash_some = PartFile.hash_some

    def hash_and_tell(part: PartFile) -> None:
        hash_some(part)
        if (part.length, part.unhashed) == (100_000, 0):
            hashed.set()

    monkeypatch.setattr(PartFile, "hash_some", hash_and_tell)
    scene.hub.released.clear()
    scene.hub.plan(StallAfter(0), WEIGHTS, part="cdn")
    thread = threading.Thread(target=ModelDownload(plan, scene.setup).run)
    thread.start()
    was_hashed = hashed.wait(30)
    scene.hub.heal()
    thread.join()

    assert was_hashed
    assert has_arrived(scene.repo, plan, scene.setup.models)
    assert fetched(scene.hub, WEIGHTS)[-1] == "bytes=100000-"


def test_checking_a_large_file_shows_and_can_be_stopped(scene: Scene) -> None:
    """Forty gigabytes of nothing are here: hashing them takes far longer than a test."""
    size = 40_000_000_000
    name = "large-Q8_0.gguf"
    scene.hub.host(HostedRepo("p/large", {name: HostedFile(Sparse(b"", size), claimed_sha256="0" * 64)}, ("gguf",)))
    plan = plan_for(scene.api, "p/large")
    staging = Staging(scene.setup.models, plan)
    with staging.held():
        part = staging.place(plan.files[0]).with_name(f"{name}.part")
        part.parent.mkdir(parents=True)
        part.touch()
        os.truncate(part, size)
    download = ModelDownload(plan, scene.setup)

    stopped_after(download, lambda: download.status().state is DownloadState.VERIFYING)

    assert download.status().done_bytes == size
    assert part.stat().st_size == size
    assert not fetched(scene.hub, name)
