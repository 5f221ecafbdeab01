"""A damaged demo model, and a home that cannot be written to: the window opens, says what is wrong, and goes on."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from PySide6.QtCore import Qt

from desktop.state.engine_state import LoadFailed, Serving
from runtime.values.model import EngineName
from tests.desktop.window.opened_window import QUICK, Home


def cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:100_000])


def overwritten(file: Path) -> None:
    damaged = bytearray(file.read_bytes())
    damaged[-4_000_000:] = b"\x3c\x21" * 2_000_000
    file.write_bytes(damaged)


def replaced(file: Path) -> None:
    file.write_bytes(b"<html>not found</html>")


@pytest.mark.parametrize("damage", [cut, overwritten, replaced, Path.unlink])
async def test_a_damaged_demo_model_is_named_and_nothing_else_is_lost(
    home: Home, tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    assets = tmp_path / "assets"
    assets.mkdir()
    for part in home.paths.assets.iterdir():
        if part != home.paths.demo_model:
            (assets / part.name).symlink_to(part)
    (assets / "demo-model").mkdir()
    model = assets / "demo-model" / "demo-q8_0.gguf"
    shutil.copy(home.paths.demo_model / model.name, model)
    damage(model)
    home.paths = msgspec.structs.replace(home.paths, assets=assets)
    home.use(EngineName.LLAMACPP, "demo")
    async with home.open() as window:
        assert isinstance(window.status, LoadFailed)
        assert window.status.error.next_step.startswith("Reinstall First Token")
        assert "demo model" in window.notice or model.name in window.notice
        home.use_script(QUICK)
        await window.states.engine.load(str(home.folder / "scripted.json"))
        assert isinstance(window.status, Serving)
        assert window.notice == ""


async def test_a_home_that_cannot_be_written_to_leaves_a_window_that_says_why(home: Home) -> None:
    home.use_script(QUICK)
    for folder in (home.paths.data, home.paths.cache, home.paths.logs, home.paths.models):
        folder.write_text("in the way", encoding="utf-8")
    async with home.open(waits=False) as window:
        await window.ready()
        assert isinstance(window.status, Serving)
        assert "cannot be opened or written" in window.notice
        assert "Check the folder's permissions" in window.notice
        window.write("Hello")
        window.press(Qt.Key.Key_Return)
        await window.idle()
        assert window.composer.toPlainText() == "Hello"  # what cannot be stored is not lost
