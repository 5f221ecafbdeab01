"""What a test of downloads begins with: a Hub with a model, and a way to ask for it; and a look at what arrived."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pytest

from runtime.download.model_download import DownloadSetup, DownloadStoppedError, ModelDownload
from runtime.download.plan import DownloadPlan, plan_download
from runtime.download.staging import partial_downloads
from runtime.hub.access import HubAccess
from runtime.hub.api import HubApi
from runtime.hub.grouping import choose_variant, variants_of
from runtime.hub.transport import HubTransport, Timeouts
from runtime.values.errors import HubBusyError
from tests.hub.faults import CutAfter, Status
from tests.hub.hosted import HostedRepo
from tests.hub.state import HubServer

MLX_REPO = "publisher/model-fp32"
WEIGHTS = "model.safetensors"


@dataclass(frozen=True)
class Scene:
    """A Hub that hosts an MLX model, and how downloads from it are set up here."""

    hub: HubServer
    api: HubApi
    repo: HostedRepo
    setup: DownloadSetup

    @property
    def impatient_setup(self) -> DownloadSetup:
        """The same, but a server that is silent for a moment counts as lost."""
        access, timeouts = HubAccess(self.hub.endpoint), Timeouts(silence_s=0.3)
        return msgspec.structs.replace(self.setup, new_transport=lambda: HubTransport(access, timeouts=timeouts))


def plan_for(api: HubApi, repo_id: str = MLX_REPO, wanted: str | None = None) -> DownloadPlan:
    """Return the plan for a hosted model: its only form, or the one that is called `wanted`."""
    repository = api.repository(repo_id)
    forms = variants_of(repository.repo)
    variant = choose_variant(forms, wanted) if wanted else forms[0]
    assert variant is not None
    return plan_download(repository, variant)


def has_arrived(repo: HostedRepo, plan: DownloadPlan, models: Path) -> bool:
    """Tell whether exactly the planned files are in the model's folder, byte for byte."""
    folder = models / plan.repo_id
    there = {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    return there == {file.target: _content(repo, file.path) for file in plan.files}


def fetched(hub: HubServer, path: str) -> list[str]:
    """Return the ranges of a large file that were asked for where it lies."""
    return [one.byte_range for one in hub.requests if one.part == "cdn" and path in one.target]


def stopped_after(download: ModelDownload, enough: Callable[[], bool]) -> None:
    """Run a download on a thread of its own and stop it once `enough` says so."""
    ended: list[BaseException] = []

    def run() -> None:
        try:
            download.run()
        except DownloadStoppedError as error:
            ended.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    while thread.is_alive() and not enough():
        time.sleep(0.005)
    download.stop()
    thread.join()
    assert ended


def partial(scene: Scene) -> tuple[DownloadPlan, Path]:
    """Leave a download behind that got 100,000 bytes of its weights; return its plan and the partial file."""
    plan = plan_for(scene.api)
    scene.hub.plan(CutAfter(100_000), WEIGHTS, part="cdn")
    scene.hub.plan(Status(500), WEIGHTS, part="cdn", times=1000)
    with pytest.raises(HubBusyError):
        ModelDownload(plan, scene.setup).run()
    scene.hub.heal()
    (folder,) = partial_downloads(scene.setup.models)
    (part,) = folder.rglob(f"{WEIGHTS}.part")
    assert part.stat().st_size == 100_000
    return plan, part


def _content(repo: HostedRepo, path: str) -> bytes:
    file = repo.files[path]
    return file.read(0, file.size)
