"""Models on this machine: listed, judged, added where they lie, shown, deleted with what that frees."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import cast

import pytest
from PySide6.QtCore import QMimeData, QObject, QPointF, Qt, QUrl, Slot
from PySide6.QtGui import QDesktopServices, QDragEnterEvent, QDropEvent
from PySide6.QtWidgets import QApplication, QFileDialog, QMessageBox, QPushButton

from desktop.library.page_content import Page
from desktop.library.rows import HeadingRow
from desktop.state.engine_state import Serving
from runtime.config.settings import read_settings
from runtime.values.wording import bytes_text
from tests.desktop.library.opened_picker import OpenedPicker, open_picker, opened_picker
from tests.desktop.window.opened_window import Home, until
from tests.models.random_gguf import GgufRecipe, write_random_gguf
from tests.models.random_mlx import write_random_mlx
from tests.models.split_models import write_split_gguf

OWN = "tester/Own-GGUF/own-Q8_0"


@pytest.fixture
def own_model(home: Home) -> Path:
    """Put a model into the app's own folder."""
    path = home.paths.models / f"{OWN}.gguf"
    write_random_gguf(path, GgufRecipe(weights="Q8_0"))
    return path


@pytest.fixture
def foreign_folder(tmp_path: Path) -> Path:
    """Return a folder of the user's with two models in it."""
    folder = tmp_path / "my models"
    write_random_gguf(folder / "mine.gguf", GgufRecipe(weights="F16"))
    write_random_mlx(folder / "mine-mlx")
    return folder


class OpenedAddresses(QObject):
    """Is given what would be opened with other programs."""

    def __init__(self) -> None:
        super().__init__()
        self.folders: list[str] = []

    @Slot(QUrl)
    def take(self, address: QUrl) -> None:
        """Remember the folder."""
        self.folders.append(address.toLocalFile())


@pytest.fixture
def opened_addresses() -> Iterator[OpenedAddresses]:
    """Take the place of the system's file manager."""
    taker = OpenedAddresses()
    QDesktopServices.setUrlHandler("file", taker, cast("bytes", "take"))  # The stub is wrong: it has to be text.
    yield taker
    QDesktopServices.unsetUrlHandler("file")


def drop(picker: OpenedPicker, *paths: Path) -> None:
    """Drop files on the picker."""
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(path)) for path in paths])
    buttons, keys = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    enter = QDragEnterEvent(QPointF(50, 50).toPoint(), Qt.DropAction.CopyAction, data, buttons, keys)
    QApplication.sendEvent(picker.dialog, enter)
    assert enter.isAccepted()
    QApplication.sendEvent(picker.dialog, QDropEvent(QPointF(50, 50), Qt.DropAction.CopyAction, data, buttons, keys))


def size_of(path: Path) -> int:
    """Return a file's size; 0 where there is none."""
    return path.stat().st_size if path.exists() else 0


def cut_short(path: Path) -> None:
    """Leave only the beginning of a file."""
    path.write_bytes(path.read_bytes()[:2000])


def names_in(folder: Path) -> list[str]:
    """Return what is in a folder; nothing where there is none."""
    return [path.name for path in folder.iterdir()] if folder.exists() else []


async def installed(picker: OpenedPicker) -> None:
    """Turn to the models on this machine."""
    picker.turn_to(Page.INSTALLED)
    await picker.window.idle("models on this machine")


async def test_a_model_is_described_from_its_headers(home: Home, own_model: Path) -> None:
    async with opened_picker(home) as picker:
        await installed(picker)
        row = picker.row(OWN)
        assert row.facts == "Q8_0 · GGUF · never used"
        assert row.size == bytes_text(size_of(own_model))
        picker.click_row(OWN)
        assert picker.text("fitVerdict") == "fits"
        assert picker.text("modelFact1").startswith("Q8_0, 8.")


@pytest.mark.usefixtures("own_model")
async def test_search_finds_what_is_installed(home: Home) -> None:
    async with opened_picker(home) as picker:
        await installed(picker)
        picker.type("own q8")
        assert picker.titles() == [OWN]
        picker.type("nothing like it")
        assert picker.notes == ["No model on this machine is like that."]


async def test_delete_asks_first_and_says_what_it_freed(home: Home, own_model: Path) -> None:
    async with opened_picker(home) as picker:
        await installed(picker)
        picker.click_row(OWN)
        size = size_of(own_model)
        picker.click("removeModelButton")
        box = picker.window.find(QMessageBox, "deleteModel")
        assert bytes_text(size) in box.text()
        picker.window.click("deleteModelCancelButton")
        assert size_of(own_model) == size
        await until(lambda: not picker.dialog.findChildren(QMessageBox), "no question")
        picker.click("removeModelButton")
        picker.window.click("deleteModelYesButton")
        await until(lambda: OWN not in picker.titles(), "list without it")
        assert size_of(own_model) == 0
        await until(lambda: picker.text("pickerNote"), "what was freed")
        assert picker.text("pickerNote") == f"{OWN} was deleted; {bytes_text(size)} freed."


