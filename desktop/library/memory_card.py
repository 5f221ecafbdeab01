"""What a model takes in memory, term by term, against what this machine can give."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Signal
from PySide6.QtGui import QFont
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QLabel, QWidget

from desktop.library.row_painter import VERDICT_TONES
from desktop.library.words import verdict_word
from desktop.state.library_fit import Outlook
from desktop.theme.theme import Theme
from desktop.widgets.caption import Caption
from desktop.widgets.card import Card
from desktop.widgets.chip import Chip
from desktop.widgets.figure_row import FigureRow
from desktop.widgets.legend_row import LegendRow
from desktop.widgets.stacked_bar import BarPart, StackedBar
from runtime.library.verdict import Judgement, Verdict
from runtime.values.wording import bytes_text


class MemoryCard(Card):
    """Judges with the context that is chosen here.

    Signals:
        context_chosen: the user wants to know about another length of the context, in tokens.
    """

    context_chosen = Signal(int)

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(theme, parent)
        self._heading = QLabel(self.tr("Memory"), self)
        self._verdict = Chip(theme, "fitVerdict", self.tr("Does it fit"), self)
        self._context_label = QLabel(self.tr("Context"), self)
        self._context = QComboBox(self)
        self._bar = StackedBar(theme, "fitBar", self.tr("Memory by parts"), self)
        self._terms = _terms(theme, self)
        self._total = FigureRow(
            theme,
            "fitTotalValue",
            self.tr("Together"),
            self.tr("All parts together: what the model takes."),
            parent=self,
        )
        self._available = FigureRow(
            theme,
            "fitAvailableValue",
            self.tr("This machine can give"),
            self.tr("Memory that a model can have here. What the model that is loaded now takes counts as free."),
            parent=self,
        )
        self._note = Caption(theme, parent=self)
        self._note.setObjectName("fitNote")
        self._build()
        self.apply_theme(theme)

    def apply_theme(self, theme: Theme) -> None:
        """Take other colours and fonts."""
        super().apply_theme(theme)
        self._heading.setFont(theme.fonts.text(weight=QFont.Weight.DemiBold))
        self._context_label.setFont(theme.fonts.text(0.95))
        for row in (*self._terms, self._total, self._available):
            row.apply_theme(theme)
        self._verdict.apply_theme(theme)
        self._bar.apply_theme(theme)
        self._note.apply_theme(theme)

    def show_outlook(self, outlook: Outlook, contexts: Sequence[int], context: int) -> None:
        """Show how a model will be with a context of `context` tokens, one of `contexts` or cut to the last of them."""
        judgement = outlook.judgement
        need = judgement.need
        sizes = (need.weights_bytes, need.kv_cache_bytes, need.overhead_bytes)
        parts = [BarPart(term.label, size, bytes_text(size)) for term, size in zip(self._terms, sizes, strict=True)]
        self._bar.show_parts(parts, judgement.budget.available_bytes)
        for term, size in zip(self._terms, sizes, strict=True):
            term.set_value(bytes_text(size))
        self._total.set_value(bytes_text(need.total_bytes))
        self._available.set_value(bytes_text(judgement.budget.available_bytes))
        self._verdict.show_word(verdict_word(judgement.verdict, self.tr), VERDICT_TONES[judgement.verdict])
        self._note.show_text(self._advice(judgement))
        self._show_contexts(contexts, context)

    def _build(self) -> None:
        self._context.setObjectName("contextBox")
        self._context.setAccessibleName(self.tr("Context"))
        self._context.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToContents)
        self._context.setToolTip(self.tr("Tokens that a chat may hold: the KV cache grows with each of them."))
        self._context_label.setBuddy(self._context)
        self._context.activated.connect(lambda _: self.context_chosen.emit(self._context.currentData()))
        top = QHBoxLayout()
        top.addWidget(self._heading)
        top.addWidget(self._verdict)
        top.addStretch(1)
        top.addWidget(self._context_label)
        top.addWidget(self._context)
        self.body.addLayout(top)
        self.body.addWidget(self._bar)
        for row in (*self._terms, self._total, self._available, self._note):
            self.body.addWidget(row)

    def _advice(self, judgement: Judgement) -> str:
        longest, context = judgement.largest_context_tokens, judgement.need.context_tokens
        notes = []
        if judgement.verdict is Verdict.WILL_NOT_FIT and not longest:
            notes.append(self.tr("Choose a smaller model, or a form with fewer bits a weight."))
        elif judgement.verdict is Verdict.WILL_NOT_FIT:
            notes.append(self.tr("It fits with a context of up to {count} tokens.").format(count=f"{longest:,}"))
        elif judgement.verdict is Verdict.TIGHT:
            notes.append(self.tr("It will run; close other programs that need much memory."))
        elif longest > context:
            notes.append(self.tr("A context of up to {count} tokens would fit.").format(count=f"{longest:,}"))
        given_back = judgement.budget.given_back_bytes
        if given_back:
            text = self.tr("Of what this machine can give, {size} come back from the model that is loaded now.")
            notes.append(text.format(size=bytes_text(given_back)))
        return " ".join(notes)

    def _show_contexts(self, contexts: Sequence[int], context: int) -> None:
        if [self._context.itemData(place) for place in range(self._context.count())] != list(contexts):
            self._context.clear()
            for tokens in contexts:
                self._context.addItem(self.tr("{count} tokens").format(count=f"{tokens:,}"), tokens)
        chosen = max((tokens for tokens in contexts if tokens <= context), default=contexts[0] if contexts else 0)
        self._context.setCurrentIndex(self._context.findData(chosen))


def _terms(theme: Theme, parent: Card) -> tuple[LegendRow, ...]:
    texts = (
        ("fitWeightsValue", parent.tr("Weights"), parent.tr("The model itself, as it is stored.")),
        ("fitKvCacheValue", parent.tr("KV cache"), parent.tr("Keys and values of every token in the context.")),
        (
            "fitOverheadValue",
            parent.tr("Working memory"),
            parent.tr("What evaluating a piece of the prompt takes, and the process itself."),
        ),
    )
    return tuple(LegendRow(theme, index, *text, parent=parent) for index, text in enumerate(texts))
