"""Tokens per second: now, on average, and over the last half minute."""

from __future__ import annotations

from PySide6.QtWidgets import QWidget

from desktop.metrics import figures_text as words
from desktop.state.metrics_state import LiveFigures
from desktop.theme.theme import Theme
from desktop.widgets.card import Card
from desktop.widgets.figure_row import FigureRow
from desktop.widgets.sparkline import Sparkline
from runtime.values.wording import speed_text


class SpeedCard(Card):
    """How fast the reply is written."""

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(theme, parent)
        explanation = words.speed_explanation()
        self._now = FigureRow(theme, "tokensPerSecondValue", words.tr("Speed"), explanation, large=True)
        self._plot = Sparkline(theme)
        self._plot.setAccessibleName(words.tr("Speed over time"))
        self._average = FigureRow(theme, "averageSpeedValue", words.tr("Average"), explanation)
        self._tokens = FigureRow(
            theme, "generatedTokensValue", words.tr("Tokens"), words.tr("Tokens of the reply, reasoning included.")
        )
        for part in (self._now, self._plot, self._average, self._tokens):
            self.body.addWidget(part)

    def apply_theme(self, theme: Theme) -> None:
        """Take other colours and fonts."""
        super().apply_theme(theme)
        for part in (self._now, self._plot, self._average, self._tokens):
            part.apply_theme(theme)

    def show_figures(self, figures: LiveFigures, history: tuple[float | None, ...]) -> None:
        """Show the speed; after the reply, its average is what remains."""
        current = figures.tokens_per_second_now if figures.is_generating else figures.tokens_per_second_average
        self._now.set_value(speed_text(current))
        self._average.set_value(speed_text(figures.tokens_per_second_average))
        self._tokens.set_value(f"{figures.tokens:,}")
        self._plot.set_values(history)
