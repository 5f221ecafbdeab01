"""Every folder the product uses, as one frozen value; and the process environment, read here and nowhere else.

`FIRST_TOKEN_HOME` puts everything under one folder (tests, portable installs); otherwise the platform's own places are
used. Nothing here creates a folder: whoever writes into one does.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import msgspec
import platformdirs

HOME_VARIABLE = "FIRST_TOKEN_HOME"
APP_FOLDER_NAME = "first-token"
CONFIG_FILE_NAME = "settings.json"
DEMO_MODEL_FOLDER_NAME = "demo-model"


class AppPaths(msgspec.Struct, frozen=True, kw_only=True):
    """Absolute paths of what the product reads and writes.

    Attributes:
        data: chats, benchmark history.
        cache: what can be made again (KV caches, measurements).
        logs: log files and crash reports.
        models: where downloaded models go.
        config_file: the settings.
        assets: what ships with the app, read-only.
    """

    data: Path
    cache: Path
    logs: Path
    models: Path
    config_file: Path
    assets: Path

    @property
    def kv_caches(self) -> Path:
        """The folder of the KV caches that outlive the app."""
        return self.cache / "kv"

    @property
    def demo_model(self) -> Path:
        """The folder of the demo model that ships with the app."""
        return self.assets / DEMO_MODEL_FOLDER_NAME


def process_environment() -> dict[str, str]:
    """Return a copy of this process's environment variables."""
    return dict(os.environ)


def app_paths(environment: Mapping[str, str]) -> AppPaths:
    """Return the product's paths: under `FIRST_TOKEN_HOME` if `environment` sets it, else the platform's own places."""
    home = environment.get(HOME_VARIABLE, "").strip()
    return _paths_under(Path(home).expanduser().absolute()) if home else _platform_paths()


def assets_folder(module_file: Path = Path(__file__)) -> Path:
    """Return the folder `assets`, a sibling of the package `runtime`.

    The same rule holds in a checkout, in an installed wheel and in a frozen bundle, which keeps modules' `__file__`
    below its own root.
    """
    return module_file.resolve().parents[2] / "assets"


def _paths_under(home: Path) -> AppPaths:
    return AppPaths(
        data=home / "data",
        cache=home / "cache",
        logs=home / "logs",
        models=home / "models",
        config_file=home / CONFIG_FILE_NAME,
        assets=assets_folder(),
    )


def _platform_paths() -> AppPaths:
    folders = platformdirs.PlatformDirs(APP_FOLDER_NAME, appauthor=False)
    return AppPaths(
        data=folders.user_data_path,
        cache=folders.user_cache_path,
        logs=folders.user_log_path,
        models=folders.user_data_path / "models",
        config_file=folders.user_config_path / CONFIG_FILE_NAME,
        assets=assets_folder(),
    )
