"""The answer to "why was this slow?" about one reply: where its time went, and what had to be read again."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtGui import QColor, QFont, QPalette
from PySide6.QtWidgets import QDialog, QDialogButtonBox, QLabel, QVBoxLayout, QWidget

from desktop.chat.wait_words import WaitExplanation
from desktop.theme.theme import Theme
from desktop.widgets.caption import Caption
from desktop.widgets.card import Card
from desktop.widgets.waterfall import Waterfall

WIDTH_LINES = 26
MARGIN_PX = 16
GAP_PX = 10


class WaitDialog(QDialog):
    """Shows one explanation; it goes when it is closed."""

    def __init__(self, theme: Theme, explanation: WaitExplanation, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("waitDialog")
        self.setWindowTitle(self.tr("Why was this slow?"))
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self._column = QVBoxLayout(self)
        self._headline = self._text("waitHeadline", explanation.headline)
        self._cause = self._text("waitCause", explanation.cause)
        self._card = Card(theme, self)
        self._parts = Waterfall(theme, self)
        self._parts.setObjectName("waitWaterfall")
        self._parts.setAccessibleName(self.tr("Parts of the time to first token"))
        self._parts.set_rows(explanation.parts)
        self._prompt = Caption(theme, explanation.prompt, parent=self)
        self._missed = self._text("waitMissed", explanation.missed)
        self._advice = Caption(theme, explanation.advice, parent=self)
        self._name(self._prompt, "waitPrompt")
        self._name(self._advice, "waitAdvice")
        self._advice.setVisible(bool(explanation.advice))
        self._lay_out()
        self.apply_theme(theme)

    def apply_theme(self, theme: Theme) -> None:
        """Take other colours and fonts."""
        self.setFont(theme.fonts.text())
        self._headline.setFont(theme.fonts.text(1.15, weight=QFont.Weight.DemiBold))
        self._missed.setFont(theme.fonts.text(weight=QFont.Weight.DemiBold))
        self._cause.setFont(theme.fonts.text())
        for label in (self._headline, self._cause, self._missed):
            palette = label.palette()
            palette.setColor(QPalette.ColorRole.WindowText, QColor(theme.colors.text))
            label.setPalette(palette)
        for part in (self._card, self._parts, self._prompt, self._advice):
            part.apply_theme(theme)
        self._fit()

    def _fit(self) -> None:
        """Be as wide as is good to read, and as high as the texts need at that width."""
        width = min(WIDTH_LINES * self.fontMetrics().height(), self.screen().availableSize().width())
        self._column.activate()
        self.setFixedSize(width, self._column.totalHeightForWidth(width))

    def _text(self, name: str, text: str) -> QLabel:
        label = QLabel(text, self)
        label.setTextFormat(Qt.TextFormat.PlainText)
        label.setWordWrap(True)
        label.setVisible(bool(text))
        self._name(label, name)
        return label

    def _name(self, label: QLabel, name: str) -> None:
        label.setObjectName(name)
        label.setAccessibleName(label.text())
        label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)

    def _lay_out(self) -> None:
        self._card.body.addWidget(self._parts)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close, self)
        close = buttons.button(QDialogButtonBox.StandardButton.Close)
        close.setObjectName("waitCloseButton")
        close.setAccessibleName(self.tr("Close"))
        close.setToolTip(self.tr("Close (Esc)"))
        buttons.rejected.connect(self.close)
        column = self._column
        column.setContentsMargins(MARGIN_PX, MARGIN_PX, MARGIN_PX, MARGIN_PX)
        column.setSpacing(GAP_PX)
        for part in (self._headline, self._cause, self._card, self._prompt, self._missed, self._advice, buttons):
            column.addWidget(part)