@pytest.mark.usefixtures("own_model")
async def test_deleting_the_loaded_model_unloads_it(home: Home) -> None:
    async with home.open() as window:
        picker = await open_picker(window)
        await installed(picker)
        picker.click_row(OWN)
        picker.click("loadAndChatButton")
        await until(lambda: isinstance(window.status, Serving) and window.status.model.name == OWN, "model")
        await window.idle()
        picker = await open_picker(window)
        await installed(picker)
        assert "used today" in picker.row(OWN).facts
        picker.click_row(OWN)
        picker.click("removeModelButton")
        picker.window.click("deleteModelYesButton")
        await until(lambda: OWN not in picker.titles(), "list without it")
        assert window.workers() == []


async def test_dropped_models_are_added_where_they_lie(home: Home, foreign_folder: Path) -> None:
    async with opened_picker(home) as picker:
        drop(picker, foreign_folder / "mine.gguf")
        await until(lambda: "mine" in picker.titles(), "dropped model")
        await until(lambda: picker.text("pickerNote") == "One model was added.", "addition")
        drop(picker, foreign_folder)
        await until(lambda: "mine-mlx" in picker.titles(), "models of the dropped folder")
        assert names_in(home.paths.models) == []
        picker.click_row("mine")
        assert picker.window.find(QPushButton, "removeModelButton").text() == "Take out of the list"
        picker.click("removeModelButton")
        await until(lambda: "mine" not in picker.titles(), "list without it")
        assert size_of(foreign_folder / "mine.gguf") > 0
    assert read_settings(home.paths.config_file).models_folders == (str(foreign_folder),)


async def test_a_part_of_a_model_that_is_dropped_stands_for_all(home: Home, tmp_path: Path) -> None:
    parts = write_split_gguf(tmp_path / "in parts", "split-F32", 3)
    size = sum(map(size_of, parts))
    async with opened_picker(home) as picker:
        drop(picker, parts[1])
        await until(lambda: picker.text("pickerNote") == "One model was added.", "addition")
        (title,) = [title for title in picker.titles() if title.startswith("split-F32")]
        assert picker.row(title).size == bytes_text(size)
        assert names_in(home.paths.models) == []


async def test_the_folder_of_a_model_is_shown(home: Home, own_model: Path, opened_addresses: OpenedAddresses) -> None:
    async with opened_picker(home) as picker:
        await installed(picker)
        picker.click_row(OWN)
        picker.click("showFolderButton")
        await until(lambda: opened_addresses.folders, "folder")
    assert opened_addresses.folders == [str(own_model.parent)]


async def test_what_holds_no_model_is_refused_in_words(home: Home, tmp_path: Path) -> None:
    (tmp_path / "text.txt").write_text("no model")
    (tmp_path / "empty").mkdir()
    async with opened_picker(home) as picker:
        drop(picker, tmp_path / "empty")
        await until(lambda: "There is no model at" in picker.text("pickerProblem"), "refusal")
        picker.click_row("demo:int4")
        assert picker.text("pickerProblem") == ""


async def test_a_folder_is_added_by_dialog(home: Home, foreign_folder: Path) -> None:
    async with opened_picker(home) as picker:
        await installed(picker)
        picker.click("addFolderButton")
        dialog = picker.window.find(QFileDialog, "addFolderDialog")
        dialog.filesSelected.emit([str(foreign_folder)])
        dialog.close()
        await until(lambda: {"mine", "mine-mlx"} <= set(picker.titles()), "models of the folder")


async def test_what_other_programs_keep_can_be_used_and_added(home: Home, no_models_elsewhere: Path) -> None:
    kept = no_models_elsewhere / ".lmstudio" / "models" / "publisher" / "model" / "kept.gguf"
    write_random_gguf(kept, GgufRecipe(weights="F16"))
    async with opened_picker(home) as picker:
        await installed(picker)
        name = "publisher/model/kept"
        await until(lambda: name in picker.titles(), "model of another program")
        assert "Found in: LM Studio" in [row.text for row in picker.rows() if isinstance(row, HeadingRow)]
        picker.click_row(name)
        assert not picker.is_shown("removeModelButton")
        picker.click("addModelButton")
        await until(lambda: picker.text("pickerNote") == "One model was added.", "addition")
        assert "Found in: LM Studio" not in [row.text for row in picker.rows() if isinstance(row, HeadingRow)]
        assert size_of(kept) > 0


async def test_a_broken_model_says_what_is_wrong(home: Home, own_model: Path) -> None:
    cut_short(own_model)
    async with opened_picker(home) as picker:
        await installed(picker)
        assert picker.row(OWN).is_bad
        picker.click_row(OWN)
        assert "own-Q8_0" in picker.text("modelProblem")
        assert not picker.is_shown("loadAndChatButton")
        assert not picker.is_shown("fitVerdict")
