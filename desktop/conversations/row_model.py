"""The rows as a Qt list model."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QAbstractListModel, QModelIndex, QObject, QPersistentModelIndex, Qt

from desktop.conversations.rows import ChatRow, HeadingRow, HitRow, Row
from runtime.values.chat import ChatId

RowRole = Qt.ItemDataRole.UserRole + 1
Index = QModelIndex | QPersistentModelIndex
ROOT = QModelIndex()


class RowModel(QAbstractListModel):
    """Headings cannot be chosen."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._rows: tuple[Row, ...] = ()

    def set_rows(self, rows: Sequence[Row]) -> None:
        """Show `rows`; where they are of the same chats in the same order, only what is said of them changes."""
        before, now = self._rows, tuple(rows)
        if list(map(_subject, now)) == list(map(_subject, before)):
            self._rows = now
            for number in [number for number, row in enumerate(now) if row != before[number]]:
                self.dataChanged.emit(self.index(number), self.index(number))
        else:
            self.beginResetModel()
            self._rows = now
            self.endResetModel()

    def row_at(self, index: Index) -> Row | None:
        """Return the row at `index`; None outside."""
        return self._rows[index.row()] if index.isValid() and index.row() < len(self._rows) else None

    def index_of(self, chat_id: ChatId) -> QModelIndex:
        """Return where a chat is listed; an invalid index if it is not."""
        for number, row in enumerate(self._rows):
            if isinstance(row, ChatRow) and row.chat_id == chat_id:
                return self.index(number)
        return QModelIndex()

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
        if role == Qt.ItemDataRole.DisplayRole:
            return _text(row)
        if role == Qt.ItemDataRole.AccessibleTextRole:
            return ", ".join(filter(None, (_text(row), _note(row))))
        if role == Qt.ItemDataRole.ToolTipRole and not isinstance(row, HeadingRow):
            return "\n".join(filter(None, (row.title, _note(row))))
        return None

    def flags(self, index: Index) -> Qt.ItemFlag:
        """Return that everything but headings can be chosen."""
        if isinstance(self.row_at(index), HeadingRow):
            return Qt.ItemFlag.NoItemFlags
        return Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable


def _subject(row: Row) -> object:
    """Return what a row is about, whatever is said of it."""
    return row.chat_id if isinstance(row, ChatRow) else row


def _note(row: Row) -> str:
    return row.warmth_text if isinstance(row, ChatRow) else ""


def _text(row: Row) -> str:
    match row:
        case HeadingRow(text):
            return text
        case ChatRow(title=title):
            return title
        case HitRow(title=title, snippet=snippet):
            return f"{title}: {snippet.text}"
