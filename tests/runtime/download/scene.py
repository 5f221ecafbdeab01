"""What a test of downloads begins with: a Hub with a model, and a way to ask for it; and a look at what arrived."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import msgspec

from runtime.download.model_download import DownloadSetup
from runtime.download.plan import DownloadPlan, plan_download
from runtime.hub.access import HubAccess
from runtime.hub.api import HubApi
from runtime.hub.grouping import choose_variant, variants_of
from runtime.hub.transport import HubTransport, Timeouts
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


def _content(repo: HostedRepo, path: str) -> bytes:
    file = repo.files[path]
    return file.read(0, file.size)
