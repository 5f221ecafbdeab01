"""Controls can be told from the ground they stand on, in every appearance, and long names are never cut off."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from PySide6.QtCore import QPoint, QRect, Qt
from PySide6.QtGui import QImage
from PySide6.QtTest import QTest
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDialogButtonBox,
    QLineEdit,
    QListWidget,
    QPlainTextEdit,
    QPushButton,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)
from pytestqt.qtbot import QtBot

from desktop.theme.colors import DARK, HIGH_CONTRAST, LIGHT, Colors, contrast_ratio
from desktop.theme.control_style import ControlStyle
from desktop.theme.palette import qt_palette

APPEARANCES = pytest.mark.parametrize("colors", [LIGHT, DARK, HIGH_CONTRAST], ids=["light", "dark", "high-contrast"])
LEAST_CONTRAST = 1.8
"""Of a thin line around a control; its text has far more."""


@pytest.fixture
def style() -> Iterator[ControlStyle]:
    style = ControlStyle()
    yield style
    style.deleteLater()


def placed(qtbot: QtBot, control: QWidget, colors: Colors, style: ControlStyle) -> QWidget:
    """Return a window that holds `control`, shown in `colors`."""
    window = QWidget()
    qtbot.addWidget(window)
    window.setPalette(qt_palette(colors))
    control.setStyle(style)
    control.setFocusPolicy(Qt.FocusPolicy.NoFocus)
    QVBoxLayout(window).addWidget(control)
    window.resize(240, 80)
    window.show()
    return window


def strongest_contrast(window: QWidget, area: QRect, ground: str) -> float:
    image: QImage = window.grab().toImage()
    across, down = range(area.left(), area.right() + 1), range(area.top(), area.bottom() + 1)
    return max(contrast_ratio(image.pixelColor(x, y).name(), ground) for x in across for y in down)


@APPEARANCES
@pytest.mark.parametrize("make", [QLineEdit, QPushButton, QSpinBox, QComboBox, QListWidget, QCheckBox])
def test_every_control_has_an_outline(
    qtbot: QtBot, colors: Colors, style: ControlStyle, make: Callable[[], QWidget]
) -> None:
    control = make()
    window = placed(qtbot, control, colors, style)
    place = control.geometry()
    at = place.center().x() if not isinstance(control, QCheckBox) else place.left() + 8
    column = QRect(at, place.top(), 1, place.height())
    assert strongest_contrast(window, column, colors.window) >= LEAST_CONTRAST


@APPEARANCES
def test_the_default_button_is_filled_with_the_accent(qtbot: QtBot, colors: Colors, style: ControlStyle) -> None:
    button = QPushButton("WWW")
    button.setDefault(True)
    window = placed(qtbot, button, colors, style)
    place = button.geometry()
    image = window.grab().toImage()
    assert image.pixelColor(place.left() + 20, place.center().y()).name() == colors.accent
    assert strongest_contrast(window, place.adjusted(6, 6, -6, -6), colors.accent) >= 4


def test_a_long_choice_still_shows_how_it_ends(qtbot: QtBot, style: ControlStyle) -> None:
    def shown(text: str) -> QImage:
        combo = QComboBox()
        combo.addItem(text)
        window = placed(qtbot, combo, LIGHT, style)
        return window.grab().toImage()

    assert shown("x" * 200 + "A") != shown("x" * 200 + "B")


@APPEARANCES
def test_the_scroll_bar_lies_on_what_it_scrolls(qtbot: QtBot, colors: Colors, style: ControlStyle) -> None:
    field = QPlainTextEdit("line\n" * 100)
    bar = field.verticalScrollBar()
    bar.setStyle(style)
    window = placed(qtbot, field, colors, style)
    window.resize(240, 200)
    qtbot.waitUntil(lambda: bar.isVisible() and bar.height() > 100)
    image = bar.grab().toImage()
    assert image.pixelColor(bar.width() // 2, bar.height() - 6).name() == colors.card
    assert image.pixelColor(bar.width() // 2, 14).name() == colors.border
    assert bar.width() < 14


def test_the_handle_of_a_scroll_bar_can_be_drawn_to_both_ends(qtbot: QtBot, style: ControlStyle) -> None:
    field = QPlainTextEdit("line\n" * 100)
    bar = field.verticalScrollBar()
    bar.setStyle(style)
    window = placed(qtbot, field, LIGHT, style)
    window.resize(240, 200)
    qtbot.waitUntil(lambda: bar.isVisible() and bar.height() > 100)
    middle = bar.width() // 2
    QTest.mousePress(bar, Qt.MouseButton.LeftButton, pos=QPoint(middle, 10))
    QTest.mouseMove(bar, QPoint(middle, bar.height() + 50))
    assert bar.value() == bar.maximum()
    QTest.mouseMove(bar, QPoint(middle, -50))
    assert bar.value() == bar.minimum()
    QTest.mouseRelease(bar, Qt.MouseButton.LeftButton, pos=QPoint(middle, 10))
    QTest.mouseClick(bar, Qt.MouseButton.LeftButton, pos=QPoint(middle, bar.height() - 4))
    assert bar.value() > bar.minimum()


def test_buttons_of_dialogs_have_words_alone(qtbot: QtBot, style: ControlStyle) -> None:
    box = QDialogButtonBox()
    box.setStyle(style)
    qtbot.addWidget(box)
    box.setStandardButtons(QDialogButtonBox.StandardButton.Save | QDialogButtonBox.StandardButton.Cancel)
    assert [button.icon().isNull() for button in box.buttons()] == [True, True]
