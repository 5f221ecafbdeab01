"""The model picker in an open window, used as a person uses it; and a tiny model on the tests' Hub."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QLineEdit, QListView, QTabBar, QWidget

from desktop.library.model_picker import PAGES, ModelPicker
from desktop.library.page_content import Page
from desktop.library.row_model import RowRole
from desktop.library.rows import ModelRow, NoteRow, Row
from runtime.download.status import DownloadState, DownloadStatus
from tests.desktop.window.opened_window import QUICK, Home, OpenedWindow, until
from tests.hub.hosted import HostedFile, HostedRepo, repo_from_folder
from tests.hub.state import HubServer
from tests.models.random_gguf import GgufRecipe, write_random_gguf
from tests.models.random_mlx import write_random_mlx

MODEL = "Tiny-Chat"
INT4, INT8, GGUF = "tester/Tiny-Chat-4bit", "tester/Tiny-Chat-8bit", "tester/Tiny-Chat-GGUF"
RECIPE = GgufRecipe(hidden=256, feed_forward=512, layers=4, heads=4, kv_heads=2, head_dim=64, chain=(35, 36, 37))
Q8_FILE = "Tiny-Chat-Q8_0.gguf"
WEIGHTS = "model.safetensors"
ALWAYS = 10_000


def host_tiny_model(hub: HubServer, folder: Path) -> dict[str, HostedRepo]:
    """Host a model with random weights in INT4 and INT8 for MLX, and in Q4_0 and Q8_0 as GGUF."""
    write_random_mlx(folder / "int4", RECIPE, quantized_bits=4)
    write_random_mlx(folder / "int8", RECIPE, quantized_bits=8)
    repos = [_in_memory(repo_from_folder(INT4, folder / "int4", ("mlx", "license:mit")))]
    repos.append(_in_memory(repo_from_folder(INT8, folder / "int8", ("mlx", "license:mit"))))
    gguf = HostedRepo(GGUF, {}, ("gguf", "license:mit"))
    for weights in ("Q4_0", "Q8_0"):
        file = folder / f"Tiny-Chat-{weights}.gguf"
        write_random_gguf(file, msgspec.structs.replace(RECIPE, weights=weights))
        gguf.files[file.name] = HostedFile(file.read_bytes())
    hub.host(*repos, gguf)
    return {repo.repo_id: repo for repo in [*repos, gguf]}


class OpenedPicker:
    """A picker that is on the screen."""

    def __init__(self, window: OpenedWindow) -> None:
        self.window = window
        self.dialog = window.find(ModelPicker, "modelPicker")
        self.states = window.states.library.states

    # what is there

    def rows(self, table: str = "modelTable") -> list[Row]:
        """Return what a list shows."""
        model = self.window.find(QListView, table).model()
        return [model.index(number, 0).data(RowRole) for number in range(model.rowCount())]

    def titles(self, table: str = "modelTable") -> list[str]:
        """Return the names of the models in a list."""
        return [row.title for row in self.rows(table) if isinstance(row, ModelRow)]

    def row(self, title: str, table: str = "modelTable") -> ModelRow:
        """Return the model of that name in a list."""
        (found,) = [row for row in self.rows(table) if isinstance(row, ModelRow) and row.title == title]
        return found

    @property
    def notes(self) -> list[str]:
        """What the list says besides models."""
        return [row.text for row in self.rows() if isinstance(row, NoteRow)]

    def text(self, name: str) -> str:
        """Return what a label says; nothing where it is hidden."""
        return self.window.text_of(name)

    @property
    def status(self) -> DownloadStatus:
        """How the only download is."""
        (status,) = self.states.downloads.statuses
        return status

    # what a person does

    def turn_to(self, page: Page) -> None:
        """Choose a page."""
        bar = self.window.find(QTabBar, "pickerTabBar")
        place = bar.tabRect(PAGES.index(page)).center()
        QTest.mouseClick(bar, Qt.MouseButton.LeftButton, pos=place)

    def type(self, text: str) -> None:
        """Type into the search field."""
        field = self.window.find(QLineEdit, "modelSearchField")
        field.clear()
        QTest.keyClicks(field, text)

    def click_row(self, title: str, table: str = "modelTable") -> None:
        """Click a model in a list."""
        view = self.window.find(QListView, table)
        numbers = [n for n, row in enumerate(self.rows(table)) if isinstance(row, ModelRow) and row.title == title]
        index = view.model().index(numbers[0], 0)
        view.scrollTo(index)
        QTest.mouseClick(view.viewport(), Qt.MouseButton.LeftButton, pos=view.visualRect(index).center())

    def click(self, name: str) -> None:
        """Click a button, as soon as it can be seen."""
        self.shown(name)
        self.window.click(name)

    def shown(self, name: str) -> QWidget:
        """Return a control that can be seen, scrolled into view."""
        control = self.window.find_control(name)
        assert control.isVisible(), f"{name} is hidden"
        return control

    def is_shown(self, name: str) -> bool:
        """Tell whether a control can be seen."""
        return self.window.find_control(name).isVisible()

    async def find(self, title: str = MODEL, text: str = "tiny") -> None:
        """Search the Hub and choose the model of that name."""
        self.type(text)
        await until(lambda: title in self.titles(), f"{title} in the list")
        self.click_row(title)
        await until(lambda: self.text("modelTitle") == title, f"details of {title}")

    async def choose(self, variant: str) -> None:
        """Choose a form of the chosen model, and wait for what its headers say."""
        self.click_row(variant, "variantTable")
        await until(lambda: self.text("fitVerdict"), f"verdict on {variant}")

    # what is waited for

    async def state(self, state: DownloadState) -> None:
        """Wait until the only download is in `state`."""
        await until(lambda: self.states.downloads.statuses and self.status.state is state, f"download that is {state}")


@asynccontextmanager
async def opened_picker(home: Home) -> AsyncIterator[OpenedPicker]:
    """Open the window with a scripted model, and the picker over it."""
    home.use_script(QUICK)
    async with home.open() as window:
        yield await open_picker(window)


async def open_picker(window: OpenedWindow) -> OpenedPicker:
    """Open the picker and wait until it is filled."""
    window.choose("findModelsAction")
    await window.idle("filled picker")
    return OpenedPicker(window)


def _in_memory(repo: HostedRepo) -> HostedRepo:
    repo.files = {path: HostedFile(file.read(0, file.size)) for path, file in repo.files.items()}
    return repo
