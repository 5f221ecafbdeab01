"""Which width the KV cache has: a button for each, with what it takes and what it was measured to cost."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QButtonGroup, QRadioButton, QVBoxLayout, QWidget

from desktop.settings import model_options_words as words
from desktop.state.model_options_state import ModelFacts
from desktop.theme.theme import Theme
from desktop.widgets.caption import Caption
from runtime.library.context_choice import KV_CACHE_BITS
from runtime.library.fit import kv_cache_bytes
from runtime.library.verdict import Judgement

WIDTHS: tuple[int | None, ...] = (None, *KV_CACHE_BITS)
GAP_PX = 2
INDENT_PX = 24


class KvWidthChoice(QWidget):
    """Offers the widths that the model's cache can have.

    Signals:
        chosen: another width is chosen; carries its bits, None for the engine's own.
    """

    chosen = Signal(object)

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._group = QButtonGroup(self)
        self._buttons: list[QRadioButton] = []
        self._captions: list[Caption] = []
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(GAP_PX)
        self._about = Caption(
            theme,
            self.tr(
                "A quantized cache takes less memory, so a longer context fits. What that costs depends on the model."
            ),
            parent=self,
        )
        column.addWidget(self._about)
        for place, bits in enumerate(WIDTHS):
            self._add(theme, column, place, bits)
        self._group.idClicked.connect(lambda place: self.chosen.emit(WIDTHS[place]))

    def apply_theme(self, theme: Theme) -> None:
        """Take other colours and fonts."""
        for button in self._buttons:
            button.setFont(theme.fonts.text())
        for caption in (self._about, *self._captions):
            caption.apply_theme(theme)

    def show_widths(self, facts: ModelFacts, chosen: int | None, judgement: Judgement | None) -> None:
        """Show what each width takes at the context that is judged, and what it was measured to cost."""
        context_tokens = judgement.need.context_tokens if judgement is not None else None
        for bits, button, caption in zip(WIDTHS, self._buttons, self._captions, strict=True):
            button.setChecked(bits == chosen)
            can_have = bits in facts.widths
            button.setEnabled(can_have)
            lines = []
            if not can_have:
                lines = [self.tr("This model's KV cache cannot be quantized.")]
            elif context_tokens is not None:
                cache_bytes = kv_cache_bytes(facts.spec, context_tokens, bits)
                lines = [words.width_memory(facts.token_bytes(bits), cache_bytes, context_tokens)]
            if can_have and bits is not None:
                lines.append(words.effect_text(facts.effects.get(bits)))
            caption.show_text("\n".join(lines))
            button.setAccessibleDescription(caption.text())

    def _add(self, theme: Theme, column: QVBoxLayout, place: int, bits: int | None) -> None:
        button = QRadioButton(words.width_name(bits), self)
        button.setObjectName(f"kvWidth{bits or 'None'}Button")
        button.setAccessibleName(button.text())
        button.setToolTip(
            self.tr("As the engine computes: 16 bits, or 32 where the model does")
            if bits is None
            else self.tr("Keys and values in {bits} bits, with a scale for each few").format(bits=bits)
        )
        caption = Caption(theme, parent=self)
        caption.setObjectName(f"kvWidth{bits or 'None'}About")
        caption.setContentsMargins(INDENT_PX, 0, 0, GAP_PX * 3)
        self._group.addButton(button, place)
        self._buttons.append(button)
        self._captions.append(caption)
        column.addWidget(button)
        column.addWidget(caption)
