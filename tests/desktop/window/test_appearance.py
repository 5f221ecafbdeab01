"""The looks of the whole window: they change while it is open, everywhere, and follow the system when they are to."""

from __future__ import annotations

import msgspec
import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtWidgets import QApplication, QWidget

from desktop.theme.colors import DARK, HIGH_CONTRAST, LIGHT, Appearance, Colors, colors_for
from tests.desktop.window.opened_window import Home, OpenedWindow

GROUNDS = {
    "composer": "card",
    "chatList": "sidebar",
    "searchField": "card",
    "transcript": "page",
    "metricsPanel": "window",
}
"""Whose ground has which role among the colours."""


def choose(window: OpenedWindow, appearance: Appearance) -> None:
    state = window.states.preferences
    state.choose(msgspec.structs.replace(state.preferences, appearance=appearance))


def ground_of(window: OpenedWindow, name: str) -> str:
    """Return the colour near the lower edge of a widget, where there is nothing but its ground."""
    widget = window.find(QWidget, name)
    spot = widget.mapTo(window.widget, QPoint(widget.width() // 2, widget.height() - 4))
    return window.widget.grab().toImage().pixelColor(spot).name()


@pytest.mark.parametrize("name", GROUNDS)
async def test_every_ground_changes_with_the_appearance(home: Home, name: str) -> None:
    async with home.open_scripted() as window:
        await window.ask("Hello")
        seen = {}
        expected = {}
        for appearance in (Appearance.LIGHT, Appearance.DARK, Appearance.HIGH_CONTRAST, Appearance.LIGHT):
            choose(window, appearance)
            await window.idle()
            seen[appearance] = ground_of(window, name)
            expected[appearance] = getattr(colors_for(appearance, system_is_dark=False), GROUNDS[name])
        assert seen == expected


@pytest.mark.parametrize(("appearance", "colors"), [(Appearance.DARK, DARK), (Appearance.HIGH_CONTRAST, HIGH_CONTRAST)])
async def test_the_next_window_has_the_appearance_that_was_chosen(
    home: Home, appearance: Appearance, colors: Colors
) -> None:
    async with home.open_scripted() as window:
        assert window.widget.theme.colors is LIGHT
        choose(window, appearance)
        await window.idle()
    async with home.open_scripted() as window:
        assert window.widget.theme.colors is colors


async def test_the_window_follows_the_system_while_it_is_open(home: Home, qapp: QApplication) -> None:
    async with home.open_scripted() as window:
        assert window.widget.theme.colors is LIGHT
        window.desktop.looks.system_is_dark = lambda: True
        qapp.styleHints().colorSchemeChanged.emit(Qt.ColorScheme.Dark)
        assert window.widget.theme.colors is DARK
        choose(window, Appearance.LIGHT)
        qapp.styleHints().colorSchemeChanged.emit(Qt.ColorScheme.Dark)
        assert window.widget.theme.colors is LIGHT
        choose(window, Appearance.SYSTEM)
        assert window.widget.theme.colors is DARK


async def test_nothing_moves_by_itself_with_reduced_motion(home: Home, qapp: QApplication) -> None:
    async with home.open_scripted() as window:
        state = window.states.preferences
        assert not window.widget.theme.reduced_motion
        state.choose(msgspec.structs.replace(state.preferences, reduced_motion=True))
        assert window.widget.theme.reduced_motion
        assert qapp.cursorFlashTime() == 0
        state.choose(msgspec.structs.replace(state.preferences, reduced_motion=False))


async def test_what_has_the_keyboard_focus_looks_different(home: Home) -> None:
    async with home.open_scripted() as window:
        for name in ("composer", "searchField", "modelButton", "newChatButton", "sidebarButton", "starterButton1"):
            control = window.find_control(name)
            framed = window.find_control("chatPanel" if name == "composer" else name)
            elsewhere = window.find_control("searchField" if name != "searchField" else "modelButton")
            elsewhere.setFocus()
            without = framed.grab().toImage()
            control.setFocus()
            assert framed.grab().toImage() != without, name
