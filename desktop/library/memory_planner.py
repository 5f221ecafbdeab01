"""The memory planner: what any model takes, to run it and to train it, by size, precision, context and batch."""

from __future__ import annotations

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QColor, QFont, QPalette, QResizeEvent
from PySide6.QtWidgets import QFrame, QGridLayout, QLabel, QScrollArea, QVBoxLayout, QWidget

from desktop.library.plan_card import PlanCard, Term
from desktop.library.precision_chart import PrecisionChart
from desktop.state.library_fit import FitState
from desktop.theme.theme import Theme
from desktop.widgets.caption import Caption
from desktop.widgets.card import Card
from desktop.widgets.stop_slider import StopSlider
from runtime.library.planner import PlannedModel, Precision, plan_inference, plan_training
from runtime.values.wording import bytes_text, count_text

MARGIN_PX = 16
GAP_PX = 12
TWO_COLUMNS_LINES = 44
"""From this width on, cards stand side by side."""

PARAMETERS = tuple(
    round(billions * 1e9)
    for billions in (
        *(0.1, 0.3, 0.6, 1, 1.7, 3, 4, 7, 8, 9, 12, 14, 20, 24, 27, 32, 40, 49, 70, 104, 120, 180, 235, 405, 671, 1000),
    )
)
CONTEXTS = tuple(2**power for power in range(9, 21))
BATCHES = tuple(2**power for power in range(9))
PRECISIONS = (Precision.INT4, Precision.INT8, Precision.FP16, Precision.FP32)
USUAL = (PARAMETERS.index(8_000_000_000), 0, CONTEXTS.index(8192), 0)


