"""The settings window over real files and a real store: what is chosen holds, is kept, and can be reached."""

from __future__ import annotations

import stat
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from PySide6.QtCore import QPoint, QPointF, Qt, QUrl
from PySide6.QtGui import QWheelEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import (
    QApplication,
    QCheckBox,
    QComboBox,
    QFileDialog,
    QLabel,
    QLineEdit,
    QListWidget,
    QPushButton,
    QRadioButton,
    QSpinBox,
    QTabWidget,
    QWidget,
)
from pytestqt.qtbot import QtBot

from desktop.settings.caches_page import CachesPage
from desktop.settings.general_page import GeneralPage
from desktop.settings.models_page import ModelsPage
from desktop.settings.page import Page
from desktop.settings.privacy_page import PrivacyPage
from desktop.settings.settings_dialog import SettingsDialog
from desktop.settings.update_row import UpdateRow
from desktop.state.installed_state import InstalledState
from desktop.state.kv_caches_state import KvCachesState
from desktop.state.remembered import PREFERENCES_NAME
from desktop.state.settings_state import SettingsState
from desktop.theme.colors import DARK, HIGH_CONTRAST, Appearance
from runtime.client.launch import choose_model
from runtime.config.paths import AppPaths, app_paths
from runtime.config.settings import Settings, read_settings, write_settings
from runtime.library.installed import list_models
from runtime.values.model import EngineName
from tests.desktop.controls import controls_of, find
from tests.desktop.looks import make_theme
from tests.desktop.open_window_state import OpenState, open_state, until

LONG_FOLDER = "/a folder/with a very long name/" + "that goes on/" * 12


class Opened:
    """The window and what is behind it."""

    def __init__(self, state: OpenState, paths: AppPaths) -> None:
        self.state = state
        self.paths = paths
        self.urls: list[str] = []
        self.opens = True
        theme = make_theme()
        self.settings = SettingsState(paths.config_file)
        self.caches = KvCachesState(state.engine, state.chats, state.chat, state.storage, state.tasks, paths.kv_caches)
        self.installed = InstalledState(
            lambda: list_models(paths, read_settings(paths.config_file)),
            lambda name: choose_model(name, None, paths)[0].path,
        )
        self.dialog = SettingsDialog(
            theme,
            GeneralPage(theme, state.preferences),
            ModelsPage(theme, self.settings, self.installed, state.tasks),
            PrivacyPage(theme, paths, UpdateRow(self.settings, state.tasks, has_feed=True), self._open_url),
            CachesPage(theme, self.settings, self.caches, state.chats, state.tasks),
        )

    async def show(self) -> None:
        """Show the window and wait for its content."""
        told: list[None] = []
        self.installed.changed.connect(lambda: told.append(None))
        self.dialog.present()
        await until(lambda: told)

    def turn_to(self, page: int) -> None:
        """Show another page."""
        find(self.dialog, QTabWidget, "settingsTabs").setCurrentIndex(page)

    def button(self, name: str) -> QPushButton:
        """Return a button by name."""
        return find(self.dialog, QPushButton, name)

    def kept(self) -> Settings:
        """Return what is in the settings file."""
        return read_settings(self.paths.config_file)

    def _open_url(self, url: QUrl) -> bool:
        self.urls.append(url.toLocalFile())
        return self.opens


@pytest.fixture
async def opened(tmp_path: Path, qtbot: QtBot) -> AsyncIterator[Opened]:
    paths = app_paths({"FIRST_TOKEN_HOME": str(tmp_path / "app")})
    async with open_state(paths.data) as state:
        await state.preferences.load()
        window = Opened(state, paths)
        qtbot.addWidget(window.dialog)
        await window.show()
        yield window
        window.caches.close()


def choose(combo: QComboBox, value: object) -> None:
    """Choose an entry as a person does."""
    index = next(place for place in range(combo.count()) if combo.itemData(place) == value)
    combo.setCurrentIndex(index)
    combo.activated.emit(index)


