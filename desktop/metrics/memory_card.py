"""Memory: what the worker takes, what of it is weights and KV cache, and what the machine has left."""

from __future__ import annotations

from PySide6.QtCore import QElapsedTimer
from PySide6.QtWidgets import QWidget

from desktop.metrics import figures_text as words
from desktop.state.metrics_state import LiveFigures
from desktop.theme.theme import Theme
from desktop.widgets.card import Card
from desktop.widgets.figure_row import FigureRow
from desktop.widgets.sparkline import Sparkline
from runtime.metrics.device import available_memory_bytes
from runtime.values.generation import MemoryFigures
from runtime.values.wording import bytes_text

LEFT_EVERY_MS = 1000
"""How old the figure of what the machine has left may be: it takes as long to read as all others together."""


class MemoryCard(Card):
    """What the model takes."""

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(theme, parent)
        self._shown: MemoryFigures | None = None
        self._since_left = QElapsedTimer()
        self._worker = FigureRow(theme, "memoryValue", words.tr("Memory"), words.memory_explanation(), large=True)
        self._plot = Sparkline(theme)
        self._plot.setAccessibleName(words.tr("Memory over time"))
        self._weights = FigureRow(theme, "weightsValue", words.tr("Weights"), words.tr("The model's parameters."))
        self._kv_cache = FigureRow(
            theme,
            "kvCacheValue",
            words.tr("KV cache"),
            words.kv_cache_explanation(),
        )
        self._peak = FigureRow(
            theme, "peakMemoryValue", words.tr("Peak"), words.tr("The most the worker took since the last message.")
        )
        self._left = FigureRow(
            theme, "availableMemoryValue", words.tr("Left"), words.tr("Memory that this machine can still give.")
        )
        self._themed = (self._worker, self._plot, self._weights, self._kv_cache, self._peak, self._left)
        for part in self._themed:
            self.body.addWidget(part)

    def apply_theme(self, theme: Theme) -> None:
        """Take other colours and fonts."""
        super().apply_theme(theme)
        for part in self._themed:
            part.apply_theme(theme)

    def show_figures(self, figures: LiveFigures, history: tuple[float | None, ...]) -> None:
        """Show the last sample."""
        memory = figures.memory
        if memory is self._shown:
            return
        self._shown = memory
        self._plot.set_values(history)
        self._worker.set_value(bytes_text(memory.worker_resident_bytes if memory else None))
        self._weights.set_value(bytes_text(memory.weights_bytes if memory else None))
        self._kv_cache.set_value(bytes_text(memory.kv_cache_bytes if memory else None))
        self._peak.set_value(bytes_text(memory.peak_bytes if memory else None))
        self._show_left(memory)

    def _show_left(self, memory: MemoryFigures | None) -> None:
        if memory is None:
            self._since_left.invalidate()
            self._left.set_value(bytes_text(None))
        elif not self._since_left.isValid() or self._since_left.hasExpired(LEFT_EVERY_MS):
            self._since_left.start()
            self._left.set_value(bytes_text(available_memory_bytes()))