class MemoryPlanner(QScrollArea):
    """Nothing here is loaded or downloaded: it is arithmetic, and says so."""

    def __init__(self, theme: Theme, fit: FitState, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._fit = fit
        self._content = QWidget(self)
        self._controls = Card(theme, self._content)
        self._parameters, self._precision, self._context, self._batch = self._sliders(theme)
        self._weights = Card(theme, self._content)
        self._heading = QLabel(self.tr("Weights by precision"), self._weights)
        self._chart = PrecisionChart(theme, self._weights)
        self._machine = Caption(theme, parent=self._weights)
        self._running = PlanCard(
            theme,
            "planRunning",
            self.tr("To run it"),
            self._running_terms(),
            self.tr("A forward pass only: the weights are read once for each token."),
            self._content,
        )
        self._training = PlanCard(
            theme,
            "planTraining",
            self.tr("To train it"),
            self._training_terms(),
            self.tr(
                "With AdamW in mixed precision, about 16 bytes a parameter whatever the precision it is run in later:"
                " 2 for the weights, 2 for gradients, 12 for the optimizer; and activations on top."
            ),
            self._content,
        )
        self._columns = 0
        self._build()
        self.apply_theme(theme)
        fit.changed.connect(self._plan)
        self._plan()

    def apply_theme(self, theme: Theme) -> None:
        """Take other colours and fonts."""
        palette = self.palette()
        palette.setColor(QPalette.ColorRole.Window, QColor(theme.colors.window))
        self.setPalette(palette)
        self._heading.setFont(theme.fonts.text(weight=QFont.Weight.DemiBold))
        for slider in (self._parameters, self._precision, self._context, self._batch):
            slider.apply_theme(theme)
        for card in (self._controls, self._weights, self._running, self._training):
            card.apply_theme(theme)
        self._chart.apply_theme(theme)
        self._machine.apply_theme(theme)

    def minimumSizeHint(self) -> QSize:
        """Return the width of one column."""
        bar = self.verticalScrollBar().sizeHint().width()
        least = max(card.minimumSizeHint().width() for card in (self._controls, self._running, self._training))
        return QSize(least + 2 * MARGIN_PX + bar, super().minimumSizeHint().height())

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Put the cards side by side where there is room."""
        super().resizeEvent(event)
        columns = 2 if self.viewport().width() >= TWO_COLUMNS_LINES * self.fontMetrics().height() else 1
        if columns != self._columns:
            self._columns = columns
            self._place(columns)

    def _sliders(self, theme: Theme) -> tuple[StopSlider, StopSlider, StopSlider, StopSlider]:
        parameters = [count_text(count) for count in PARAMETERS]
        contexts = [self.tr("{count} tokens").format(count=f"{tokens:,}") for tokens in CONTEXTS]
        batches = [str(batch) for batch in BATCHES]
        names = [one.title for one in PRECISIONS]
        parent = self._controls
        return (
            StopSlider(theme, "parametersSlider", self.tr("Parameters"), parameters, parent),
            StopSlider(theme, "precisionSlider", self.tr("Precision"), names, parent),
            StopSlider(theme, "plannedContextSlider", self.tr("Context"), contexts, parent),
            StopSlider(theme, "batchSlider", self.tr("Batch"), batches, parent),
        )

    def _build(self) -> None:
        self.setObjectName("memoryPlanner")
        self.setAccessibleName(self.tr("Memory planner"))
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setWidgetResizable(True)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        sliders = (self._parameters, self._precision, self._context, self._batch)
        for slider, stop in zip(sliders, USUAL, strict=True):
            self._controls.body.addWidget(slider)
            slider.choose(stop)
            slider.moved.connect(lambda _stop: self._plan())
        self._controls.body.addStretch(1)
        for part in (self._heading, self._chart, self._machine):
            self._weights.body.addWidget(part)
        self._weights.body.addStretch(1)
        self._machine.setObjectName("planMachine")
        column = QVBoxLayout(self._content)
        column.setContentsMargins(MARGIN_PX, MARGIN_PX, MARGIN_PX, MARGIN_PX)
        self._grid = QGridLayout()
        self._grid.setSpacing(GAP_PX)
        column.addLayout(self._grid)
        column.addStretch(1)
        self.setWidget(self._content)
        self._place(1)

    def _place(self, columns: int) -> None:
        cards = (self._controls, self._weights, self._running, self._training)
        for number, card in enumerate(cards):
            self._grid.addWidget(card, number // columns, number % columns)
        for column in range(2):
            self._grid.setColumnStretch(column, 1 if column < columns else 0)

    def _plan(self) -> None:
        """Work it out anew and show it."""
        precision = PRECISIONS[self._precision.stop]
        model = PlannedModel(
            parameters=PARAMETERS[self._parameters.stop],
            bits_per_weight=precision.value,
            context_tokens=CONTEXTS[self._context.stop],
            batch=BATCHES[self._batch.stop],
        )
        budget = self._fit.machine.budget if self._fit.machine is not None else None
        run, train = plan_inference(model), plan_training(model)
        self._running.show_sizes((run.weights_bytes, run.kv_cache_bytes, run.overhead_bytes), budget)
        self._training.show_sizes(
            (train.weights_bytes, train.gradients_bytes, train.optimizer_bytes, train.activations_bytes), budget
        )
        available = budget.available_bytes if budget is not None else None
        self._chart.show_weights(model.parameters, precision, available)
        size = bytes_text(available)
        self._machine.show_text(self.tr("A model can have {size} on this machine.").format(size=size) if budget else "")

    def _running_terms(self) -> tuple[Term, ...]:
        return (
            ("planWeightsValue", self.tr("Weights"), self.tr("Parameters × bits a weight ÷ 8.")),
            (
                "planKvCacheValue",
                self.tr("KV cache"),
                self.tr("Keys and values, 16 bits each, of every token in every sequence of the batch."),
            ),
            ("planOverheadValue", self.tr("Working memory"), self.tr("What evaluating a piece of the prompt takes.")),
        )

    def _training_terms(self) -> tuple[Term, ...]:
        return (
            ("planTrainedWeightsValue", self.tr("Weights"), self.tr("16 bits each.")),
            ("planGradientsValue", self.tr("Gradients"), self.tr("16 bits for each parameter.")),
            (
                "planOptimizerValue",
                self.tr("AdamW states"),
                self.tr("Weights in 32 bits, momentum and variance: 12 bytes for each parameter."),
            ),
            (
                "planActivationsValue",
                self.tr("Activations"),
                self.tr("What is kept of every token for the way back: it grows with context and batch."),
            ),
        )
