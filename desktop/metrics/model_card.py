"""The model behind the reply: quantization, context in use, engine, and how near it comes to the machine's limit."""

from __future__ import annotations

from PySide6.QtWidgets import QWidget

from desktop.metrics import figures_text as words
from desktop.state.metrics_state import LiveFigures
from desktop.theme.theme import Theme
from desktop.widgets.card import Card
from desktop.widgets.figure_row import FigureRow
from desktop.widgets.meter import Meter
from runtime.metrics.roofline import kv_bytes, reply_roofline
from runtime.values.model import LoadedModel
from runtime.values.wording import UNDEFINED


class ModelCard(Card):
    """What is loaded."""

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(theme, parent)
        self._model: LoadedModel | None = None
        self._figures = LiveFigures()
        self._used_tokens = 0
        self._quantization = FigureRow(
            theme, "quantizationValue", words.tr("Quantization"), words.quantization_explanation()
        )
        self._context = FigureRow(theme, "contextValue", words.tr("Context"), words.context_explanation())
        self._gauge = Meter(theme, warns_when_full=True)
        self._gauge.setObjectName("contextGauge")
        self._gauge.setAccessibleName(words.tr("Context in use"))
        self._roofline = FigureRow(theme, "rooflineValue", words.tr("Roofline"), words.roofline_explanation())
        self._engine = FigureRow(theme, "engineValue", words.tr("Engine"), words.tr("The library that runs the model."))
        self._device = FigureRow(theme, "deviceValue", words.tr("Device"), words.tr("What the model is computed on."))
        self._themed = (self._quantization, self._context, self._gauge, self._roofline, self._engine, self._device)
        for part in self._themed:
            self.body.addWidget(part)

    def apply_theme(self, theme: Theme) -> None:
        """Take other colours and fonts."""
        super().apply_theme(theme)
        for part in self._themed:
            part.apply_theme(theme)

    def show_model(self, model: LoadedModel | None) -> None:
        """Show what is loaded; None for nothing."""
        self._model = model
        self._quantization.set_value(words.short_quantization(model.quantization) if model else UNDEFINED)
        self._engine.set_value(
            words.engine_text(model.engine) if model else UNDEFINED, model.engine_version if model else ""
        )
        self._device.set_value(model.device if model else UNDEFINED)
        self._show_context()
        self._show_roofline()

    def show_figures(self, figures: LiveFigures) -> None:
        """Show how much of the context is used, and after a reply how near it came to the machine's limit."""
        self._figures = figures
        if figures.stats is not None:
            self._used_tokens = figures.stats.context_used_tokens
        elif figures.prompt_progress is not None:
            self._used_tokens = figures.prompt_progress.total + figures.tokens
        elif not figures.is_generating:
            self._used_tokens = 0
        self._show_context()
        self._show_roofline()

    def _show_roofline(self) -> None:
        stats = self._figures.stats
        roofline = reply_roofline(stats, self._model, self._figures.bandwidth) if stats is not None else None
        self._roofline.set_value(words.roofline_text(roofline), words.roofline_details(roofline))

    def _show_context(self) -> None:
        if self._model is None:
            self._context.set_value(UNDEFINED)
            self._gauge.set_fraction(None)
            return
        limit = self._model.context_limit_tokens
        reads = self._model.decode_reads
        taken_bytes = kv_bytes(reads, self._used_tokens) if reads is not None else None
        self._context.set_value(words.context_text(self._used_tokens, limit, taken_bytes))
        self._gauge.set_fraction(self._used_tokens / limit)
