"""Every control of window, dialogs and menus has a name for programs and one for people, and can be reached."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QAction
from PySide6.QtTest import QTest
from PySide6.QtWidgets import (
    QApplication,
    QDialog,
    QFileDialog,
    QLabel,
    QMenu,
    QScrollBar,
    QSlider,
    QWidget,
)

from tests.desktop.controls import controls_of
from tests.desktop.window.opened_window import QUICK, Home, OpenedWindow, until
from tests.desktop.window.sidebar import Sidebar

PROMISED = (
    "composer",
    "sendButton",
    "stopButton",
    "newChatButton",
    "transcript",
    "chatList",
    "searchField",
    "modelButton",
    "metricsPanel",
    "ttftValue",
    "tokensPerSecondValue",
    "memoryValue",
    "quantizationValue",
    "contextValue",
    "rooflineValue",
)


def all_controls(root: QWidget) -> list[QWidget]:
    """Return the controls of `root` that are its own: not those inside other controls, nor those of Qt's dialogs."""
    sliders = [slider for slider in root.findChildren(QSlider) if not isinstance(slider, QScrollBar)]
    return [control for control in [*controls_of(root), *sliders] if not _is_qts_own(control)]


def _is_qts_own(control: QWidget) -> bool:
    return isinstance(control.window(), QFileDialog) or control.objectName().startswith("qt_")


def unnamed(controls: Iterable[QWidget]) -> list[str]:
    return [repr(control) for control in controls if not control.objectName()]


def unsaid(controls: Iterable[QWidget]) -> list[str]:
    return [control.objectName() for control in controls if not control.accessibleName()]


async def test_what_programs_rely_on_is_there_and_has_a_name_for_people(home: Home) -> None:
    async with home.open_scripted() as window:
        for name in PROMISED:
            control = window.find_control(name)
            assert control.accessibleName(), name


async def test_every_control_of_the_window_has_both_names(home: Home) -> None:
    async with home.open_scripted() as window:
        await window.ask("One")
        controls = all_controls(window.widget)
        assert len(controls) > 25
        assert unnamed(controls) == []
        assert unsaid(controls) == []
        names = [control.objectName() for control in controls]
        assert sorted(names) == sorted(set(names))


@pytest.mark.parametrize(
    ("action", "dialog"),
    [
        ("settingsAction", "settingsDialog"),
        ("chatSettingsAction", "chatSettingsDialog"),
        ("modelOptionsAction", "modelOptionsDialog"),
        ("aboutAction", "aboutDialog"),
        ("findModelsAction", "modelPicker"),
        ("benchmarkAction", "benchmarkPanel"),
    ],
)
async def test_every_control_of_the_dialogs_has_both_names(home: Home, action: str, dialog: str) -> None:
    async with home.open_scripted() as window:
        window.choose(action)
        await window.idle(dialog)
        opened = window.find(QDialog, dialog)
        assert opened.isVisible()
        controls = all_controls(opened)
        assert controls
        assert unnamed(controls) == []
        assert unsaid(controls) == []
        opened.close()
        await window.idle()


async def test_the_rename_dialog_has_both_names(home: Home) -> None:
    async with home.open_scripted() as window:
        await window.ask("One")
        await Sidebar(window).choose("One", "renameChatAction")
        dialog = window.find(QDialog, "renameDialog")
        assert unnamed(all_controls(dialog)) == []
        assert unsaid(all_controls(dialog)) == []
        dialog.reject()


