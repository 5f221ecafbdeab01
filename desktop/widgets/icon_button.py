"""A flat button with an icon: quiet until the pointer or the keyboard comes to it."""

from __future__ import annotations

from enum import Enum

from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QColor, QEnterEvent, QIcon, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QAbstractButton, QWidget

from desktop.theme.theme import Theme

RADIUS_PX = 7.0
FOCUS_WIDTH_PX = 2.0


class ButtonStyle(Enum):
    """How a button stands out: not at all, or filled with the accent (round)."""

    FLAT = "flat"
    ACCENT = "accent"


class IconButton(QAbstractButton):
    """`name` is the objectName, `label` its accessible name and tooltip."""

    def __init__(
        self,
        theme: Theme,
        icon: str,
        name: str,
        label: str,
        *,
        style: ButtonStyle = ButtonStyle.FLAT,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._icon_name = icon
        self._style = style
        self._theme = theme
        self.setObjectName(name)
        self.setAccessibleName(label)
        self.setToolTip(label)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.apply_theme(theme)

    def apply_theme(self, theme: Theme) -> None:
        """Paint in other colours from now on."""
        self._theme = theme
        self.setFont(theme.fonts.text())
        self.setIcon(theme.icons.icon(self._icon_name, self._ink()))
        self.updateGeometry()

    def set_icon(self, icon: str) -> None:
        """Show another icon."""
        self._icon_name = icon
        self.setIcon(self._theme.icons.icon(icon, self._ink()))

    def sizeHint(self) -> QSize:
        """Return a square in proportion to the text."""
        side = round(self.fontMetrics().height() * 1.75)
        return QSize(side, side)

    def minimumSizeHint(self) -> QSize:
        """Return the same: icons do not shrink."""
        return self.sizeHint()

    def enterEvent(self, event: QEnterEvent) -> None:
        """Show that the button can be pressed."""
        self.update()
        super().enterEvent(event)

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Paint ground, focus ring and icon."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        area = QRectF(self.rect()).adjusted(1, 1, -1, -1)
        radius = area.height() / 2 if self._style is ButtonStyle.ACCENT else RADIUS_PX
        painter.setPen(Qt.PenStyle.NoPen)
        ground = self._ground()
        if ground is not None:
            painter.setBrush(ground)
            painter.drawRoundedRect(area, radius, radius)
        if self.hasFocus():
            painter.setPen(QPen(QColor(self._theme.colors.accent), FOCUS_WIDTH_PX))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRoundedRect(area, radius, radius)
        size = round(self.height() * 0.56)
        icon_area = QRectF((self.width() - size) / 2, (self.height() - size) / 2, size, size).toRect()
        icon = self._theme.icons.icon(self._icon_name, self._ink())
        icon.paint(painter, icon_area, Qt.AlignmentFlag.AlignCenter, self._icon_mode())
        painter.end()

    def _ink(self) -> str:
        is_filled = self._style is ButtonStyle.ACCENT and self.isEnabled()
        return self._theme.colors.on_accent if is_filled else self._theme.colors.muted

    def _ground(self) -> QColor | None:
        colors = self._theme.colors
        if self._style is ButtonStyle.ACCENT:
            if not self.isEnabled():
                return QColor(colors.hover)
            return QColor(colors.accent).darker(112) if self.isDown() or self.underMouse() else QColor(colors.accent)
        if self.isEnabled() and (self.isDown() or self.isChecked() or self.underMouse()):
            return QColor(colors.hover)
        return None

    def _icon_mode(self) -> QIcon.Mode:
        return QIcon.Mode.Normal if self.isEnabled() or self._style is ButtonStyle.ACCENT else QIcon.Mode.Disabled
