"""A card of the memory planner: what running or training a model takes, drawn against this machine's memory."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtGui import QFont
from PySide6.QtWidgets import QHBoxLayout, QLabel, QWidget

from desktop.library.row_painter import VERDICT_TONES
from desktop.library.words import verdict_word
from desktop.theme.theme import Theme
from desktop.widgets.caption import Caption
from desktop.widgets.card import Card
from desktop.widgets.chip import Chip
from desktop.widgets.figure_row import FigureRow
from desktop.widgets.legend_row import LegendRow
from desktop.widgets.stacked_bar import BarPart, StackedBar
from runtime.library.verdict import MemoryBudget, verdict_of
from runtime.values.wording import bytes_text

Term = tuple[str, str, str]
"""objectName of the value, its label, and what it is."""


class PlanCard(Card):
    """Shows the terms and their sum. `name` begins all objectNames."""

    def __init__(
        self, theme: Theme, name: str, heading: str, terms: Sequence[Term], note: str, parent: QWidget | None = None
    ) -> None:
        super().__init__(theme, parent)
        self._heading = QLabel(heading, self)
        self._verdict = Chip(theme, f"{name}Verdict", self.tr("Does it fit"), self)
        self._bar = StackedBar(theme, f"{name}Bar", heading, self)
        self._terms = tuple(LegendRow(theme, index, *term, parent=self) for index, term in enumerate(terms))
        self._total = FigureRow(
            theme, f"{name}TotalValue", self.tr("Together"), self.tr("All parts together."), large=True, parent=self
        )
        self._note = Caption(theme, note, parent=self)
        top = QHBoxLayout()
        top.addWidget(self._heading)
        top.addStretch(1)
        top.addWidget(self._verdict)
        self.body.addLayout(top)
        for part in (self._bar, *self._terms, self._total, self._note):
            self.body.addWidget(part)
        self.body.addStretch(1)
        self.apply_theme(theme)

    def apply_theme(self, theme: Theme) -> None:
        """Take other colours and fonts."""
        super().apply_theme(theme)
        self._heading.setFont(theme.fonts.text(weight=QFont.Weight.DemiBold))
        self._verdict.apply_theme(theme)
        self._bar.apply_theme(theme)
        for row in (*self._terms, self._total):
            row.apply_theme(theme)
        self._note.apply_theme(theme)

    def show_sizes(self, sizes: Sequence[int], budget: MemoryBudget | None) -> None:
        """Show the bytes of each term; `budget` is what this machine can give, None while that is not known."""
        parts = [BarPart(term.label, size, bytes_text(size)) for term, size in zip(self._terms, sizes, strict=True)]
        self._bar.show_parts(parts, budget.available_bytes if budget is not None else None)
        for term, size in zip(self._terms, sizes, strict=True):
            term.set_value(bytes_text(size))
        self._total.set_value(bytes_text(sum(sizes)))
        if budget is None:
            return
        verdict = verdict_of(sum(sizes), budget)
        self._verdict.show_word(verdict_word(verdict, self.tr), VERDICT_TONES[verdict])
