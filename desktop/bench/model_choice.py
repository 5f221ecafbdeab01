"""The list of models to measure, each with a box to tick: several can be compared."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QColor, QPalette
from PySide6.QtWidgets import QAbstractItemView, QFrame, QListWidget, QListWidgetItem, QWidget

from desktop.state.bench_candidates import Candidate
from desktop.theme.theme import Theme
from runtime.values.wording import bytes_text

KeyRole = Qt.ItemDataRole.UserRole + 1
ROW_LINES = 1.75
MOST_ROWS, LEAST_ROWS = 8, 3


class ModelChoice(QListWidget):
    """Tells which models are ticked.

    Signals:
        changed: others are ticked; carries their keys.
    """

    changed = Signal(object)

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._is_filling = False
        self.setObjectName("benchmarkModelList")
        self.setAccessibleName(self.tr("Models to measure"))
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.itemChanged.connect(lambda _: self._tell())
        self.apply_theme(theme)

    def apply_theme(self, theme: Theme) -> None:
        """Take other colours and fonts."""
        self._theme = theme
        self.setFont(theme.fonts.text(0.95))
        palette = self.palette()
        for role, color in (
            (QPalette.ColorRole.Base, theme.colors.card),
            (QPalette.ColorRole.Highlight, theme.colors.selected),
            (QPalette.ColorRole.HighlightedText, theme.colors.text),
        ):
            palette.setColor(role, QColor(color))
        self.setPalette(palette)
        self._fit()

    @property
    def keys(self) -> frozenset[str]:
        """What is ticked."""
        items = (self.item(number) for number in range(self.count()))
        return frozenset(item.data(KeyRole) for item in items if item.checkState() is Qt.CheckState.Checked)

    def show_candidates(self, candidates: Sequence[Candidate], chosen: frozenset[str]) -> None:
        """Show the models, `chosen` ones ticked."""
        self._is_filling = True
        try:
            shown = [self.item(number).data(KeyRole) for number in range(self.count())]
            if shown != [one.key for one in candidates]:
                self._fill(candidates)
            for number, one in enumerate(candidates):
                state = Qt.CheckState.Checked if one.key in chosen else Qt.CheckState.Unchecked
                if self.item(number).checkState() is not state:
                    self.item(number).setCheckState(state)
        finally:
            self._is_filling = False

    def sizeHint(self) -> QSize:
        """Return room for a name."""
        return QSize(18 * self.fontMetrics().height(), self.height())

    def _fill(self, candidates: Sequence[Candidate]) -> None:
        self.clear()
        for one in candidates:
            item = QListWidgetItem(_title(one), self)
            item.setData(KeyRole, one.key)
            item.setToolTip("\n".join(filter(None, (one.name, _facts(one), one.problem))))
            flags = Qt.ItemFlag.ItemIsUserCheckable | Qt.ItemFlag.ItemIsSelectable
            item.setFlags(flags | Qt.ItemFlag.ItemIsEnabled if not one.problem else Qt.ItemFlag.NoItemFlags)
            item.setCheckState(Qt.CheckState.Unchecked)
        self._fit()

    def _fit(self) -> None:
        """Be as high as the models are together, within reason."""
        height = round(self.fontMetrics().height() * ROW_LINES)
        for number in range(self.count()):
            self.item(number).setSizeHint(QSize(0, height))
        self.setFixedHeight(height * min(MOST_ROWS, max(LEAST_ROWS, self.count())) + 2)

    def _tell(self) -> None:
        if not self._is_filling:
            self.changed.emit(self.keys)


def _title(one: Candidate) -> str:
    """Return the name and how it is stored, the latter only where the name does not say."""
    facts = _facts(one)
    return f"{one.name}  ·  {facts}" if facts else one.name


def _facts(one: Candidate) -> str:
    engine = {"mlx": "MLX", "llamacpp": "GGUF"}.get(one.model.engine.value, "")
    name = one.quantization.name if one.quantization is not None else ""
    is_named = name.casefold() in one.name.casefold()
    size = bytes_text(one.size_bytes) if one.size_bytes else ""
    return " · ".join(part for part in ("" if is_named else name, engine, size) if part)
