"""The list of what is kept, as a table: chat, model, bytes in memory and on disk, last use."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import (
    QAbstractTableModel,
    QDateTime,
    QItemSelectionModel,
    QLocale,
    QModelIndex,
    QObject,
    QPersistentModelIndex,
    Qt,
    Signal,
)
from PySide6.QtGui import QFontMetricsF, QKeySequence, QShortcut
from PySide6.QtWidgets import QHeaderView, QStyle, QWidget

from desktop.settings.cache_rows import CacheRow
from desktop.state.kv_caches_state import CacheKey
from desktop.theme.theme import Theme
from desktop.widgets.flat_table import CELL_PADDING_PX, FlatTable
from runtime.values.wording import UNDEFINED, bytes_text

Index = QModelIndex | QPersistentModelIndex
Role = Qt.ItemDataRole
ROOT = QModelIndex()
END = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
BEGINNING = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
CHAT, MODEL, MEMORY, DISK, USED = range(5)
SHOWN_ROWS = 8
WIDEST_MODEL_LINES, LEAST_CHAT_LINES = 7, 4


class CacheModel(QAbstractTableModel):
    """One row for each chat with each model."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.rows: tuple[CacheRow, ...] = ()
        self._titles = (self.tr("Chat"), self.tr("Model"), self.tr("Memory"), self.tr("Disk"), self.tr("Last used"))

    def set_rows(self, rows: Sequence[CacheRow]) -> None:
        """Show `rows`."""
        self.beginResetModel()
        self.rows = tuple(rows)
        self.endResetModel()

    def rowCount(self, parent: Index = ROOT) -> int:
        """Return how many rows there are; they have no children."""
        return 0 if parent.isValid() else len(self.rows)

    def columnCount(self, parent: Index = ROOT) -> int:
        """Return how many columns there are."""
        return 0 if parent.isValid() else len(self._titles)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Role.DisplayRole) -> object:
        """Return a column's title."""
        if orientation is not Qt.Orientation.Horizontal or not 0 <= section < len(self._titles):
            return None
        if role == Role.TextAlignmentRole:
            return _alignment(section)
        return self._titles[section] if role == Role.DisplayRole else None

    def data(self, index: Index, role: int = Role.DisplayRole) -> object:
        """Return a cell's text, and all of its row as a tooltip."""
        if not index.isValid() or index.row() >= len(self.rows):
            return None
        row = self.rows[index.row()]
        match role:
            case Role.DisplayRole:
                return self._text(row, index.column())
            case Role.ToolTipRole:
                return self.tr("{title}\n{model}, {tokens} tokens").format(
                    title=self._text(row, CHAT), model=row.key.model, tokens=f"{row.tokens:,}"
                )
            case Role.TextAlignmentRole:
                return _alignment(index.column())
            case _:
                return None

    def _text(self, row: CacheRow, column: int) -> str:
        match column:
            case 0:
                return row.title or self.tr("None of these chats")
            case 1:
                return row.key.model
            case 2:
                return bytes_text(row.memory_bytes) if row.memory_bytes else UNDEFINED
            case 3:
                return bytes_text(row.disk_bytes) if row.disk_bytes else UNDEFINED
            case _:
                return _when(row.used_s)


def _when(used_s: float | None) -> str:
    if used_s is None:
        return UNDEFINED
    moment, locale = QDateTime.fromSecsSinceEpoch(int(used_s)), QLocale()
    is_today = moment.date() == QDateTime.currentDateTime().date()
    return locale.toString(moment.time() if is_today else moment.date(), QLocale.FormatType.ShortFormat)


def _alignment(column: int) -> Qt.AlignmentFlag:
    return BEGINNING if column in (CHAT, MODEL) else END


class CacheTable(FlatTable):
    """Shows the rows; several can be chosen.

    Signals:
        chosen_changed: other rows are chosen.
        forget_requested: the Delete key was pressed on rows.
    """

    chosen_changed = Signal()
    forget_requested = Signal()

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        self._rows = CacheModel()
        super().__init__(theme, "cacheTable", self._rows.tr("What is kept"), parent)
        self._rows.setParent(self)
        self.setModel(self._rows)
        self.setAccessibleDescription(self.tr("Delete forgets the rows that are chosen"))
        self.setToolTip(self.tr("Chats as models have read them"))
        header = self.horizontalHeader()
        header.setStretchLastSection(False)
        header.setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        header.setSectionResizeMode(CHAT, QHeaderView.ResizeMode.Stretch)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.selectionModel().selectionChanged.connect(self.chosen_changed)
        shortcut = QShortcut(QKeySequence(QKeySequence.StandardKey.Delete), self)
        shortcut.setContext(Qt.ShortcutContext.WidgetShortcut)
        shortcut.activated.connect(self.forget_requested)
        self.apply_theme(theme)

    def apply_theme(self, theme: Theme) -> None:
        """Take other colours and fonts."""
        super().apply_theme(theme)
        self.setFixedHeight(self.horizontalHeader().sizeHint().height() + SHOWN_ROWS * self._row_height())

    def show_rows(self, rows: Sequence[CacheRow]) -> None:
        """Show `rows`; those that were chosen stay so."""
        if tuple(rows) == self._rows.rows:
            return
        chosen = set(self.chosen)
        self._rows.set_rows(rows)
        self.fit_columns()
        how = QItemSelectionModel.SelectionFlag.Select | QItemSelectionModel.SelectionFlag.Rows
        for number, row in enumerate(rows):
            if row.key in chosen:
                self.selectionModel().select(self._rows.index(number, 0), how)
        self.chosen_changed.emit()

    @property
    def chosen(self) -> tuple[CacheKey, ...]:
        """What the chosen rows are about."""
        return tuple(self._rows.rows[index.row()].key for index in self.selectionModel().selectedRows())

    def fit_columns(self) -> None:
        """Make all columns but the chat's as wide as what is in them; that one takes the rest."""
        if self.model() is None:
            return
        titles, cells = QFontMetricsF(self.horizontalHeader().font()), QFontMetricsF(self.font())
        for column in range(MODEL, USED + 1):
            texts = [str(self._rows.index(row, column).data()) for row in range(self._rows.rowCount())]
            title = titles.horizontalAdvance(str(self._rows.headerData(column, Qt.Orientation.Horizontal)))
            width = max([title, *map(cells.horizontalAdvance, texts)])
            most = WIDEST_MODEL_LINES * cells.height() if column == MODEL else width
            self.setColumnWidth(column, round(min(width, most)) + 2 * CELL_PADDING_PX + 2)
        fixed = sum(self.columnWidth(column) for column in range(MODEL, USED + 1))
        bar = self.style().pixelMetric(QStyle.PixelMetric.PM_ScrollBarExtent)
        self.setMinimumWidth(fixed + LEAST_CHAT_LINES * round(cells.height()) + bar)

    def _row_height(self) -> int:
        return self.verticalHeader().defaultSectionSize()
