"""The results as a Qt table model, which keeps rows in place while only their content changes."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QObject, QPersistentModelIndex, Qt
from PySide6.QtGui import QColor, QIcon

from desktop.bench.result_columns import Column, Result, columns
from desktop.theme.theme import Theme
from runtime.bench.record import RowStatus

Index = QModelIndex | QPersistentModelIndex
Role = Qt.ItemDataRole
ROOT = QModelIndex()
END = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
BEGINNING = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter


class ResultModel(QAbstractTableModel):
    """One row for each test on each model."""

    def __init__(self, theme: Theme, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self.columns: tuple[Column, ...] = columns()
        self.results: tuple[Result, ...] = ()

    def apply_theme(self, theme: Theme) -> None:
        """Take other colours."""
        self._theme = theme
        if self.results:
            self.dataChanged.emit(self.index(0, 0), self.index(len(self.results) - 1, len(self.columns) - 1))

    def set_results(self, results: Sequence[Result]) -> None:
        """Show `results`; where they are the same tests as before, only what changed is painted anew."""
        before, after = self.results, tuple(results)
        if after == before:
            return
        if list(map(_identity, before)) != list(map(_identity, after)):
            self.beginResetModel()
            self.results = after
            self.endResetModel()
            return
        self.results = after
        for number, (old, new) in enumerate(zip(before, after, strict=True)):
            if old != new:
                self.dataChanged.emit(self.index(number, 0), self.index(number, len(self.columns) - 1))

    def rowCount(self, parent: Index = ROOT) -> int:
        """Return how many results there are; they have no children."""
        return 0 if parent.isValid() else len(self.results)

    def columnCount(self, parent: Index = ROOT) -> int:
        """Return how many columns there are."""
        return 0 if parent.isValid() else len(self.columns)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Role.DisplayRole) -> object:
        """Return a column's title, and what its figures mean."""
        if orientation is not Qt.Orientation.Horizontal or not 0 <= section < len(self.columns):
            return None
        column = self.columns[section]
        match role:
            case Role.DisplayRole:
                return column.title
            case Role.ToolTipRole:
                return column.about
            case Role.TextAlignmentRole:
                return _alignment(column)
            case _:
                return None

    def data(self, index: Index, role: int = Role.DisplayRole) -> object:
        """Return a cell's text, how it is painted, and what stands behind it."""
        if not index.isValid() or index.row() >= len(self.results):
            return None
        return self._cell(self.columns[index.column()], self.results[index.row()], role)

    def _cell(self, column: Column, result: Result, role: int) -> object:
        made: object = None
        match role:
            case Role.DisplayRole:
                made = column.text(result)
            case Role.AccessibleTextRole:
                made = f"{column.title}: {column.text(result)}"
            case Role.ToolTipRole:
                text = result.notes if column.name in {"notes", "test"} else ""
                made = "\n\n".join(filter(None, (text, column.detail(result), column.about)))
            case Role.TextAlignmentRole:
                made = _alignment(column)
            case Role.ForegroundRole:
                made = QColor(self._ink(column, result))
            case Role.DecorationRole if column.name == "test":
                made = self._sign(result)
        return made

    def _sign(self, result: Result) -> QIcon | None:
        """Return the sign beside a test that failed or was disturbed: its note may be out of sight."""
        colors, icons = self._theme.colors, self._theme.icons
        if result.row.status is RowStatus.FAILED:
            return icons.icon("circle-alert", colors.bad)
        return icons.icon("triangle-alert", colors.warning) if result.row.disturbances else None

    def _ink(self, column: Column, result: Result) -> str:
        colors = self._theme.colors
        if column.name == "notes":
            if result.row.status is RowStatus.FAILED:
                return colors.bad
            return colors.warning if result.row.disturbances else colors.muted
        if column.name == "change" and (result.is_regression or result.is_improvement):
            return colors.bad if result.is_regression else colors.good
        if column.name == "quantization":
            return colors.muted
        return colors.text if result.row.samples_ns else colors.faint


def _identity(result: Result) -> tuple[str, str, str, str]:
    row = result.row
    return row.test, row.model.name, row.engine.value, row.model_filename


def _alignment(column: Column) -> Qt.AlignmentFlag:
    return END if column.is_number else BEGINNING
