"""The dialog in which the model in use gets its context and the width of its KV cache, with what each takes here."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
from PySide6.QtCore import QSize, Signal
from PySide6.QtGui import QFont
from PySide6.QtWidgets import QDialog, QDialogButtonBox, QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from desktop.settings.kv_width_choice import KvWidthChoice
from desktop.settings.model_options_words import advice, automatic_text, verdict_word
from desktop.settings.page import Page
from desktop.state.model_options_state import ModelOptionsState
from desktop.tasks import Tasks
from desktop.theme.theme import Theme
from desktop.widgets.caption import Caption, Tone
from desktop.widgets.chip import Chip, ChipTone
from desktop.widgets.figure_row import FigureRow
from desktop.widgets.question import ask
from desktop.widgets.stop_slider import StopSlider
from runtime.library.verdict import Verdict
from runtime.values.wording import bytes_text

WIDTH_LINES, HEIGHT_LINES = 34, 42
MARGIN_PX = 10
HEAD_MARGIN_PX = 16
TONES = {Verdict.FITS: ChipTone.GOOD, Verdict.TIGHT: ChipTone.WARNING, Verdict.WILL_NOT_FIT: ChipTone.BAD}


class ModelOptionsDialog(QDialog):
    """Applying loads the model anew; while a reply runs, it asks first.

    Signals:
        measure_requested: the user wants to know what a quantized cache costs.
    """

    measure_requested = Signal()

    def __init__(
        self,
        theme: Theme,
        state: ModelOptionsState,
        tasks: Tasks,
        is_busy: Callable[[], bool],
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._state = state
        self._tasks = tasks
        self._is_busy = is_busy
        self._page = Page(theme, "modelOptionsPage", self)
        self._name = QLabel(self)
        self._problem = Caption(theme, tone=Tone.BAD, parent=self)
        self._slider = StopSlider(theme, "contextSlider", self.tr("Context length"), [""], self)
        self._about = Caption(theme, parent=self)
        self._verdict = Chip(theme, "modelOptionsVerdict", self.tr("Does it fit"), self)
        self._rows = _rows(theme, self)
        self._advice = Caption(theme, parent=self)
        self._widths = KvWidthChoice(theme, self)
        self._measure = QPushButton(self.tr("Measure…"), self)
        self._buttons = QDialogButtonBox(self)
        self._apply_button = self._add_buttons()
        self._stops: tuple[int | None, ...] = (None,)
        self._build()
        self._connect()
        self.apply_theme(theme)
        self.resize(self.sizeHint())

    def apply_theme(self, theme: Theme) -> None:
        """Take other colours and fonts."""
        self.setFont(theme.fonts.text())
        self._name.setFont(theme.fonts.text(weight=QFont.Weight.DemiBold))
        self._measure.setFont(theme.fonts.text(0.95))
        for caption in (self._problem, self._about, self._advice):
            caption.apply_theme(theme)
        for part in (self._page, self._slider, self._verdict, self._widths):
            part.apply_theme(theme)
        for row in self._rows:
            row.apply_theme(theme)

    def sizeHint(self) -> QSize:
        """Return a size in proportion to the text, within the screen."""
        line = self.fontMetrics().height()
        room = self.screen().availableSize()
        return QSize(min(WIDTH_LINES * line, room.width()), min(HEIGHT_LINES * line, room.height()))

    def present(self) -> None:
        """Show what there is to choose for the model in use."""
        self._tasks.start(self._state.refresh(), "read the model's options")
        self.open()

    def accept(self) -> None:
        """Apply, and close; a reply under way is ended only after a question."""
        if not self._is_busy():
            self._apply()
            return
        question = self.tr("A reply is being written. Loading the model anew ends it; what there is of it stays.")
        ask(self, "reloadModel", question, self.tr("Load anew"), self._apply)

    def _apply(self) -> None:
        self._tasks.start(self._state.apply(), "load the model with other options")
        super().accept()

    def _build(self) -> None:
        self.setObjectName("modelOptionsDialog")
        self.setWindowTitle(self.tr("Context and KV cache"))
        self._name.setObjectName("modelOptionsName")
        self._name.setAccessibleName(self.tr("Model"))
        self._problem.setObjectName("modelOptionsProblem")
        self._about.setObjectName("contextAbout")
        self._advice.setObjectName("modelOptionsAdvice")
        self._measure.setObjectName("measureKvWidthsButton")
        self._measure.setAccessibleName(self.tr("Measure what a quantized KV cache costs"))
        self._measure.setToolTip(self.tr("Opens the benchmark with this model and each width, scored on a text"))
        self._measure.setAutoDefault(False)
        context = self._page.add_group("")
        for part in (self._slider, self._about, self._total_line(), *self._rows, self._advice):
            context.add(part)
        cache = self._page.add_group(self.tr("KV cache"))
        cache.add(self._widths)
        cache.add(self._measure, is_narrow=True)
        column = QVBoxLayout(self)
        column.setContentsMargins(MARGIN_PX, MARGIN_PX, MARGIN_PX, MARGIN_PX)
        for label in (self._name, self._problem):
            label.setContentsMargins(HEAD_MARGIN_PX, HEAD_MARGIN_PX // 2, HEAD_MARGIN_PX, 0)
            column.addWidget(label)
        column.addWidget(self._page, 1)
        column.addWidget(self._buttons)

    def _add_buttons(self) -> QPushButton:
        apply = self._buttons.addButton(self.tr("Apply and load"), QDialogButtonBox.ButtonRole.AcceptRole)
        apply.setObjectName("applyModelOptionsButton")
        apply.setAccessibleName(apply.text())
        apply.setToolTip(self.tr("Loads the model anew; the choice is remembered for this model"))
        apply.setDefault(True)
        cancel = self._buttons.addButton(QDialogButtonBox.StandardButton.Cancel)
        cancel.setObjectName("cancelModelOptionsButton")
        cancel.setAccessibleName(cancel.text().replace("&", ""))
        cancel.setToolTip(self.tr("Leave the model as it is"))
        return apply

    def _total_line(self) -> QWidget:
        line = QWidget(self)
        row = QHBoxLayout(line)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(QLabel(self.tr("Memory"), line))
        row.addWidget(self._verdict)
        row.addStretch(1)
        return line

    def _connect(self) -> None:
        self._state.changed.connect(self._show)
        self._slider.moved.connect(self._choose_context)
        self._widths.chosen.connect(self._choose_width)
        self._measure.clicked.connect(self._ask_to_measure)
        self._buttons.accepted.connect(self.accept)
        self._buttons.rejected.connect(self.reject)

    def _choose_context(self, stop: int) -> None:
        self._state.choose(msgspec.structs.replace(self._state.chosen, context_tokens=self._stops[stop]))

    def _choose_width(self, bits: int | None) -> None:
        self._state.choose(msgspec.structs.replace(self._state.chosen, kv_cache_bits=bits))

    def _ask_to_measure(self) -> None:
        super().reject()
        self.measure_requested.emit()

    def _show(self) -> None:
        state, facts = self._state, self._state.facts
        problem = state.problem
        self._name.setText(facts.name if facts is not None else self.tr("No model is loaded."))
        self._problem.show_text(f"{problem.what} {problem.next_step}" if problem is not None else "")
        self._page.setVisible(facts is not None)
        if facts is None:
            self._apply_button.setEnabled(False)
            return
        chosen, judgement = state.chosen, state.judgement(state.chosen.kv_cache_bits)
        stops = facts.stops(chosen.kv_cache_bits)
        if chosen.context_tokens is not None and chosen.context_tokens not in stops:
            stops = tuple(sorted({*stops, chosen.context_tokens}))
        self._stops = (None, *stops)
        automatic = automatic_text(state.automatic_tokens)
        texts = [automatic, *(self.tr("{count} tokens").format(count=f"{tokens:,}") for tokens in stops)]
        self._slider.show_texts(texts, self._stops.index(chosen.context_tokens))
        self._about.show_text(
            self.tr(
                "How much of a chat the model can look back on. Automatic takes what suits the model and this machine."
            )
        )
        self._widths.show_widths(facts, chosen.kv_cache_bits, judgement)
        self._measure.setVisible(len(facts.widths) > 1)
        if judgement is not None:
            need = judgement.need
            self._verdict.show_word(verdict_word(judgement.verdict), TONES[judgement.verdict])
            sizes = (need.kv_cache_bytes, need.total_bytes - need.kv_cache_bytes, need.total_bytes)
            for row, size in zip(self._rows, (*sizes, judgement.budget.available_bytes), strict=True):
                row.set_value(bytes_text(size))
        self._advice.show_text(advice(judgement))
        fits = judgement is not None and judgement.verdict is not Verdict.WILL_NOT_FIT
        self._apply_button.setEnabled(fits and chosen != state.applied)


def _rows(theme: Theme, parent: QWidget) -> tuple[FigureRow, ...]:
    texts = (
        ("optionsKvCacheValue", parent.tr("KV cache, when full"), parent.tr("Keys and values of every token.")),
        ("optionsOthersValue", parent.tr("Weights and working memory"), parent.tr("The same whatever is chosen here.")),
        ("optionsTotalValue", parent.tr("Together"), parent.tr("What the model takes at the end of its context.")),
        (
            "optionsBudgetValue",
            parent.tr("This machine can give"),
            parent.tr("What the model takes now counts as free."),
        ),
    )
    return tuple(FigureRow(theme, *text, parent=parent) for text in texts)
