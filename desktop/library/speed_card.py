"""How fast a model will write and answer on this machine, foretold before it is downloaded."""

from __future__ import annotations

from PySide6.QtGui import QFont
from PySide6.QtWidgets import QLabel, QWidget

from desktop.theme.theme import Theme
from desktop.widgets.caption import Caption
from desktop.widgets.card import Card
from desktop.widgets.figure_row import FigureRow
from runtime.library.predictions import USUAL_PROMPT_TOKENS, Prediction
from runtime.values.wording import UNDEFINED, milliseconds_text, speed_text


class SpeedCard(Card):
    """How fast a model will write and answer, foretold."""

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(theme, parent)
        self._heading = QLabel(self.tr("Speed here, foretold"), self)
        self._speed = FigureRow(
            theme,
            "predictedSpeedValue",
            self.tr("Writing"),
            self.tr("From the memory bandwidth measured on this machine and the bytes that each token reads."),
            parent=self,
        )
        self._ttft = FigureRow(
            theme,
            "predictedTtftValue",
            self.tr("First token after {count} tokens").format(count=USUAL_PROMPT_TOKENS),
            self.tr("Time to first token for a prompt of that length, from how fast earlier prompts were read here."),
            parent=self,
        )
        self._note = Caption(theme, parent=self)
        self._note.setObjectName("predictionNote")
        for row in (self._heading, self._speed, self._ttft, self._note):
            self.body.addWidget(row)
        self.apply_theme(theme)

    def apply_theme(self, theme: Theme) -> None:
        """Take other colours and fonts."""
        super().apply_theme(theme)
        self._heading.setFont(theme.fonts.text(weight=QFont.Weight.DemiBold))
        self._speed.apply_theme(theme)
        self._ttft.apply_theme(theme)
        self._note.apply_theme(theme)

    def show_prediction(self, prediction: Prediction) -> None:
        """Show what is foretold, and what it is based on."""
        self._speed.set_value(self._about(speed_text(prediction.tokens_per_second)))
        self._ttft.set_value(self._about(milliseconds_text(prediction.ttft_ms)))
        self._note.show_text(self._basis(prediction))

    def _about(self, text: str) -> str:
        return text if text == UNDEFINED else self.tr("about {figure}").format(figure=text)

    def _basis(self, prediction: Prediction) -> str:
        if prediction.tokens_per_second is None:
            return self.tr("Not known yet: the memory's speed is measured once a model of this kind has been loaded.")
        if prediction.replies == 0:
            return self.tr("From the measured memory bandwidth. It gets better with each reply on this machine.")
        if prediction.replies == 1:
            return self.tr("Corrected by one reply on this machine.")
        return self.tr("Corrected by {count} replies on this machine.").format(count=prediction.replies)
