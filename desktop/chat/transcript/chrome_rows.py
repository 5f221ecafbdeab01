"""The rows of a message that are not its text: reasoning's head, status, notice, "show more", footer, boundary."""

from __future__ import annotations

from math import ceil

from PySide6.QtCore import QCoreApplication, QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFont, QFontMetricsF, QPainter, QPen, QTextOption

from desktop.chat.transcript.look import Look
from desktop.chat.transcript.row import Row, RowControl, RowState

VCENTER = Qt.AlignmentFlag.AlignVCenter
LEFT, RIGHT = Qt.AlignmentFlag.AlignLeft, Qt.AlignmentFlag.AlignRight
RADIUS = 8.0


class ChromeRow(Row):
    """A row that runs as the interface does rather than as its text.

    Attributes:
        is_mirrored: whether that is from right to left.
    """

    def __init__(self) -> None:
        super().__init__()
        self.is_mirrored = False

    def placed(self, box: QRectF, width: float) -> QRectF:
        """Return where a part of the interface belongs, given its box where that runs from left to right."""
        return QRectF(width - box.right(), box.top(), box.width(), box.height()) if self.is_mirrored else box

    def leading(self) -> Qt.AlignmentFlag:
        """Return the side at which lines begin."""
        return RIGHT if self.is_mirrored else LEFT

    def trailing(self) -> Qt.AlignmentFlag:
        """Return the side at which lines end."""
        return LEFT if self.is_mirrored else RIGHT


class ReasoningRow(ChromeRow):
    """The head of the reasoning, folded or not: a click folds it and unfolds it."""

    def __init__(self, look: Look, label: str, *, is_open: bool) -> None:
        super().__init__()
        self.label = label
        self.is_open = is_open
        self._look = look
        self.height = look.distance(1.7)

    def control_at(self, point: QPointF, width: float) -> RowControl | None:
        """Return the fold."""
        return RowControl.FOLD_REASONING if self._box(width).contains(point) else None

    def paint(self, painter: QPainter, width: float, state: RowState) -> None:
        """Paint a chevron and the label."""
        look, box = self._look, self._box(width)
        color = look.colors.text if state.hovered else look.colors.muted
        if state.hovered:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(QColor(look.colors.hover))
            painter.drawRoundedRect(box, RADIUS, RADIUS)
        side = round(look.unit * 0.8)
        top = round((self.height - side) / 2)
        label = QRectF(side + 6, 0, ceil(look.small_width(self.label)) + 1, self.height)
        brain = QRectF(0, top, side, side)
        chevron = QRectF(label.right() + 3, top, side, side)
        folded = "chevron-left" if self.is_mirrored else "chevron-right"
        for name, place in (("brain", brain), ("chevron-down" if self.is_open else folded, chevron)):
            look.theme.icons.icon(name, color).paint(painter, self.placed(place, width).toRect())
        painter.setFont(look.small_font)
        painter.setPen(QColor(color))
        painter.drawText(self.placed(label, width), VCENTER, self.label)

    def _box(self, width: float) -> QRectF:
        side = self._look.unit * 0.8
        content = 6 + side + 6 + self._look.small_width(self.label) + 4 + side + 6
        return self.placed(QRectF(-6, 0, min(content + 6, width), self.height), width)


class StatusRow(ChromeRow):
    """What is going on before the first text: the prompt is read, the model loads."""

    def __init__(self, look: Look, text: str) -> None:
        super().__init__()
        self.text = text
        self._look = look
        self.height = ceil(look.line_height)

    def paint(self, painter: QPainter, width: float, state: RowState) -> None:
        """Paint the text, or a caret where there is none."""
        look = self._look
        x = 0.0
        if self.text:
            painter.setFont(look.text_font)
            painter.setPen(QColor(look.colors.muted))
            painter.drawText(QRectF(0, 0, width, self.height), VCENTER | self.leading(), self.text)
            x = QFontMetricsF(look.text_font).horizontalAdvance(self.text) + 4
        if state.shows_caret:
            caret = self.placed(QRectF(x, self.height * 0.15, 2, self.height * 0.7), width)
            painter.fillRect(caret, QColor(look.colors.accent))


