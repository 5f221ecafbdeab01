"""What others have published: machine, model, speed, and where it is written."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QModelIndex, Qt, QUrl
from PySide6.QtGui import QDesktopServices, QStandardItem, QStandardItemModel
from PySide6.QtWidgets import QVBoxLayout, QWidget

from desktop.state.published_figures import PublishedFigure
from desktop.theme.theme import Theme
from desktop.widgets.caption import Caption
from desktop.widgets.flat_table import FlatTable
from runtime.values.wording import rate_text

SPEED = 3
SourceRole = Qt.ItemDataRole.UserRole + 1
MARGIN_PX = 12
BEGINNING = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
END = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter


class PublishedTable(QWidget):
    """Figures of others, on their machines; Enter or a double click opens the source."""

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._about = Caption(theme, parent=self)
        self._list = FlatTable(theme, "benchmarkPublishedTable", self.tr("Published figures"), self)
        self._model = QStandardItemModel(self)
        self._shown: tuple[PublishedFigure, ...] = ()
        self._build()
        self.apply_theme(theme)

    def apply_theme(self, theme: Theme) -> None:
        """Take other colours and fonts."""
        self._about.apply_theme(theme)
        self._list.apply_theme(theme)

    def show_figures(self, figures: Sequence[PublishedFigure]) -> None:
        """Show `figures`."""
        if tuple(figures) == self._shown:
            return
        self._shown = tuple(figures)
        self._model.setRowCount(0)
        for one in figures:
            self._model.appendRow(self._items(one))
        self._list.fit_columns()

    def _items(self, one: PublishedFigure) -> list[QStandardItem]:
        speed, source = rate_text(one.tokens_per_second), one.source.removeprefix("https://")
        texts = (one.machine, one.model, one.quantization, speed, one.engine, one.test, source)
        detail = self.tr("Read on {date} at {source}").format(date=one.checked, source=one.source)
        items = []
        for column, text in enumerate(texts):
            item = QStandardItem(text)
            item.setToolTip(detail)
            item.setTextAlignment(END if column == SPEED else BEGINNING)
            item.setData(one.source, SourceRole)
            items.append(item)
        return items

    def _build(self) -> None:
        self._about.setText(
            self.tr(
                "Measured by others, with other prompts and versions than here: an order of magnitude, not a rank."
                " A double click opens the source."
            )
        )
        titles = (
            *(self.tr("Machine"), self.tr("Model"), self.tr("Stored as"), self.tr("tok/s")),
            *(self.tr("Engine"), self.tr("Test"), self.tr("Source")),
        )
        self._model.setHorizontalHeaderLabels(titles)
        for column in range(len(titles)):
            side = END if column == SPEED else BEGINNING
            self._model.setHeaderData(column, Qt.Orientation.Horizontal, side, Qt.ItemDataRole.TextAlignmentRole)
        self._list.setModel(self._model)
        self._list.activated.connect(_open)
        about = QVBoxLayout()
        about.setContentsMargins(MARGIN_PX, 0, MARGIN_PX, 0)
        about.addWidget(self._about)
        column_of_parts = QVBoxLayout(self)
        column_of_parts.setContentsMargins(0, 0, 0, 0)
        column_of_parts.addLayout(about)
        column_of_parts.addWidget(self._list, 1)


def _open(index: QModelIndex) -> None:
    QDesktopServices.openUrl(QUrl(str(index.data(SourceRole))))