async def test_every_control_has_a_name_and_says_what_it_is(opened: Opened) -> None:
    controls = controls_of(opened.dialog)
    assert len(controls) >= 20
    assert [repr(control) for control in controls if not control.objectName()] == []
    assert [control.objectName() for control in controls if not control.accessibleName()] == []
    names = [control.objectName() for control in controls]
    assert sorted(names) == sorted(set(names))
    undescribed = [control.objectName() for control in controls if not _tooltip_of(control)]
    assert undescribed == ["settingsTabBar"]  # its tabs are words


def _tooltip_of(control: QWidget) -> str:
    """Return the tooltip that shows over `control`: its own or that of what it is part of."""
    widget: QWidget | None = control
    while widget is not None and not widget.toolTip():
        widget = widget.parentWidget()
    return widget.toolTip() if widget is not None else ""


async def test_an_appearance_holds_at_once_and_is_kept(opened: Opened) -> None:
    button = find(opened.dialog, QRadioButton, "appearanceDarkButton")
    QTest.mouseClick(button, Qt.MouseButton.LeftButton)
    assert opened.state.preferences.preferences.appearance is Appearance.DARK
    assert button.isChecked()
    kept: bytes | None = None
    while kept is None:
        kept = await opened.state.storage.run(lambda store: store.store.ui_state.get(PREFERENCES_NAME))
    assert b'"dark"' in kept


async def test_arrow_keys_move_among_the_appearances(opened: Opened) -> None:
    find(opened.dialog, QRadioButton, "appearanceSystemButton").setFocus()
    focused = QApplication.focusWidget()
    assert focused is not None
    QTest.keyClick(focused, Qt.Key.Key_Right)
    assert opened.state.preferences.preferences.appearance is Appearance.LIGHT


async def test_text_grows_shrinks_and_comes_back(opened: Opened) -> None:
    size = find(opened.dialog, QLabel, "textSizeValue")
    for name, shown in (("larger", "110 %"), ("larger", "120 %"), ("smaller", "110 %"), ("reset", "100 %")):
        QTest.mouseClick(opened.button(f"{name}TextButton"), Qt.MouseButton.LeftButton)
        assert size.text() == shown
    assert not opened.button("resetTextButton").isEnabled()


async def test_text_stops_growing_at_the_end(opened: Opened) -> None:
    larger = opened.button("largerTextButton")
    for _ in range(30):
        QTest.mouseClick(larger, Qt.MouseButton.LeftButton)
    assert not larger.isEnabled()
    assert opened.state.preferences.preferences.text_scale == 2.0


async def test_reduced_motion_is_chosen(opened: Opened) -> None:
    find(opened.dialog, QCheckBox, "reducedMotionBox").click()
    assert opened.state.preferences.preferences.reduced_motion


async def test_a_change_from_elsewhere_shows(opened: Opened) -> None:
    opened.state.preferences.choose(opened.state.preferences.preferences.with_larger_text())
    assert find(opened.dialog, QLabel, "textSizeValue").text() == "110 %"


async def test_engine_model_and_threads_are_written(opened: Opened) -> None:
    choose(find(opened.dialog, QComboBox, "engineBox"), EngineName.LLAMACPP)
    choose(find(opened.dialog, QComboBox, "defaultModelBox"), "demo:int4")
    find(opened.dialog, QSpinBox, "threadsBox").setValue(2)
    wanted = Settings(engine=EngineName.LLAMACPP, default_model="demo:int4", threads=2)
    await until(lambda: opened.kept() == wanted)
    find(opened.dialog, QSpinBox, "threadsBox").setValue(0)
    choose(find(opened.dialog, QComboBox, "engineBox"), None)
    await until(lambda: opened.kept() == Settings(default_model="demo:int4"))


