"""A page of settings: groups of rows on cards, scrolling where there is no room for all."""

from __future__ import annotations

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QColor, QFont, QPainter, QPaintEvent, QPalette
from PySide6.QtWidgets import QFrame, QLabel, QScrollArea, QStyle, QVBoxLayout, QWidget

from desktop.settings.setting_row import SettingRow
from desktop.theme.theme import Theme
from desktop.widgets.card import Card

MARGIN_PX = 16
GROUP_GAP_PX = 16
ROW_GAP_PX = 10


class Divider(QWidget):
    """A hairline between two rows."""

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self.setFixedHeight(1)

    def apply_theme(self, theme: Theme) -> None:
        """Paint in other colours from now on."""
        self._theme = theme
        self.update()

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Paint the line."""
        painter = QPainter(self)
        painter.fillRect(self.rect(), QColor(self._theme.colors.border))
        painter.end()


class Group(QWidget):
    """A heading (which may be empty) over a card with rows."""

    def __init__(self, theme: Theme, heading: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._heading = QLabel(heading, self)
        self._heading.setVisible(bool(heading))
        self._card = Card(theme, self)
        self._card.body.setSpacing(ROW_GAP_PX)
        self._rows: list[SettingRow | Divider] = []
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self._heading)
        column.addWidget(self._card)
        self.apply_theme(theme)

    def add_row(self, label: str, explanation: str, control: QWidget, *, below: bool = False) -> None:
        """Add `control` under its name; see `SettingRow`."""
        if self._rows:
            self._add(Divider(self._theme, self))
        self._add(SettingRow(self._theme, label, explanation, control, below=below, parent=self))

    def add(self, widget: QWidget, *, is_narrow: bool = False) -> None:
        """Add something that is no row, as wide as the card or, if narrow, as it needs to be."""
        self._card.body.addWidget(widget, 0, _alignment(is_narrow=is_narrow))

    def apply_theme(self, theme: Theme) -> None:
        """Take other colours and fonts."""
        self._theme = theme
        self._heading.setFont(theme.fonts.text(weight=QFont.Weight.DemiBold))
        palette = self._heading.palette()
        palette.setColor(QPalette.ColorRole.WindowText, QColor(theme.colors.text))
        self._heading.setPalette(palette)
        self._card.apply_theme(theme)
        for row in self._rows:
            row.apply_theme(theme)

    def _add(self, row: SettingRow | Divider) -> None:
        self._rows.append(row)
        self._card.body.addWidget(row)


class Page(QScrollArea):
    """Stacks groups. Scrolls to whatever takes the keyboard focus."""

    def __init__(self, theme: Theme, name: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self.groups: list[Group] = []
        self.setObjectName(name)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setWidgetResizable(True)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self._content = QWidget(self)
        self.column = QVBoxLayout(self._content)
        self.column.setContentsMargins(MARGIN_PX, MARGIN_PX, MARGIN_PX, MARGIN_PX)
        self.column.setSpacing(GROUP_GAP_PX)
        self.column.addStretch(1)
        self.setWidget(self._content)
        self.viewport().setAutoFillBackground(False)
        self._content.setAutoFillBackground(False)

    def minimumSizeHint(self) -> QSize:
        """Return the width below which something would be cut off."""
        hint = super().minimumSizeHint()
        bar = self.style().pixelMetric(QStyle.PixelMetric.PM_ScrollBarExtent)
        return QSize(self._content.minimumSizeHint().width() + bar, hint.height())

    def add_group(self, heading: str) -> Group:
        """Add an empty group below the others."""
        group = Group(self._theme, heading, self)
        self.groups.append(group)
        self.place(group)
        return group

    def place(self, widget: QWidget, *, is_narrow: bool = False) -> None:
        """Put something below what is there, as wide as the page or, if narrow, as it needs to be."""
        self.column.insertWidget(self.column.count() - 1, widget, 0, _alignment(is_narrow=is_narrow))

    def apply_theme(self, theme: Theme) -> None:
        """Take other colours and fonts."""
        self._theme = theme
        for group in self.groups:
            group.apply_theme(theme)


def _alignment(*, is_narrow: bool) -> Qt.AlignmentFlag:
    return Qt.AlignmentFlag.AlignLeading if is_narrow else Qt.AlignmentFlag(0)
