"""The rows as a Qt list model, which keeps rows in place while only their content changes."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QAbstractListModel, QModelIndex, QObject, QPersistentModelIndex, Qt

from desktop.library.rows import ModelRow, Row, row_text

RowRole = Qt.ItemDataRole.UserRole + 1
Index = QModelIndex | QPersistentModelIndex
ROOT = QModelIndex()


class RowModel(QAbstractListModel):
    """Only models can be chosen."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._rows: tuple[Row, ...] = ()

    def set_rows(self, rows: Sequence[Row]) -> None:
        """Show `rows`; where they are the same models as before, only what changed is painted anew."""
        before, after = self._rows, tuple(rows)
        if after == before:
            return
        if list(map(_identity, before)) != list(map(_identity, after)):
            self.beginResetModel()
            self._rows = after
            self.endResetModel()
            return
        self._rows = after
        for number, (old, new) in enumerate(zip(before, after, strict=True)):
            if old != new:
                self.dataChanged.emit(self.index(number), self.index(number))

    def row_at(self, index: Index) -> Row | None:
        """Return the row at `index`; None outside."""
        return self._rows[index.row()] if index.isValid() and index.row() < len(self._rows) else None

    def index_of(self, key: str) -> QModelIndex:
        """Return where a model is listed; an invalid index if it is not."""
        numbers = (number for number, row in enumerate(self._rows) if isinstance(row, ModelRow) and row.key == key)
        return self.index(next(numbers, -1))

    def first(self) -> QModelIndex:
        """Return where the first model is listed; an invalid index if there is none."""
        numbers = (number for number, row in enumerate(self._rows) if isinstance(row, ModelRow))
        return self.index(next(numbers, -1))

    def rowCount(self, parent: Index = ROOT) -> int:
        """Return how many rows there are; rows have no children."""
        return 0 if parent.isValid() else len(self._rows)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        """Return a row's text, or the row itself."""
        row = self.row_at(index)
        if row is None:
            return None
        if role == RowRole:
            return row
        if role in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.AccessibleTextRole):
            return row_text(row, self.tr)
        if role == Qt.ItemDataRole.ToolTipRole and isinstance(row, ModelRow):
            return "\n".join(filter(None, (row.title, row.facts, row.about)))
        return None

    def flags(self, index: Index) -> Qt.ItemFlag:
        """Return that models can be chosen."""
        if not isinstance(self.row_at(index), ModelRow):
            return Qt.ItemFlag.NoItemFlags
        return Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable


def _identity(row: Row) -> tuple[type[Row], str]:
    return type(row), row.key if isinstance(row, ModelRow) else row.text
