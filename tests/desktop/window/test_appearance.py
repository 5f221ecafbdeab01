"""The looks of the whole window: they change while it is open, everywhere, and follow the system when they are to."""

from __future__ import annotations

import msgspec
import pytest
from PySide6.QtCore import QPoint
from PySide6.QtWidgets import QWidget

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
