"""A label and its value on one line: the label explains itself in a tooltip, the value lines up on the right."""

from __future__ import annotations

from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFont, QPainter, QPaintEvent, QPalette
from PySide6.QtWidgets import QHBoxLayout, QLabel, QSizePolicy, QWidget

from desktop.theme.theme import Theme
from desktop.widgets.tool_tip import in_lines
from desktop.widgets.writing_direction import draw_line

GAP_PX = 12


class ElidedLabel(QLabel):
    """A label that shortens its text in the middle rather than being cut off; the tooltip of its row has it whole."""

    def minimumSizeHint(self) -> QSize:
        """Return room for a few characters."""
        return QSize(self.fontMetrics().horizontalAdvance("0000"), super().minimumSizeHint().height())

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Paint as much of the text as there is room for."""
        painter = QPainter(self)
        painter.setPen(self.palette().color(QPalette.ColorRole.WindowText))
        shown = self.fontMetrics().elidedText(self.text(), Qt.TextElideMode.ElideMiddle, self.width())
        draw_line(painter, QRectF(self.rect()), shown, self.alignment() & Qt.AlignmentFlag.AlignHorizontal_Mask)
        painter.end()


class FigureRow(QWidget):
    """`name` is the value's objectName; `explanation` is the tooltip of both."""

    def __init__(
        self,
        theme: Theme,
        name: str,
        label: str,
        explanation: str,
        *,
        large: bool = False,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._large = large
        self._explanation = explanation
        self._label = QLabel(label, self)
        self._value = ElidedLabel("–", self)
        self._value.setObjectName(name)
        self._value.setAccessibleName(label)
        self._value.setAccessibleDescription(explanation)
        self._value.setAlignment(Qt.AlignmentFlag.AlignRight)
        self._value.setTextFormat(Qt.TextFormat.PlainText)
        self._value.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        self.setToolTip(in_lines(explanation))
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(GAP_PX)
        row.addWidget(self._label)
        row.addWidget(self._value, 1)
        self.apply_theme(theme)

    def apply_theme(self, theme: Theme) -> None:
        """Take other colours and fonts."""
        self._label.setFont(theme.fonts.text(0.95))
        _tint(self._label, theme.colors.muted)
        self._value.setFont(theme.fonts.text(1.15 if self._large else 0.95, weight=QFont.Weight.DemiBold))
        _tint(self._value, theme.colors.text)

    def set_label(self, label: str) -> None:
        """Name the value anew: for a row that shows one thing now and another later."""
        self._label.setText(label)
        self._value.setAccessibleName(label)

    def set_value(self, text: str, detail: str = "") -> None:
        """Show `text`; the whole of it, or `detail`, is in the tooltip too, in case there is no room."""
        if text != self._value.text():
            self._value.setText(text)
        tool_tip = in_lines(f"{detail or text}\n\n{self._explanation}".strip())
        if tool_tip != self.toolTip():
            self.setToolTip(tool_tip)


def _tint(label: QLabel, color: str) -> None:
    palette = label.palette()
    palette.setColor(QPalette.ColorRole.WindowText, QColor(color))
    label.setPalette(palette)
