"""The text cursor blinks while something is written and then rests; a window left alone has no timer of its own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from PySide6.QtCore import QCoreApplication, QEvent, QObject
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QLineEdit, QPlainTextEdit, QVBoxLayout, QWidget
from pytestqt.qtbot import QtBot

from desktop.widgets.calm_cursor import CalmCursor

USUAL_MS, BLINKS_FOR_MS = 1000, 30


class Window(QWidget):
    """Two text fields; counts how often the second one is painted."""

    def __init__(self) -> None:
        super().__init__()
        self.line, self.text = QLineEdit(self), QPlainTextEdit(self)
        self.paints = 0
        column = QVBoxLayout(self)
        column.addWidget(self.line)
        column.addWidget(self.text)
        self.text.viewport().installEventFilter(self)

    def eventFilter(self, _watched: QObject, event: QEvent) -> bool:  # noqa: N802 - Qt's name
        """Count."""
        self.paints += event.type() is QEvent.Type.Paint
        return False


@pytest.fixture(autouse=True)
def _usual_cursor(qapp: QApplication) -> Iterator[None]:
    before = qapp.cursorFlashTime()
    qapp.setCursorFlashTime(USUAL_MS)
    yield
    qapp.setCursorFlashTime(before)


@pytest.fixture
def window(qtbot: QtBot) -> Iterator[Window]:
    window = Window()
    window.show()
    window.activateWindow()
    qtbot.waitUntil(window.isActiveWindow)
    yield window
    window.deleteLater()
    QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)


@pytest.mark.parametrize("field", ["line", "text"])
def test_the_cursor_rests_until_something_is_written(
    qtbot: QtBot, qapp: QApplication, window: Window, field: str
) -> None:
    cursor = CalmCursor(qapp, BLINKS_FOR_MS, window)
    written: QWidget = getattr(window, field)
    written.setFocus()
    assert cursor.parent() is window
    assert qapp.cursorFlashTime() == USUAL_MS
    qtbot.waitUntil(lambda: qapp.cursorFlashTime() == 0)
    QTest.keyClicks(written, "a")
    assert qapp.cursorFlashTime() == USUAL_MS
    qtbot.waitUntil(lambda: qapp.cursorFlashTime() == 0)


def test_a_resting_cursor_paints_nothing(qtbot: QtBot, qapp: QApplication, window: Window) -> None:
    qapp.setCursorFlashTime(20)
    window.text.setFocus()
    window.paints = 0
    qtbot.waitUntil(lambda: window.paints > 3)
    CalmCursor(qapp, BLINKS_FOR_MS, window)
    qtbot.waitUntil(lambda: qapp.cursorFlashTime() == 0)
    qtbot.wait(50)
    window.paints = 0
    qtbot.wait(100)
    assert window.paints == 0


def test_nothing_blinks_with_reduced_motion(qapp: QApplication, window: Window) -> None:
    cursor = CalmCursor(qapp, BLINKS_FOR_MS, window)
    cursor.keep_still(still=True)
    window.line.setFocus()
    QTest.keyClicks(window.line, "a")
    assert qapp.cursorFlashTime() == 0
    cursor.keep_still(still=False)
    assert qapp.cursorFlashTime() == USUAL_MS
