"""What the system asks the app to open, and a second start while there is a window already."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest
from PySide6.QtCore import QCoreApplication, QUrl
from PySide6.QtGui import QFileOpenEvent
from PySide6.QtWidgets import QLineEdit

from desktop.instance import REQUESTS_FOLDER, Instance
from desktop.opening import HubModel, ModelFile, NotUnderstood, Openings, opening_of
from desktop.state.engine_state import Serving
from runtime.config.paths import HOME_VARIABLE
from tests.desktop.window.opened_window import QUICK, Home, OpenedWindow, until

PATIENCE_S = 100


@pytest.mark.parametrize(
    ("wanted", "means"),
    [
        ("", None),
        ("/models/a b.gguf", ModelFile(Path("/models/a b.gguf"))),
        ("file:///models/a%20b.gguf", ModelFile(Path("/models/a b.gguf"))),
        ("first-token://model/Qwen/Qwen3-0.6B-GGUF", HubModel("Qwen/Qwen3-0.6B-GGUF")),
        ("first-token://model/../secret", NotUnderstood("first-token://model/../secret")),
        ("first-token://model/only-one", NotUnderstood("first-token://model/only-one")),
        ("first-token://run/Qwen/Qwen3", NotUnderstood("first-token://run/Qwen/Qwen3")),
        ("https://example.org/model.gguf", NotUnderstood("https://example.org/model.gguf")),
    ],
)
def test_paths_and_links_are_understood_and_nothing_else(wanted: str, means: object) -> None:
    assert opening_of(wanted) == means


def served(window: OpenedWindow, name: str) -> bool:
    """Return whether the model of that name answers."""
    return isinstance(window.status, Serving) and window.status.model.name == name


async def start_second(home: Home, *arguments: str) -> int:
    """Start the app again over the same home; return its exit code."""

    def start() -> int:
        return subprocess.run(
            [sys.executable, "-m", "desktop", *arguments],
            env={**os.environ, HOME_VARIABLE: str(home.folder)},
            timeout=PATIENCE_S,
            check=False,
        ).returncode

    return await asyncio.to_thread(start)


async def test_a_second_start_hands_its_file_to_the_first_window_and_ends(home: Home) -> None:
    model = home.use_script(QUICK, "another")
    instance = Instance(home.paths.data)
    assert instance.is_first
    async with home.open_scripted() as window:
        await Openings(instance, "").serve(window.desktop)
        assert await start_second(home, "--open", str(model)) == 0
        await until(lambda: served(window, "another"), "the model that was handed over")
        assert list((home.paths.data / REQUESTS_FOLDER).iterdir()) == []


async def test_a_second_start_without_a_file_brings_the_window_to_the_front(home: Home) -> None:
    instance = Instance(home.paths.data)
    async with home.open_scripted() as window:
        await Openings(instance, "").serve(window.desktop)
        window.widget.showMinimized()
        await until(window.widget.isMinimized, "minimized window")
        assert await start_second(home) == 0
        await until(lambda: not window.widget.isMinimized(), "window in front")


def test_a_window_that_does_not_answer_keeps_nobody_out(tmp_path: Path) -> None:
    first, second = Instance(tmp_path), Instance(tmp_path)
    assert (first.is_first, second.is_first) == (True, False)
    assert not second.hand_over("model.gguf", patience_s=0.0)
    assert list((tmp_path / REQUESTS_FOLDER).iterdir()) == []


def test_a_folder_that_cannot_be_written_to_keeps_nobody_out(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way", encoding="utf-8")
    assert Instance(tmp_path / "file" / "data").is_first


def test_what_a_killed_start_left_is_not_opened(tmp_path: Path) -> None:
    requests = tmp_path / REQUESTS_FOLDER
    requests.mkdir()
    (requests / "1-left").write_text("model.gguf", encoding="utf-8")
    assert Instance(tmp_path).is_first
    assert list(requests.iterdir()) == []


async def test_the_first_start_opens_its_own_file_after_what_was_loaded_last(home: Home, tmp_path: Path) -> None:
    model = home.use_script(QUICK, "asked-for")
    instance = Instance(tmp_path)
    async with home.open_scripted() as window:
        await Openings(instance, str(model)).serve(window.desktop)
        await until(lambda: served(window, "asked-for"), "the model that was asked for")


async def test_finder_opens_a_file_and_a_link_it_does_not_know_is_refused(home: Home, tmp_path: Path) -> None:
    model = home.use_script(QUICK, "from-finder")
    async with home.open_scripted() as window:
        await Openings(Instance(tmp_path), "").serve(window.desktop)
        application = QCoreApplication.instance()
        assert application is not None
        QCoreApplication.sendEvent(application, QFileOpenEvent(QUrl.fromLocalFile(str(model))))
        await until(lambda: served(window, "from-finder"), "the model from Finder")
        QCoreApplication.sendEvent(application, QFileOpenEvent(QUrl("first-token://erase/everything")))
        assert "erase/everything is not a link" in window.notice


async def test_a_link_to_a_model_opens_the_picker_with_its_name(home: Home, tmp_path: Path) -> None:
    async with home.open_scripted() as window:
        await Openings(Instance(tmp_path), "first-token://model/Qwen/Qwen3-0.6B").serve(window.desktop)
        field = window.find(QLineEdit, "modelSearchField")
        assert field.isVisible()
        assert field.text() == "Qwen/Qwen3-0.6B"
        window.find_control("modelPicker").close()
        await window.idle()
