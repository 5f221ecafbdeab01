"""A table in the flat look of the window: titles on its own ground, no grid, room around the text."""

from __future__ import annotations

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QRect, QSize, Qt
from PySide6.QtGui import QColor, QFont, QFontMetricsF, QPainter, QPaintEvent, QPalette
from PySide6.QtWidgets import (
    QAbstractItemView,
    QFrame,
    QHeaderView,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QTableView,
    QWidget,
)

from desktop.theme.theme import Theme

Index = QModelIndex | QPersistentModelIndex
Role = Qt.ItemDataRole
ROW_LINES = 1.75
CELL_PADDING_PX = 10
SIZE = 0.92
SIGN_SIZE = 0.95
SIGN_GAP_PX = 8
WIDEST_CELL_LINES = 13


class FlatHeader(QHeaderView):
    """Column titles on the table's own ground, with a line below."""

    def __init__(self, theme: Theme, name: str, parent: QWidget | None = None) -> None:
        super().__init__(Qt.Orientation.Horizontal, parent)
        self._theme = theme
        self.setObjectName(name)
        self.setSectionsClickable(False)
        self.setHighlightSections(False)
        self.setStretchLastSection(True)
        self.setMinimumSectionSize(36)

    def apply_theme(self, theme: Theme) -> None:
        """Take other colours and fonts."""
        self._theme = theme
        self.setFont(theme.fonts.text(0.85, weight=QFont.Weight.DemiBold))
        self.viewport().update()

    def sizeHint(self) -> QSize:
        """Return a height in proportion to the text."""
        return QSize(super().sizeHint().width(), round(QFontMetricsF(self.font()).height() * 1.9))

    def paintSection(self, painter: QPainter, rect: QRect, section: int) -> None:
        """Paint one title."""
        model = self.model()
        painter.save()
        self._paint_ground(painter, rect)
        painter.setPen(QColor(self._theme.colors.muted))
        painter.setFont(self.font())
        inner = rect.adjusted(CELL_PADDING_PX, 0, -CELL_PADDING_PX, 0)
        title = str(model.headerData(section, Qt.Orientation.Horizontal))
        side = model.headerData(section, Qt.Orientation.Horizontal, Role.TextAlignmentRole)
        shown = painter.fontMetrics().elidedText(title, Qt.TextElideMode.ElideRight, inner.width())
        painter.drawText(inner, int(side), shown)
        painter.restore()

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint the ground behind the last title, too."""
        painter = QPainter(self.viewport())
        self._paint_ground(painter, self.viewport().rect())
        painter.end()
        super().paintEvent(event)

    def _paint_ground(self, painter: QPainter, area: QRect) -> None:
        colors = self._theme.colors
        painter.fillRect(area, QColor(colors.page))
        painter.fillRect(area.left(), area.bottom(), area.width(), 1, QColor(colors.border))


class CellPainter(QStyledItemDelegate):
    """Paints a cell's text with room at both ends, in the colour that the model asks for."""

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        """Paint ground and text."""
        cell = QStyleOptionViewItem(option)
        self.initStyleOption(cell, index)
        painter.save()
        if cell.state & QStyle.StateFlag.State_Selected:
            painter.fillRect(cell.rect, cell.palette.color(QPalette.ColorRole.Highlight))
        ink = index.data(Role.ForegroundRole)
        painter.setFont(cell.font)
        painter.setPen(ink if isinstance(ink, QColor) else cell.palette.color(QPalette.ColorRole.Text))
        inner = cell.rect.adjusted(CELL_PADDING_PX, 0, -CELL_PADDING_PX, 0)
        if not cell.icon.isNull():
            side = round(cell.fontMetrics.height() * SIGN_SIZE)
            corner = inner.right() - side + 1
            cell.icon.paint(painter, QRect(corner, inner.center().y() - side // 2, side, side))
            inner.setRight(corner - SIGN_GAP_PX)
        is_last = index.column() == index.model().columnCount() - 1
        mode = Qt.TextElideMode.ElideRight if is_last else Qt.TextElideMode.ElideMiddle
        shown = cell.fontMetrics.elidedText(cell.text, mode, inner.width())
        painter.drawText(inner, int(cell.displayAlignment), shown)
        painter.restore()


class FlatTable(QTableView):
    """`name` is the objectName, `label` its accessible name. The model says how cells are aligned, and their colour."""

    def __init__(self, theme: Theme, name: str, label: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._header = FlatHeader(theme, f"{name}Header", self)
        self.setObjectName(name)
        self.setAccessibleName(label)
        self.setItemDelegate(CellPainter(self))
        self.setHorizontalHeader(self._header)
        self.setCornerWidget(QWidget(self))
        self.verticalHeader().hide()
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setShowGrid(False)
        self.setAlternatingRowColors(True)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setHorizontalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setTabKeyNavigation(False)
        self.setWordWrap(False)
        FlatTable.apply_theme(self, theme)

    def apply_theme(self, theme: Theme) -> None:
        """Take other colours and fonts."""
        colors = theme.colors
        palette = self.palette()
        for role, color in (
            (QPalette.ColorRole.Base, colors.page),
            (QPalette.ColorRole.AlternateBase, colors.window),
            (QPalette.ColorRole.Window, colors.page),
            (QPalette.ColorRole.Text, colors.text),
            (QPalette.ColorRole.Highlight, colors.selected),
        ):
            palette.setColor(role, QColor(color))
        self.setPalette(palette)
        self.setFont(theme.fonts.text(SIZE))
        self._header.apply_theme(theme)
        self.verticalHeader().setDefaultSectionSize(round(self.fontMetrics().height() * ROW_LINES))
        self.fit_columns()

    def fit_columns(self) -> None:
        """Make columns as wide as what is in them, within reason; the last takes the rest."""
        model = self.model()
        if model is None:
            return
        titles, cells = QFontMetricsF(self._header.font()), QFontMetricsF(self.font())
        most = WIDEST_CELL_LINES * cells.height()
        for column in range(model.columnCount() - 1):
            title = titles.horizontalAdvance(str(model.headerData(column, Qt.Orientation.Horizontal)))
            # Laying out all cells, as Qt does it, takes ten times as long.
            widths = [cells.horizontalAdvance(str(model.index(row, column).data())) for row in range(model.rowCount())]
            has_sign = any(model.index(row, column).data(Role.DecorationRole) for row in range(model.rowCount()))
            width = max([title, *(min(most, width) for width in widths)])
            width += round(cells.height() * SIGN_SIZE) + SIGN_GAP_PX if has_sign else 0
            self.setColumnWidth(column, round(width) + 2 * CELL_PADDING_PX + 2)