async def test_every_entry_of_every_menu_has_a_name_and_a_text(home: Home) -> None:
    async with home.open_scripted() as window:
        await window.ask("One")
        window.click("modelButton")
        sidebar = Sidebar(window)
        sidebar.list.customContextMenuRequested.emit(sidebar.list.visualRect(sidebar.list.model().index(1, 0)).center())
        menus = window.widget.findChildren(QMenu)
        assert {"modelListMenu", "chatMenu", "fileMenu", "viewMenu"} <= {menu.objectName() for menu in menus}
        entries = [entry for menu in menus for entry in menu.actions() if not entry.isSeparator()]
        assert len(entries) > 20
        assert [entry.text() for entry in entries if not _name_of(entry)] == []
        assert [entry.objectName() for entry in entries if not entry.text()] == []
        for name in ("modelListMenu", "chatMenu"):
            window.find(QMenu, name).close()


def _name_of(entry: QAction) -> str:
    menu = entry.menu()
    return menu.objectName() if isinstance(menu, QMenu) else entry.objectName()


async def test_tab_goes_round_all_controls(home: Home) -> None:
    async with home.open_scripted(QUICK) as window:
        await window.ask("One")
        window.composer.insertPlainText("so that there is something to send")
        window.composer.setFocus()
        forward = await round_trip(window, Qt.Key.Key_Tab)
        assert {
            "composer",
            "sendButton",
            "sidebarButton",
            "newChatButton",
            "modelButton",
            "chatSettingsButton",
            "metricsButton",
            "searchField",
            "chatList",
            "transcript",
            "metricsPanel",
        } <= set(forward)
        backward = await round_trip(window, Qt.Key.Key_Backtab)
        assert sorted(backward) == sorted(forward)
        reachable = {
            control.objectName()
            for control in all_controls(window.widget)
            if control.isVisible() and control.isEnabled() and control.focusPolicy() & Qt.FocusPolicy.TabFocus
        }
        assert reachable <= set(forward)


async def round_trip(window: OpenedWindow, key: Qt.Key) -> list[str]:
    """Press Tab until the focus is where it began; return the names on the way."""
    window.widget.activateWindow()
    await until(lambda: QApplication.focusWidget() is window.composer, "focus in the composer")
    names: list[str] = []
    for _ in range(100):
        focused = QApplication.focusWidget()
        assert focused is not None
        names.append(focused.objectName() or repr(focused))
        QTest.keyClick(focused, key)
        if QApplication.focusWidget() is window.composer:
            return names
    raise AssertionError(f"no way back: {names}")


async def test_a_control_without_tab_can_be_reached_otherwise(home: Home) -> None:
    """What is clicked only with the mouse is either in a menu, too, or no control at all."""
    async with home.open_scripted(QUICK) as window:
        await window.ask("One")
        mouse_only = {
            control.objectName()
            for control in all_controls(window.widget)
            if control.isVisible() and not control.focusPolicy() & Qt.FocusPolicy.TabFocus
        }
        assert mouse_only == set()


async def test_labels_that_show_figures_explain_themselves(home: Home) -> None:
    async with home.open_scripted() as window:
        labels = [label for label in window.widget.findChildren(QLabel) if label.objectName().endswith("Value")]
        assert len(labels) > 12
        assert [label.objectName() for label in labels if not label.accessibleDescription()] == []
        rows = [label.parentWidget() for label in labels]
        assert [row for row in rows if row is None or not row.toolTip()] == []


@pytest.mark.parametrize("width", [1280, 760])
async def test_the_model_stands_in_the_middle_of_the_toolbar(home: Home, width: int) -> None:
    async with home.open_scripted() as window:
        window.widget.resize(width, 700)
        button = window.find_control("modelButton")
        middle = button.mapTo(window.widget, button.rect().center()).x()
        assert middle == pytest.approx(window.widget.width() / 2, abs=1)


async def test_the_panels_beside_the_chat_are_shown_and_hidden_by_menu(home: Home) -> None:
    async with home.open_scripted() as window:
        for action, panel in (("toggleSidebarAction", "sidebar"), ("toggleMetricsAction", "metricsPanel")):
            control = window.find_control(panel)
            was_shown = control.isVisible()
            window.choose(action)
            await window.idle(f"toggled {panel}")
            assert control.isVisible() != was_shown
