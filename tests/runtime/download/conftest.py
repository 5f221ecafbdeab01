"""A Hub, and a real model on it, for each test."""

from __future__ import annotations

from pathlib import Path

import pytest

from runtime.download.model_download import DownloadSetup
from runtime.download.retry import RetryPolicy
from runtime.hub.access import HubAccess
from runtime.hub.api import HubApi
from runtime.hub.transport import HubTransport
from tests.hub.fixtures import _no_proxies, api, hub
from tests.hub.hosted import HostedFile, HostedRepo, repo_from_folder
from tests.hub.state import HubServer
from tests.models.random_mlx import write_random_mlx
from tests.runtime.download.scene import MLX_REPO, Scene

__all__ = ["_no_proxies", "api", "hub"]

POLICY = RetryPolicy(first_wait_s=0.01, longest_wait_s=0.05, most_failures=4)


@pytest.fixture(scope="session")
def mlx_source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a real MLX model with things beside it that nobody needs."""
    folder = tmp_path_factory.mktemp("source") / "model"
    write_random_mlx(folder)
    (folder / "modeling_evil.py").write_text("raise SystemExit")
    (folder / "pytorch_model.bin").write_bytes(b"pickle")
    return folder


@pytest.fixture
def mlx_repo(mlx_source: Path, hub: HubServer) -> HostedRepo:
    """Host that model."""
    repo = repo_from_folder(MLX_REPO, mlx_source, ("mlx",))
    repo.files = {path: HostedFile(file.read(0, file.size)) for path, file in repo.files.items()}
    hub.host(repo)
    return repo


@pytest.fixture
def setup(hub: HubServer, tmp_path: Path) -> DownloadSetup:
    """Return a setup that does not wait long before it tries again."""
    endpoint = hub.endpoint
    return DownloadSetup(
        models=tmp_path / "models",
        new_transport=lambda: HubTransport(HubAccess(endpoint)),
        policy=POLICY,
    )


@pytest.fixture
def scene(hub: HubServer, api: HubApi, mlx_repo: HostedRepo, setup: DownloadSetup) -> Scene:
    """Return all of it."""
    return Scene(hub, api, mlx_repo, setup)
