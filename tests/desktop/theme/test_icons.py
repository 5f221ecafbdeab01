"""Icons take the theme's colours and are drawn in as many pixels as the screen has."""

from __future__ import annotations

from pathlib import Path

import pytest
from PySide6.QtCore import QRect, Qt
from PySide6.QtGui import QColor, QIcon, QImage, QPainter
from pytestqt.qtbot import QtBot

from desktop.theme.icons import Icons
from desktop.theme.theme import icons_folder
from runtime.config.paths import assets_folder

SIDE = 24
INK = "#c02b2b"
ROUNDING = 2
"""Of colours that are stored multiplied by their opacity."""


def drawn(icon: QIcon, scale: float, mode: QIcon.Mode = QIcon.Mode.Normal) -> QImage:
    """Return `icon` as painted on a screen of `scale`."""
    image = QImage(round(SIDE * scale), round(SIDE * scale), QImage.Format.Format_ARGB32)
    image.setDevicePixelRatio(scale)
    image.fill(Qt.GlobalColor.transparent)
    painter = QPainter(image)
    icon.paint(painter, QRect(0, 0, SIDE, SIDE), Qt.AlignmentFlag.AlignCenter, mode)
    painter.end()
    return image


def strongest(image: QImage) -> QColor:
    pixels = [image.pixelColor(x, y) for x in range(image.width()) for y in range(image.height())]
    return max(pixels, key=QColor.alpha)


@pytest.fixture
def icons(qtbot: QtBot) -> Icons:
    assert qtbot
    return Icons(icons_folder(assets_folder()))


@pytest.mark.parametrize("file", sorted(icons_folder(assets_folder()).glob("*.svg")), ids=lambda file: file.stem)
def test_every_icon_is_drawn_in_the_colour_asked_for(icons: Icons, file: Path) -> None:
    color = strongest(drawn(icons.icon(file.stem, INK), 2))
    assert color.alpha() > 200
    channels, expected = [(one.red(), one.green(), one.blue()) for one in (color, QColor(INK))]
    assert channels == pytest.approx(expected, abs=ROUNDING)


def test_icons_are_sharp_on_a_fine_screen(icons: Icons) -> None:
    icon = icons.icon("sliders-horizontal", INK)
    coarse, fine = drawn(icon, 1), drawn(icon, 2)
    blown_up = coarse.scaled(fine.size())
    blown_up.setDevicePixelRatio(2)
    assert fine != blown_up
    assert drawn(icon, 1) == coarse


def test_the_icon_of_a_disabled_control_is_fainter(icons: Icons) -> None:
    icon = icons.icon("x", INK)
    assert strongest(drawn(icon, 1, QIcon.Mode.Disabled)).alpha() < strongest(drawn(icon, 1)).alpha() / 2
