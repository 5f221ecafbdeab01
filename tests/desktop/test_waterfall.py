"""No duration of a waterfall is cut off, however large the text."""

from __future__ import annotations

import pytest
from PySide6.QtGui import QColor, QImage
from pytestqt.qtbot import QtBot

from desktop.theme.colors import LIGHT
from desktop.theme.fonts import MAX_SCALE
from desktop.widgets.waterfall import Waterfall, WaterfallRow
from tests.desktop.looks import make_theme

PANEL_PX = 228
"""What a narrow panel leaves for it."""
LONG, SHORT = "12,345 ms", "1.2 ms"


def value_columns(waterfall: Waterfall) -> list[int]:
    """Return the columns of pixels in which there is ink of the values' colour, of the first row."""
    image = waterfall.grab().toImage().convertToFormat(QImage.Format.Format_RGB32)
    ink = QColor(LIGHT.text)
    rows = range(image.height() // 2)
    return [x for x in range(image.width()) if any(near(image.pixelColor(x, y), ink) for y in rows)]


def near(one: QColor, other: QColor) -> bool:
    return max(abs(one.red() - other.red()), abs(one.green() - other.green()), abs(one.blue() - other.blue())) < 40


@pytest.mark.parametrize("scale", [1.0, MAX_SCALE])
def test_values_are_whole(qtbot: QtBot, scale: float) -> None:
    waterfall = Waterfall(make_theme(text_scale=scale))
    qtbot.addWidget(waterfall)
    waterfall.set_rows([WaterfallRow("Load model", 12345, LONG), WaterfallRow("Paint", 1.2, SHORT)])
    waterfall.resize(PANEL_PX, waterfall.sizeHint().height())
    columns = value_columns(waterfall)
    assert columns[-1] - columns[0] >= waterfall.fontMetrics().tightBoundingRect(LONG).width() - 8