class NoticeRow(ChromeRow):
    """What has to be said about a reply's end, in a box; beside it there is room for a button."""

    def __init__(self, look: Look, text: str, *, is_error: bool, button_width: float) -> None:
        super().__init__()
        self.text = text
        self.is_error = is_error
        self._look = look
        self._button_width = button_width
        self._padding = look.distance(0.7)
        self.height = look.distance(2.6)

    def measure(self, width: float) -> None:
        """Break the text into lines."""
        metrics = QFontMetricsF(self._look.text_font)
        bounds = QRectF(0, 0, self._text_box(width, 10_000).width(), 10_000)
        text = metrics.boundingRect(bounds, Qt.TextFlag.TextWordWrap.value, self.text)
        self.height = max(ceil(text.height()) + 2 * self._padding, self._look.distance(2.6))
        super().measure(width)

    def button_box(self, width: float) -> QRectF:
        """Return where the button belongs."""
        height = self._look.distance(1.8)
        left = width - self._padding - self._button_width
        return self.placed(QRectF(left, (self.height - height) / 2, self._button_width, height), width)

    def paint(self, painter: QPainter, width: float, state: RowState) -> None:  # noqa: ARG002 - always looks the same
        """Paint box, icon and text."""
        look = self._look
        color = look.colors.bad if self.is_error else look.colors.warning
        painter.setPen(QPen(QColor(look.colors.border), 1))
        painter.setBrush(QColor(look.colors.card))
        painter.drawRoundedRect(QRectF(0.5, 0.5, width - 1, self.height - 1), RADIUS, RADIUS)
        side = round(look.unit)
        icon = look.theme.icons.icon("circle-alert" if self.is_error else "triangle-alert", color)
        place = QRectF(self._padding, round((self.height - side) / 2), side, side)
        icon.paint(painter, self.placed(place, width).toRect())
        painter.setFont(look.text_font)
        painter.setPen(QColor(look.colors.text))
        option = QTextOption(VCENTER | self.leading())
        option.setWrapMode(QTextOption.WrapMode.WordWrap)
        painter.drawText(self._text_box(width, self.height), self.text, option)

    def _text_box(self, width: float, height: float) -> QRectF:
        left = 2 * self._padding + self._look.unit
        room = self._button_width + self._padding if self._button_width else 0.0
        return self.placed(QRectF(left, 0, max(width - left - self._padding - room, 60), height), width)


class ShowMoreRow(ChromeRow):
    """The end of a long message of the user: a click shows the rest, or hides it."""

    def __init__(self, look: Look, *, is_open: bool) -> None:
        super().__init__()
        self._look = look
        translate = QCoreApplication.translate
        self.label = translate("Transcript", "Show less") if is_open else translate("Transcript", "Show all")
        self.height = look.distance(1.5)
        self.gap_above = look.distance(0.2)

    def control_at(self, point: QPointF, width: float) -> RowControl | None:
        """Return the fold."""
        return RowControl.SHOW_MORE if QRectF(0, 0, width, self.height).contains(point) else None

    def paint(self, painter: QPainter, width: float, state: RowState) -> None:
        """Paint the label as a link."""
        font = QFont(self._look.small_font)
        font.setUnderline(state.hovered)
        painter.setFont(font)
        painter.setPen(QColor(self._look.colors.accent))
        painter.drawText(QRectF(0, 0, width, self.height), VCENTER | self.leading(), self.label)


class FooterRow(ChromeRow):
    """The line below a message: its figures, and room for the buttons that come with the pointer."""

    def __init__(self, look: Look, text: str, branch: str, *, buttons_width: float) -> None:
        super().__init__()
        self.text = text
        self.branch = branch
        self._look = look
        self._buttons_width = buttons_width
        self.height = look.distance(1.75)
        self.gap_above = look.distance(0.3)

    def paint(self, painter: QPainter, width: float, state: RowState) -> None:
        """Paint the figures, and which version this is where no buttons say so."""
        look = self._look
        painter.setFont(look.small_font)
        painter.setPen(QColor(look.colors.muted))
        room = max(width - self._buttons_width, 0)
        shown = QFontMetricsF(look.small_font).elidedText(self.text, Qt.TextElideMode.ElideRight, room)
        painter.drawText(self.placed(QRectF(0, 0, room, self.height), width), VCENTER | self.leading(), shown)
        if self.branch and not state.hovered:
            painter.drawText(QRectF(0, 0, width, self.height), VCENTER | self.trailing(), self.branch)


class BoundaryRow(ChromeRow):
    """A line across the column, below a message: what it says holds for everything above it."""

    def __init__(self, look: Look, text: str) -> None:
        super().__init__()
        self.text = text
        self._look = look
        self.height = look.distance(1.7)
        self.gap_above = look.distance(0.6)

    def paint(self, painter: QPainter, width: float, state: RowState) -> None:  # noqa: ARG002 - always looks the same
        """Paint the words in the middle of the line."""
        look = self._look
        padding = look.distance(0.7)
        shown = QFontMetricsF(look.small_font).elidedText(self.text, Qt.TextElideMode.ElideRight, width - 4 * padding)
        words = ceil(look.small_width(shown)) + 2 * padding
        side, middle = (width - words) / 2, self.height / 2
        painter.setPen(QPen(QColor(look.colors.border), 1))
        for left in (0.0, side + words):
            painter.drawLine(QPointF(left, middle), QPointF(left + side, middle))
        painter.setFont(look.small_font)
        painter.setPen(QColor(look.colors.muted))
        painter.drawText(QRectF(side, 0, words, self.height), Qt.AlignmentFlag.AlignCenter, shown)
