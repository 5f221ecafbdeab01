"""A list in the picker: models to find, models on this machine, downloads, or the forms of one model."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from PySide6.QtCore import QItemSelectionModel, QModelIndex, QSize, Qt, Signal
from PySide6.QtGui import QColor, QPalette, QResizeEvent
from PySide6.QtWidgets import QFrame, QListView, QWidget

from desktop.library.row_model import Index, RowModel
from desktop.library.row_painter import RowPainter
from desktop.library.rows import ModelRow, Row
from desktop.theme.colors import Colors
from desktop.theme.theme import Theme

FRAME_PX = 8


class ModelTable(QListView):
    """Keeps what is chosen while rows come and go.

    `name` is the objectName, `label` its accessible name, `ground` the colour that the list lies on.

    Signals:
        chosen: the user chose a model; carries its key.
        acted: the user wants to go on with a model (Enter, double click); carries its key.
    """

    chosen = Signal(str)
    acted = Signal(str)

    def __init__(
        self,
        theme: Theme,
        name: str,
        label: str,
        *,
        ground: Callable[[Colors], str] = lambda colors: colors.page,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._ground = ground
        self._model = RowModel(self)
        self._painter = RowPainter(theme, self)
        self._is_filling = False
        self.setObjectName(name)
        self.setAccessibleName(label)
        self.setModel(self._model)
        self.setItemDelegate(self._painter)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setMouseTracking(True)
        self.setVerticalScrollMode(QListView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.activated.connect(self._act)
        self.apply_theme(theme)

    def apply_theme(self, theme: Theme) -> None:
        """Take other colours and fonts."""
        self._painter.apply_theme(theme)
        palette = self.palette()
        palette.setColor(QPalette.ColorRole.Base, QColor(self._ground(theme.colors)))
        self.setPalette(palette)
        self.setFont(theme.fonts.text())
        self.scheduleDelayedItemsLayout()

    @property
    def key(self) -> str:
        """What is chosen; empty if nothing is."""
        row = self._model.row_at(self.currentIndex())
        return row.key if isinstance(row, ModelRow) else ""

    def show_rows(self, rows: Sequence[Row], key: str) -> str:
        """Show `rows` with `key` chosen, or the first model where it is not among them; return what is chosen."""
        place = self.verticalScrollBar().value()
        self._is_filling = True
        try:
            self._model.set_rows(rows)
            index = self._model.index_of(key)
            is_kept = index.isValid()
            self._choose(index if is_kept else self._model.first())
            if is_kept:
                self.verticalScrollBar().setValue(place)
        finally:
            self._is_filling = False
        return self.key

    def currentChanged(self, current: Index, previous: Index) -> None:
        """Tell that another model is chosen."""
        super().currentChanged(current, previous)
        row = self._model.row_at(current)
        if isinstance(row, ModelRow) and not self._is_filling:
            self.chosen.emit(row.key)

    def fit_height(self, most_rows: float) -> None:
        """Be as high as the rows are together, at most as `most_rows` of the first one's height."""
        heights = [self.sizeHintForRow(number) for number in range(self._model.rowCount())]
        most = round(most_rows * heights[0]) if heights else 0
        self.setFixedHeight(min(sum(heights), most) + FRAME_PX)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Give notes the lines that they need now."""
        super().resizeEvent(event)
        if event.size().width() != event.oldSize().width():
            self.scheduleDelayedItemsLayout()

    def sizeHint(self) -> QSize:
        """Return room for a name and its facts."""
        line = self.fontMetrics().height()
        return QSize(28 * line, 30 * line)

    def _choose(self, index: QModelIndex) -> None:
        self.selectionModel().setCurrentIndex(index, QItemSelectionModel.SelectionFlag.ClearAndSelect)

    def _act(self, index: QModelIndex) -> None:
        row = self._model.row_at(index)
        if isinstance(row, ModelRow):
            self.acted.emit(row.key)
