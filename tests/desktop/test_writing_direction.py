"""From right to left, everything changes sides, and every text keeps the order of its own words."""

from __future__ import annotations

import sys
import unicodedata

import pytest
from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QColor, QImage, QPainter
from PySide6.QtWidgets import QWidget
from pytestqt.qtbot import QtBot

from desktop.theme.colors import LIGHT
from desktop.widgets.figure_row import FigureRow
from desktop.widgets.meter import Meter
from desktop.widgets.waterfall import Waterfall, WaterfallRow
from desktop.widgets.writing_direction import draw_line, mirrored, runs_right_to_left
from tests.desktop.looks import make_theme

LTR, RTL = Qt.LayoutDirection.LeftToRight, Qt.LayoutDirection.RightToLeft
WIDTH, HEIGHT = 240, 24


def line(text: str, direction: Qt.LayoutDirection, alignment: Qt.AlignmentFlag) -> QImage:
    """Return a line of text as painted in an interface of `direction`."""
    image = QImage(WIDTH, HEIGHT, QImage.Format.Format_RGB32)
    image.fill(Qt.GlobalColor.white)
    painter = QPainter(image)
    painter.setLayoutDirection(direction)
    draw_line(painter, QRectF(0, 0, WIDTH, HEIGHT), text, alignment)
    painter.end()
    return image


def painted(widget: QWidget, qtbot: QtBot, direction: Qt.LayoutDirection) -> QImage:
    qtbot.addWidget(widget)
    widget.setLayoutDirection(direction)
    widget.resize(WIDTH, widget.sizeHint().height())
    return widget.grab().toImage()


def inked_columns(image: QImage, color: str) -> list[int]:
    """Return the columns with a pixel of exactly `color`."""
    wanted = QColor(color)
    across, down = range(image.width()), range(image.height())
    return [x for x in across if any(image.pixelColor(x, y) == wanted for y in down)]


def test_every_character_that_runs_from_right_to_left_is_known_as_one() -> None:
    characters = map(chr, range(sys.maxunicode + 1))
    wrong = [
        one for one in characters if runs_right_to_left(one) is not (unicodedata.bidirectional(one) in {"R", "AL"})
    ]
    assert wrong == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [("", False), ("65 MB", False), ("?top_p", False), ("ما هو", True), ("12 שלום world", True), ("123 …", False)],
)
def test_direction_is_that_of_the_first_letter_that_has_one(text: str, expected: bool) -> None:
    assert runs_right_to_left(text) is expected


def test_a_figure_reads_the_same_in_both_interfaces(qtbot: QtBot) -> None:
    assert qtbot
    left = line("1,185 tok/s", LTR, Qt.AlignmentFlag.AlignLeft)
    assert line("1,185 tok/s", RTL, Qt.AlignmentFlag.AlignRight) == left
    assert line("1,185 tok/s", RTL, Qt.AlignmentFlag.AlignLeft) != left


def test_sides_change(qtbot: QtBot) -> None:
    def row() -> FigureRow:
        return FigureRow(make_theme(), "value", "Label", "What it is.")

    assert painted(row(), qtbot, LTR) != painted(row(), qtbot, RTL)
    assert painted(row(), qtbot, LTR) == painted(row(), qtbot, LTR)


def test_a_meter_fills_from_where_reading_begins(qtbot: QtBot) -> None:
    def columns(direction: Qt.LayoutDirection) -> list[int]:
        meter = Meter(make_theme())
        meter.set_fraction(0.25)
        return inked_columns(painted(meter, qtbot, direction), LIGHT.accent)

    assert max(columns(LTR)) < WIDTH / 2 < min(columns(RTL))


def test_the_bars_of_a_waterfall_are_mirrored(qtbot: QtBot) -> None:
    left = inked_columns(painted(_waterfall(), qtbot, LTR), LIGHT.accent)
    right = inked_columns(painted(_waterfall(), qtbot, RTL), LIGHT.accent)
    assert [WIDTH - 1 - x for x in reversed(right)] == pytest.approx(left, abs=1)


def test_mirroring_twice_changes_nothing() -> None:
    area = QRectF(10, 2, 30, 5)
    assert mirrored(area, WIDTH, LTR) == area
    assert mirrored(area, WIDTH, RTL).left() == WIDTH - 40
    assert mirrored(mirrored(area, WIDTH, RTL), WIDTH, RTL) == area


def _waterfall() -> Waterfall:
    waterfall = Waterfall(make_theme())
    waterfall.set_rows([WaterfallRow("Prefill", 30, "30 ms"), WaterfallRow("Paint", 10, "10 ms")])
    return waterfall
