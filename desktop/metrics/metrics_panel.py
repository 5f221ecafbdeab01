"""The panel: four cards, from the speed of the reply to the model behind it."""

from __future__ import annotations

from PySide6.QtCore import Qt, QTimer
from PySide6.QtWidgets import QFrame, QScrollArea, QVBoxLayout, QWidget

from desktop.metrics import figures_text as words
from desktop.metrics.memory_card import MemoryCard
from desktop.metrics.model_card import ModelCard
from desktop.metrics.speed_card import SpeedCard
from desktop.metrics.ttft_card import TtftCard
from desktop.state.engine_state import EngineState, EngineStatus, Serving
from desktop.state.metrics_state import MetricsState
from desktop.theme.theme import Theme

MARGIN_PX = 12
SPACING_PX = 10
FRAME_MS = 250


class MetricsPanel(QScrollArea):
    """Watches the figures of the reply under way and the model that writes it."""

    def __init__(self, theme: Theme, metrics: MetricsState, engine: EngineState, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._metrics = metrics
        self._engine = engine
        self.setObjectName("metricsPanel")
        self.setAccessibleName(words.tr("Live figures"))
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        content = QWidget(self)
        self._speed = SpeedCard(theme, content)
        self._ttft = TtftCard(theme, content)
        self._memory = MemoryCard(theme, content)
        self._model = ModelCard(theme, content)
        column = QVBoxLayout(content)
        column.setContentsMargins(MARGIN_PX, MARGIN_PX, MARGIN_PX, MARGIN_PX)
        column.setSpacing(SPACING_PX)
        for card in (self._speed, self._ttft, self._memory, self._model):
            column.addWidget(card)
        column.addStretch(1)
        self.setWidget(content)
        self._frame = QTimer(self)
        self._frame.setSingleShot(True)
        self._frame.setInterval(FRAME_MS)
        self._frame.timeout.connect(self._show_figures)
        metrics.changed.connect(self._show_soon)
        engine.status_changed.connect(self._show_model)
        self._show_figures()
        self._show_model(engine.status)

    def apply_theme(self, theme: Theme) -> None:
        """Take other colours and fonts."""
        for card in (self._speed, self._ttft, self._memory, self._model):
            card.apply_theme(theme)

    def _show_soon(self) -> None:
        """Figures change with every token; showing them four times a second is as much as can be read."""
        if not self._frame.isActive():
            self._frame.start()

    def _show_figures(self) -> None:
        figures = self._metrics.figures
        self._speed.show_figures(figures, tuple(self._metrics.speed_history))
        self._ttft.show_figures(figures)
        self._memory.show_figures(figures, tuple(self._metrics.memory_history))
        self._model.show_figures(figures)

    def _show_model(self, status: EngineStatus) -> None:
        self._model.show_model(status.model if isinstance(status, Serving) else None)
