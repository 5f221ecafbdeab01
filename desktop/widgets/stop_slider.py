"""A slider over values that people know: it goes from one to the next, and says which it is at."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QSignalBlocker, Signal
from PySide6.QtGui import QColor, QFont, QPalette
from PySide6.QtWidgets import QHBoxLayout, QLabel, QVBoxLayout, QWidget

from desktop.theme.theme import Theme
from desktop.widgets.slider import Slider

GAP_PX = 2


class StopSlider(QWidget):
    """`name` is the slider's objectName; `texts` says each stop.

    Signals:
        moved: another stop is chosen; carries its number.
    """

    moved = Signal(int)

    def __init__(
        self, theme: Theme, name: str, label: str, texts: Sequence[str], parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._texts = tuple(texts)
        self._label = QLabel(label, self)
        self._value = QLabel(self)
        self._slider = Slider(theme, self)
        self._slider.setObjectName(name)
        self._slider.setAccessibleName(label)
        self._slider.setRange(0, len(self._texts) - 1)
        self._slider.setPageStep(2)
        self._label.setBuddy(self._slider)
        top = QHBoxLayout()
        top.addWidget(self._label)
        top.addStretch(1)
        top.addWidget(self._value)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(GAP_PX)
        column.addLayout(top)
        column.addWidget(self._slider)
        self._slider.valueChanged.connect(self._tell)
        self.apply_theme(theme)
        self._show()

    def apply_theme(self, theme: Theme) -> None:
        """Take other colours and fonts."""
        self._label.setFont(theme.fonts.text(0.95))
        self._value.setFont(theme.fonts.text(0.95, weight=QFont.Weight.DemiBold))
        self._slider.apply_theme(theme)
        palette = self._label.palette()
        palette.setColor(QPalette.ColorRole.WindowText, QColor(theme.colors.muted))
        self._label.setPalette(palette)

    @property
    def stop(self) -> int:
        """The number of the chosen stop."""
        return self._slider.value()

    def choose(self, stop: int) -> None:
        """Go to a stop."""
        self._slider.setValue(stop)

    def show_texts(self, texts: Sequence[str], stop: int) -> None:
        """Have other stops, and be at one of them; nothing is told."""
        self._texts = tuple(texts)
        with QSignalBlocker(self._slider):
            self._slider.setRange(0, len(self._texts) - 1)
            self._slider.setValue(stop)
        self._show()

    def _tell(self, stop: int) -> None:
        self._show()
        self.moved.emit(stop)

    def _show(self) -> None:
        text = self._texts[self._slider.value()]
        self._value.setText(text)
        self._slider.setAccessibleDescription(text)
        self._slider.setToolTip(text)
