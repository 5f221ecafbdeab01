"""The outer panels fold away where there is no room and come back; what the user wants outlives both."""

from __future__ import annotations

import pytest
from PySide6.QtGui import QColor
from PySide6.QtWidgets import QSplitter, QWidget
from pytestqt.qtbot import QtBot

from desktop.theme.colors import DARK, LIGHT
from desktop.theme.palette import qt_palette
from desktop.widgets.panel_splitter import PanelSplitter
from tests.desktop.controls import find

LEAST_PX = (180, 400, 250)
WIDE_PX, NO_TRAILING_PX, NARROW_PX = 1200, 700, 660


class Panels:
    """A splitter that is on the screen, and its panels."""

    def __init__(self, qtbot: QtBot, width: int) -> None:
        self.splitter = PanelSplitter("splitter")
        qtbot.addWidget(self.splitter)
        self.leading, self.middle, self.trailing = panels = (QWidget(), QWidget(), QWidget())
        for panel, least in zip(panels, LEAST_PX, strict=True):
            panel.setMinimumWidth(least)
        self.splitter.place(*panels, (240, 660, 300))
        self.resize(width)
        self.splitter.show()

    def resize(self, width: int) -> None:
        """Make the window wider or narrower."""
        self.splitter.resize(width, 500)

    @property
    def shown(self) -> tuple[bool, bool, bool]:
        """Which panels can be seen, from left to right."""
        return (self.leading.isVisible(), self.middle.isVisible(), self.trailing.isVisible())


def test_panels_fold_one_after_the_other_and_come_back(qtbot: QtBot) -> None:
    panels = Panels(qtbot, WIDE_PX)
    assert panels.shown == (True, True, True)
    panels.resize(NO_TRAILING_PX)
    assert panels.shown == (True, True, False)
    panels.resize(500)
    assert panels.shown == (False, True, False)
    panels.resize(WIDE_PX)
    assert panels.shown == (True, True, True)


@pytest.mark.parametrize("width", [1200, 830, 700, 660, 500])
def test_nothing_reaches_beyond_the_window(qtbot: QtBot, width: int) -> None:
    panels = Panels(qtbot, width)
    for panel in (panels.leading, panels.middle, panels.trailing):
        assert not panel.isVisible() or panel.geometry().right() < width


def test_widths_survive_folding(qtbot: QtBot) -> None:
    panels = Panels(qtbot, WIDE_PX)
    find(panels.splitter, QSplitter, "splitter").setSizes([200, 690, 310])
    before = panels.splitter.sizes_px
    panels.resize(NARROW_PX)
    panels.resize(WIDE_PX)
    assert panels.splitter.sizes_px == before


def test_the_panel_asked_for_takes_the_place_of_the_other(qtbot: QtBot) -> None:
    panels = Panels(qtbot, NARROW_PX)
    assert panels.shown == (True, True, False)
    panels.splitter.toggle(panels.trailing)
    assert panels.shown == (False, True, True)
    panels.resize(WIDE_PX)
    assert panels.shown == (True, True, True)


def test_a_panel_that_is_not_wanted_stays_away(qtbot: QtBot) -> None:
    panels = Panels(qtbot, WIDE_PX)
    panels.splitter.toggle(panels.trailing)
    panels.resize(NARROW_PX)
    panels.resize(WIDE_PX)
    assert panels.shown == (True, True, False)


def test_what_is_saved_is_what_the_user_wants_not_what_there_is_room_for(qtbot: QtBot) -> None:
    first = Panels(qtbot, WIDE_PX)
    first.splitter.toggle(first.leading)
    first.resize(NARROW_PX - 100)
    saved = first.splitter.saved()
    second = Panels(qtbot, WIDE_PX)
    second.splitter.restore(saved)
    assert second.shown == (False, True, True)


@pytest.mark.parametrize("saved", [b"", b"\x01", b"\x01\x01nonsense", bytes(200)])
def test_nonsense_is_restored_to_something_usable(qtbot: QtBot, saved: bytes) -> None:
    panels = Panels(qtbot, WIDE_PX)
    panels.splitter.restore(saved)
    assert panels.middle.isVisible()
    assert panels.middle.width() >= LEAST_PX[1]


def test_the_line_between_panels_follows_the_appearance(qtbot: QtBot) -> None:
    panels = Panels(qtbot, WIDE_PX)
    for colors in (LIGHT, DARK):
        panels.splitter.setPalette(qt_palette(colors))
        image = panels.splitter.grab().toImage()
        assert image.pixelColor(panels.leading.width(), 250) == QColor(colors.border)
