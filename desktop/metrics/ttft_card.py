"""Time to first token, and where it went."""

from __future__ import annotations

from PySide6.QtWidgets import QWidget

from desktop.metrics import figures_text as words
from desktop.state.metrics_state import LiveFigures
from desktop.theme.theme import Theme
from desktop.widgets.card import Card
from desktop.widgets.figure_row import FigureRow
from desktop.widgets.meter import Meter
from desktop.widgets.waterfall import Waterfall
from runtime.values.generation import PromptProgress
from runtime.values.wording import UNDEFINED, milliseconds_text, speed_text


class TtftCard(Card):
    """Progress while the prompt is read, then the waterfall."""

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(theme, parent)
        self._ttft = FigureRow(theme, "ttftValue", words.tr("First token"), words.ttft_explanation(), large=True)
        self._progress = Meter(theme)
        self._progress.setObjectName("prefillProgress")
        self._progress.setAccessibleName(words.tr("Prompt read"))
        self._waterfall = Waterfall(theme)
        self._waterfall.setObjectName("ttftWaterfall")
        self._waterfall.setAccessibleName(words.tr("Parts of the time to first token"))
        self._prompt = FigureRow(
            theme,
            "promptValue",
            words.tr("Prompt"),
            words.tr("Tokens of the prompt: newly read, and taken from cache."),
        )
        self._prefill = FigureRow(
            theme,
            "prefillValue",
            words.tr("Prefill"),
            words.tr("Prompt tokens read per second; cached ones are not counted."),
        )
        for part in (self._ttft, self._progress, self._waterfall, self._prompt, self._prefill):
            self.body.addWidget(part)
        self._themed = (self._ttft, self._progress, self._waterfall, self._prompt, self._prefill)

    def apply_theme(self, theme: Theme) -> None:
        """Take other colours and fonts."""
        super().apply_theme(theme)
        for part in self._themed:
            part.apply_theme(theme)

    def show_figures(self, figures: LiveFigures) -> None:
        """Show how far the prompt is read, and after the reply where the time went."""
        self._ttft.set_value(milliseconds_text(figures.ttft_ms))
        reading = figures.prompt_progress if figures.is_generating and figures.ttft_ms is None else None
        self._show_progress(reading)
        stats = figures.stats
        if stats is None or stats.ttft_parts is None or stats.ttft_ms is None:
            self._waterfall.set_rows(())
            self._prompt.set_value(_progress_text(figures.prompt_progress))
            self._prefill.set_value(UNDEFINED)
            return
        self._waterfall.set_rows(words.ttft_rows(stats.ttft_parts, figures.first_paint_ms, stats.ttft_ms))
        self._prompt.set_value(words.prompt_text(stats))
        self._prefill.set_value(speed_text(stats.prefill_tokens_per_second))

    def _show_progress(self, progress: PromptProgress | None) -> None:
        self._progress.setVisible(progress is not None)
        if progress is not None:
            self._progress.set_fraction(progress.done / max(1, progress.total))


def _progress_text(progress: PromptProgress | None) -> str:
    if progress is None:
        return UNDEFINED
    return words.tr("{done} of {total}").format(done=f"{progress.done:,}", total=f"{progress.total:,}")
