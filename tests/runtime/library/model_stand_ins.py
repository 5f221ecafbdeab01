"""Files and folders that look like models to whoever only lists them."""

from __future__ import annotations

from pathlib import Path

import pytest

from runtime.config.paths import AppPaths, app_paths


@pytest.fixture
def paths(tmp_path: Path) -> AppPaths:
    """Return the folders of an app that has just been installed."""
    found = app_paths({"FIRST_TOKEN_HOME": str(tmp_path / "app")})
    found.models.mkdir(parents=True)
    return found


def gguf(file: Path, size: int = 10) -> Path:
    """Write what looks like a GGUF file, with the folders above it."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(bytes(size))
    return file


def mlx(folder: Path, size: int = 20) -> Path:
    """Write what looks like an MLX model: two bytes of configuration and `size` of weights."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text("{}", encoding="utf-8")
    (folder / "model.safetensors").write_bytes(bytes(size))
    return folder
