"""Light, dark, high contrast, or as the system has it: each as a little picture of the window."""

from __future__ import annotations

from PySide6.QtCore import QPoint, QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QPainter, QPainterPath, QPaintEvent, QPen, QPolygonF
from PySide6.QtWidgets import QHBoxLayout, QRadioButton, QWidget

from desktop.theme.colors import DARK, LIGHT, Appearance, Colors, colors_for
from desktop.theme.theme import Theme

GAP_PX = 14
RADIUS_PX = 7.0
RING_GAP_PX = 3.0
LABEL_GAP_PX = 4
PICTURE_HEIGHT_LINES = 3.4
PICTURE_ASPECT = 1.55


class AppearanceButton(QRadioButton):
    """One choice: a picture with its name below."""

    def __init__(self, theme: Theme, appearance: Appearance, label: str, parent: QWidget | None = None) -> None:
        super().__init__(label, parent)
        self._theme = theme
        self.appearance = appearance
        self.setObjectName(f"appearance{_camel(appearance.value)}Button")
        self.setAccessibleName(label)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAttribute(Qt.WidgetAttribute.WA_Hover)

    def apply_theme(self, theme: Theme) -> None:
        """Take other colours and fonts."""
        self._theme = theme
        self.setFont(theme.fonts.text(0.95))
        self.updateGeometry()
        self.update()

    def sizeHint(self) -> QSize:
        """Return room for picture and name."""
        picture = self._picture_size()
        width = max(picture.width(), self.fontMetrics().horizontalAdvance(self.text()))
        height = picture.height() + LABEL_GAP_PX + self.fontMetrics().height()
        return QSize(round(width + 2 * RING_GAP_PX + 2), round(height + 2 * RING_GAP_PX + 2))

    def minimumSizeHint(self) -> QSize:
        """Return the same: half a picture helps nobody."""
        return self.sizeHint()

    def hitButton(self, _position: QPoint) -> bool:
        """Take clicks anywhere, where a radio button takes those on its circle and text."""
        return True

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Paint the picture, a ring around the chosen one, and the name."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        size = self._picture_size()
        picture = QRectF((self.width() - size.width()) / 2, RING_GAP_PX + 1, size.width(), size.height())
        self._paint_picture(painter, picture)
        self._paint_ring(painter, picture)
        painter.setPen(QColor(self._theme.colors.text))
        room = QRectF(0, picture.bottom() + RING_GAP_PX, self.width(), self.height() - picture.bottom() - RING_GAP_PX)
        painter.drawText(room, Qt.AlignmentFlag.AlignHCenter | Qt.AlignmentFlag.AlignBottom, self.text())
        painter.end()

    def _picture_size(self) -> QSize:
        height = self.fontMetrics().height() * PICTURE_HEIGHT_LINES
        return QSize(round(height * PICTURE_ASPECT), round(height))

    def _paint_picture(self, painter: QPainter, area: QRectF) -> None:
        outline = QPainterPath()
        outline.addRoundedRect(area, RADIUS_PX, RADIUS_PX)
        painter.save()
        painter.setClipPath(outline)
        if self.appearance is Appearance.SYSTEM:
            _paint_window(painter, area, LIGHT)
            corners = (area.topRight(), area.bottomRight(), area.bottomLeft())
            half = QPainterPath()
            half.addPolygon(QPolygonF([QPointF(corner) for corner in corners]))
            painter.setClipPath(half, Qt.ClipOperation.IntersectClip)
            _paint_window(painter, area, DARK)
        else:
            _paint_window(painter, area, colors_for(self.appearance, system_is_dark=False))
        painter.restore()
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.setPen(QPen(QColor(self._theme.colors.border), 1))
        painter.drawPath(outline)

    def _paint_ring(self, painter: QPainter, picture: QRectF) -> None:
        """The chosen one has a ring in the accent; the keyboard focus is a thinner one, which high contrast needs."""
        if not self.isChecked() and not self.hasFocus():
            return
        ring = picture.adjusted(-RING_GAP_PX, -RING_GAP_PX, RING_GAP_PX, RING_GAP_PX)
        painter.setPen(QPen(QColor(self._theme.colors.accent), 2.5 if self.isChecked() else 1))
        painter.drawRoundedRect(ring, RADIUS_PX + RING_GAP_PX, RADIUS_PX + RING_GAP_PX)
        if self.isChecked() and self.hasFocus():
            inner = picture.adjusted(2, 2, -2, -2)
            painter.setPen(QPen(QColor(self._theme.colors.accent), 1, Qt.PenStyle.DotLine))
            painter.drawRoundedRect(inner, RADIUS_PX - 2, RADIUS_PX - 2)


class AppearancePicker(QWidget):
    """The four choices side by side; arrow keys move among them.

    Signals:
        chosen: the user chose this `Appearance`.
    """

    chosen = Signal(object)

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("appearancePicker")
        names = {
            Appearance.SYSTEM: self.tr("System"),
            Appearance.LIGHT: self.tr("Light"),
            Appearance.DARK: self.tr("Dark"),
            Appearance.HIGH_CONTRAST: self.tr("High contrast"),
        }
        self._buttons = [AppearanceButton(theme, appearance, name, self) for appearance, name in names.items()]
        self._buttons[0].setToolTip(self.tr("Light or dark, as the system is set."))
        for button in self._buttons[1:]:
            button.setToolTip(button.text())
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(GAP_PX)
        for button in self._buttons:
            row.addWidget(button)
            button.clicked.connect(lambda _checked, chosen=button.appearance: self.chosen.emit(chosen))
        row.addStretch(1)
        self.apply_theme(theme)

    def show_choice(self, appearance: Appearance) -> None:
        """Mark which one holds."""
        for button in self._buttons:
            button.setChecked(button.appearance is appearance)

    def apply_theme(self, theme: Theme) -> None:
        """Take other colours and fonts."""
        for button in self._buttons:
            button.apply_theme(theme)


def _paint_window(painter: QPainter, area: QRectF, colors: Colors) -> None:
    """Paint sidebar, message and answer as a few bars."""
    unit_x, unit_y = area.width() / 12, area.height() / 10
    painter.fillRect(area, QColor(colors.page))
    painter.fillRect(QRectF(area.left(), area.top(), 3.4 * unit_x, area.height()), QColor(colors.sidebar))
    painter.setPen(Qt.PenStyle.NoPen)

    def bar(x: float, y: float, width: float, color: str) -> None:
        painter.setBrush(QColor(color))
        box = QRectF(area.left() + x * unit_x, area.top() + y * unit_y, width * unit_x, unit_y)
        painter.drawRoundedRect(box, unit_y / 2, unit_y / 2)

    bar(0.8, 2, 1.8, colors.accent)
    bar(0.8, 4, 1.8, colors.muted)
    bar(0.8, 6, 1.8, colors.muted)
    bar(7.5, 1.6, 3.6, colors.accent)
    bar(4.4, 4, 5.6, colors.text)
    bar(4.4, 6, 4.2, colors.muted)
    bar(4.4, 8, 6.7, colors.border)


def _camel(name: str) -> str:
    return "".join(part.capitalize() for part in name.split("-"))