async def test_values_from_elsewhere_are_shown_as_they_are(opened: Opened) -> None:
    write_settings(opened.paths.config_file, Settings(default_model="/models/mine.gguf", engine=EngineName.SCRIPTED))
    opened.dialog.present()
    model = find(opened.dialog, QComboBox, "defaultModelBox")
    await until(lambda: model.currentText() == "/models/mine.gguf")
    assert find(opened.dialog, QComboBox, "engineBox").currentText() == "scripted"
    assert opened.kept().engine is EngineName.SCRIPTED


async def test_a_llama_server_that_is_not_there_is_refused(opened: Opened) -> None:
    opened.turn_to(1)
    field = find(opened.dialog, QLineEdit, "llamaServerField")
    field.setText("/no/such/llama-server")
    QTest.keyClick(field, Qt.Key.Key_Return)
    problem = find(opened.dialog, QLabel, "llamaServerProblem")
    await until(problem.isVisible)
    assert "/no/such/llama-server" in problem.text()
    assert opened.kept() == Settings()
    assert opened.dialog.isVisible()  # Enter ended the entry, not the window.


async def test_a_llama_server_is_taken_and_given_up(opened: Opened, tmp_path: Path) -> None:
    program = make_program(tmp_path / "llama-server")
    field = find(opened.dialog, QLineEdit, "llamaServerField")
    field.setText(str(program))
    QTest.keyClick(field, Qt.Key.Key_Return)
    await until(lambda: opened.kept().llama_server == str(program))
    field.clear()
    QTest.keyClick(field, Qt.Key.Key_Return)
    await until(lambda: opened.kept().llama_server is None)


def make_program(path: Path) -> Path:
    path.write_text("#!/bin/sh\n", encoding="utf-8")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


async def test_a_program_can_be_picked_in_a_file_dialog(opened: Opened, tmp_path: Path) -> None:
    program = make_program(tmp_path / "llama-server")
    opened.button("llamaServerChooseButton").click()
    dialog = find(opened.dialog, QFileDialog, "llamaServerControlDialog")
    dialog.fileSelected.emit(str(program))
    dialog.reject()
    await until(lambda: opened.kept().llama_server == str(program))


async def test_folders_are_added_once_and_removed(opened: Opened) -> None:
    opened.button("addModelsFoldersButton").click()
    dialog = find(opened.dialog, QFileDialog, "modelsFoldersControlDialog")
    for folder in ("/one", LONG_FOLDER, "/one"):
        dialog.fileSelected.emit(folder)
    dialog.reject()
    await until(lambda: opened.kept().models_folders == (LONG_FOLDER, "/one"))
    folders = find(opened.dialog, QListWidget, "modelsFoldersList")
    await until(lambda: folders.count() == 2)
    folders.setCurrentRow(0)
    opened.button("removeModelsFoldersButton").click()
    await until(lambda: opened.kept().models_folders == ("/one",))


async def test_a_broken_settings_file_is_named_and_left_alone(opened: Opened) -> None:
    opened.turn_to(1)
    put(opened.paths.config_file, "{")
    opened.dialog.present()
    problem = find(opened.dialog, QLabel, "settingsProblem")
    await until(problem.isVisible)
    assert str(opened.paths.config_file) in problem.text()
    assert not find(opened.dialog, QComboBox, "engineBox").isEnabled()
    assert opened.paths.config_file.read_text(encoding="utf-8") == "{"
    put(opened.paths.config_file, '{"threads": 3}')
    opened.button("retrySettingsButton").click()
    await until(lambda: find(opened.dialog, QSpinBox, "threadsBox").value() == 3)
    assert find(opened.dialog, QComboBox, "engineBox").isEnabled()
    assert not problem.isVisible()


