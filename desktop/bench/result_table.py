"""The table of results, with columns only where there is something to say."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QColor, QPainter, QPaintEvent
from PySide6.QtWidgets import QWidget

from desktop.bench.result_columns import Result
from desktop.bench.result_model import ResultModel
from desktop.theme.theme import Theme
from desktop.widgets.flat_table import FlatTable

MARGIN_PX = 24


class ResultTable(FlatTable):
    """Shows results, or in their place why there are none."""

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(theme, "benchmarkTable", "", parent)
        self._theme = theme
        self._results = ResultModel(theme, self)
        self._nothing = ""
        self.setAccessibleName(self.tr("Results"))
        self.setModel(self._results)
        self.apply_theme(theme)

    def apply_theme(self, theme: Theme) -> None:
        """Take other colours and fonts."""
        self._theme = theme
        self._results.apply_theme(theme)
        super().apply_theme(theme)

    @property
    def results(self) -> tuple[Result, ...]:
        """What is shown."""
        return self._results.results

    def show_results(self, results: Sequence[Result], nothing: str) -> None:
        """Show `results`; `nothing` is said where there are none."""
        if tuple(results) == self.results and nothing == self._nothing:
            return
        if bool(results) is not bool(self.results) or nothing != self._nothing:
            self.viewport().update()
        self._nothing = nothing
        self._results.set_results(results)
        for number, column in enumerate(self._results.columns):
            self.setColumnHidden(number, not results or not column.needed(results))
        self.fit_columns()

    def sizeHint(self) -> QSize:
        """Return room for a few rows."""
        line = self.fontMetrics().height()
        return QSize(48 * line, 14 * line)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint the rows, or why there are none."""
        super().paintEvent(event)
        if self._results.results or not self._nothing:
            return
        painter = QPainter(self.viewport())
        painter.setFont(self._theme.fonts.text())
        painter.setPen(QColor(self._theme.colors.muted))
        area = self.viewport().rect().adjusted(MARGIN_PX, 0, -MARGIN_PX, 0)
        painter.drawText(area, int(Qt.AlignmentFlag.AlignCenter) | int(Qt.TextFlag.TextWordWrap), self._nothing)
        painter.end()
