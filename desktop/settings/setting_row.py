"""One thing to set: its name and what it does on the left, the control on the right or below."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtGui import QColor, QPalette
from PySide6.QtWidgets import QGridLayout, QLabel, QSizePolicy, QWidget

from desktop.theme.theme import Theme
from desktop.widgets.caption import Caption

GAP_PX = 16
LINE_GAP_PX = 3
BELOW_GAP_PX = 6


class SettingRow(QWidget):
    """Names `control` for assistive technology, too: `label` is its name, `explanation` its description and tooltip."""

    def __init__(
        self,
        theme: Theme,
        label: str,
        explanation: str,
        control: QWidget,
        *,
        below: bool = False,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._label = QLabel(label, self)
        self._label.setTextFormat(Qt.TextFormat.PlainText)
        self._label.setWordWrap(True)
        self._label.setBuddy(control)
        self._caption = Caption(theme, explanation, parent=self)
        _describe(control, label, explanation)
        self._lay_out(control, below=below)
        self.apply_theme(theme)

    def apply_theme(self, theme: Theme) -> None:
        """Take other colours and fonts."""
        self._label.setFont(theme.fonts.text())
        palette = self._label.palette()
        palette.setColor(QPalette.ColorRole.WindowText, QColor(theme.colors.text))
        self._label.setPalette(palette)
        self._caption.apply_theme(theme)

    def _lay_out(self, control: QWidget, *, below: bool) -> None:
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(GAP_PX)
        grid.setVerticalSpacing(LINE_GAP_PX)
        grid.addWidget(self._label, 0, 0)
        grid.addWidget(self._caption, 1, 0)
        grid.setColumnStretch(0, 1)
        if below:
            grid.setRowMinimumHeight(2, BELOW_GAP_PX)
            grid.addWidget(control, 3, 0)
        else:
            control.setSizePolicy(QSizePolicy.Policy.Fixed, control.sizePolicy().verticalPolicy())
            grid.addWidget(control, 0, 1, 2, 1, Qt.AlignmentFlag.AlignVCenter)


def _describe(control: QWidget, label: str, explanation: str) -> None:
    if not control.accessibleName():
        control.setAccessibleName(label)
    control.setAccessibleDescription(explanation)
    control.setToolTip(explanation)