def put(file: Path, content: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(content, encoding="utf-8")


async def test_folders_that_are_there_can_be_opened(opened: Opened) -> None:
    opened.turn_to(2)
    opened.button("openChatsButton").click()
    assert opened.urls == [str(opened.paths.data)]
    assert not opened.button("openLogsButton").isEnabled()  # nothing has been logged yet
    opened.opens = False
    opened.button("openChatsButton").click()
    problem = find(opened.dialog, QLabel, "openFolderProblem")
    assert problem.isVisible()
    assert str(opened.paths.data) in problem.text()


@pytest.mark.parametrize("name", ["engineBox", "defaultModelBox", "threadsBox"])
async def test_the_wheel_is_left_to_the_page(opened: Opened, name: str) -> None:
    opened.turn_to(1)
    find(opened.dialog, QTabWidget, "settingsTabs").setFocus()
    control = find(opened.dialog, QWidget, name)
    before = value_of(control)
    assert not turn_wheel_over(control)
    assert value_of(control) == before
    control.setFocus()
    assert turn_wheel_over(control)
    assert value_of(control) != before


def value_of(control: QWidget) -> int:
    if isinstance(control, QComboBox):
        return control.currentIndex()
    assert isinstance(control, QSpinBox)
    return control.value()


def turn_wheel_over(control: QWidget) -> bool:
    """Turn the wheel up or down, whichever has room, and return whether the control took it."""
    middle = QPointF(control.rect().center())
    where = QPointF(control.mapToGlobal(control.rect().center()))
    nothing = Qt.MouseButton.NoButton, Qt.KeyboardModifier.NoModifier, Qt.ScrollPhase.NoScrollPhase
    up = 120 if isinstance(control, QSpinBox) else -120
    event = QWheelEvent(middle, where, QPoint(), QPoint(0, up), *nothing, False)  # noqa: FBT003 - Qt's signature
    QApplication.sendEvent(control, event)
    return event.isAccepted()


@pytest.mark.parametrize("page", [0, 1, 2, 3])
async def test_tab_reaches_every_control_of_a_page(opened: Opened, page: int) -> None:
    opened.turn_to(page)
    opened.dialog.activateWindow()
    reached: set[QWidget] = set()
    while (focused := QApplication.focusWidget()) not in reached and focused is not None:
        reached.add(focused)
        QTest.keyClick(focused, Qt.Key.Key_Tab)
    names = {widget.objectName() for widget in reached}
    wanted = {control.objectName() for control in controls_of(opened.dialog) if _takes_tab(control)}
    assert wanted - names == set()


def _takes_tab(control: QWidget) -> bool:
    is_other_choice = isinstance(control, QRadioButton) and not control.isChecked()  # Arrow keys reach those.
    return control.isVisible() and control.isEnabled() and not is_other_choice


def grown(opened: Opened) -> None:
    opened.dialog.apply_theme(make_theme(DARK, text_scale=2.0))


def in_high_contrast(opened: Opened) -> None:
    opened.dialog.apply_theme(make_theme(HIGH_CONTRAST))


def from_right_to_left(opened: Opened) -> None:
    opened.dialog.setLayoutDirection(Qt.LayoutDirection.RightToLeft)


@pytest.mark.parametrize("change", [grown, in_high_contrast, from_right_to_left])
async def test_nothing_is_cut_off(opened: Opened, change: Callable[[Opened], None]) -> None:
    write_settings(opened.paths.config_file, Settings(models_folders=(LONG_FOLDER,), default_model=LONG_FOLDER))
    change(opened)
    opened.dialog.present()
    await until(lambda: opened.settings.settings.models_folders)
    opened.dialog.resize(opened.dialog.minimumSizeHint())
    for number, page in enumerate(opened.dialog.findChildren(Page)):
        opened.turn_to(number)
        QApplication.processEvents()
        assert page.horizontalScrollBar().maximum() == 0, page.objectName()
        cut = [widget.objectName() for widget in page.findChildren(QPushButton) if too_small(widget)]
        assert cut == []


def too_small(widget: QWidget) -> bool:
    return widget.isVisible() and widget.width() < widget.minimumSizeHint().width()
