"""The welcome of the first start: what this is, what this machine can run, and two ways to go on.

It stands where an empty chat has its own welcome. The field for messages is below it all the while: whoever writes at
once need not read it.
"""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QColor, QFont, QPalette
from PySide6.QtWidgets import QHBoxLayout, QLabel, QPushButton, QScrollArea, QVBoxLayout, QWidget

from desktop.state.engine_state import EngineState, EngineStatus, LoadFailed, Loading, NoModel, Serving
from desktop.state.machine_outlook import MachineOutlook, OutlookState, SuggestedModel
from desktop.theme.theme import Theme
from desktop.widgets.caption import Caption
from desktop.widgets.card import Card
from runtime.values.wording import bytes_text, speed_text

COLUMN_PX = 520
MARGIN_PX = 16
GAP_PX = 14
TITLE_SIZE = 1.9


class Greeting(QScrollArea):
    """Scrolls where there is no room for all of it.

    Signals:
        models_wanted: the user wants to choose a real model.
        started: the user has read it.
    """

    models_wanted = Signal()
    started = Signal()

    def __init__(self, theme: Theme, state: OutlookState, engine: EngineState, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._state = state
        self._title = QLabel(self.tr("Welcome to First Token"), self)
        self._about = QLabel(
            self.tr(
                "Language models run here, on this machine. While they answer you see what it costs: the time to the"
                " first token, tokens per second, memory. Nothing you write leaves it."
            ),
            self,
        )
        self._machine = _Entry(theme, self.tr("This machine"), "greetingMachine", self)
        self._suggestion = _Entry(theme, self.tr("What it can run"), "greetingSuggestion", self)
        self._model = _Entry(theme, self.tr("Ready to try"), "greetingModel", self)
        self._choose = QPushButton(self.tr("Choose a real model…"), self)
        self._start = QPushButton(self.tr("Start chatting"), self)
        self._card = Card(theme, self)
        self._build()
        self._connect(engine)
        self.apply_theme(theme)
        self._show_outlook()
        self._show_model(engine.status)

    def apply_theme(self, theme: Theme) -> None:
        """Take other colours and fonts."""
        self._title.setFont(theme.fonts.text(TITLE_SIZE, weight=QFont.Weight.DemiBold))
        self._about.setFont(theme.fonts.text())
        palette = self._about.palette()
        palette.setColor(QPalette.ColorRole.WindowText, QColor(theme.colors.muted))
        self._about.setPalette(palette)
        for part in (self._card, self._machine, self._suggestion, self._model):
            part.apply_theme(theme)
        for button in (self._choose, self._start):
            button.setFont(theme.fonts.text())

    def _build(self) -> None:
        self.setObjectName("greeting")
        self.setFrameShape(QScrollArea.Shape.NoFrame)
        self.setWidgetResizable(True)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.viewport().setAutoFillBackground(False)
        for label in (self._title, self._about):
            label.setWordWrap(True)
            label.setAlignment(Qt.AlignmentFlag.AlignCenter)
            label.setTextFormat(Qt.TextFormat.PlainText)
        self._title.setObjectName("greetingTitle")
        self._about.setObjectName("greetingAbout")
        for button, name in ((self._choose, "greetingModelsButton"), (self._start, "greetingStartButton")):
            button.setObjectName(name)
            button.setAccessibleName(button.text())
            button.setCursor(Qt.CursorShape.PointingHandCursor)
        self._choose.setToolTip(self.tr("Find one that suits this machine, and download it"))
        self._start.setToolTip(self.tr("Ask the demo model something"))
        for entry in (self._machine, self._suggestion, self._model):
            self._card.body.addWidget(entry)
        self._card.body.setSpacing(GAP_PX)
        self._lay_out()

    def _lay_out(self) -> None:
        """Put everything in a column in the middle, narrower where there is no room."""
        buttons = QHBoxLayout()
        buttons.addStretch()
        buttons.addWidget(self._choose)
        buttons.addWidget(self._start)
        buttons.addStretch()
        content = QWidget(self)
        content.setAutoFillBackground(False)
        middle = QWidget(content)
        middle.setMaximumWidth(COLUMN_PX)
        column = QVBoxLayout(middle)
        column.setContentsMargins(0, MARGIN_PX, 0, MARGIN_PX)
        column.setSpacing(GAP_PX)
        column.addStretch(2)
        for part in (self._title, self._about, self._card):
            column.addWidget(part)
        column.addLayout(buttons)
        column.addStretch(3)
        row = QHBoxLayout(content)
        row.setContentsMargins(MARGIN_PX, 0, MARGIN_PX, 0)
        row.addStretch()
        row.addWidget(middle, 1)
        row.addStretch()
        self.setWidget(content)

    def _connect(self, engine: EngineState) -> None:
        self._choose.clicked.connect(self.models_wanted)
        self._start.clicked.connect(self.started)
        self._state.changed.connect(self._show_outlook)
        engine.status_changed.connect(self._show_model)

    def _show_outlook(self) -> None:
        outlook = self._state.outlook
        if outlook is None:
            self._machine.show_text(self.tr("Looking at it…"))
            self._suggestion.show_text("–")
            return
        self._machine.show_text(self._machine_words(outlook))
        self._suggestion.show_text(self._suggestion_words(outlook.suggested))

    def _machine_words(self, outlook: MachineOutlook) -> str:
        return self.tr("{chip}, {memory} of memory, {available} of it for a model now").format(
            chip=outlook.device.chip,
            memory=bytes_text(outlook.device.total_memory_bytes),
            available=bytes_text(outlook.available_bytes),
        )

    def _suggestion_words(self, model: SuggestedModel | None) -> str:
        if model is None:
            return self.tr("None of the suggested models runs well in that; small ones may still do.")
        named = {"name": model.name, "form": model.quantization, "size": bytes_text(model.download_bytes)}
        if model.tokens_per_second is None:
            text = self.tr("Up to {name} in {form}, a download of {size}. How fast, is being measured.")
            return text.format(**named)
        text = self.tr("{name} in {form} runs well: about {speed}, a download of {size}.")
        return text.format(**named, speed=speed_text(model.tokens_per_second))

    def _show_model(self, status: EngineStatus) -> None:
        match status:
            case NoModel() | Loading():
                text = self.tr("The demo model is being loaded…")
            case Serving(model=model) if model.is_demo:
                text = self.tr("The demo model: tiny, part of the app. It knows about inference and little else.")
            case Serving(model=model):
                text = self.tr("{name} answers.").format(name=model.name)
            case LoadFailed(error=error):
                text = f"{error.what} {error.next_step}"
        self._model.show_text(text)


class _Entry(QWidget):
    """A heading and a sentence."""

    def __init__(self, theme: Theme, heading: str, name: str, parent: QWidget) -> None:
        super().__init__(parent)
        self._heading = Caption(theme, heading, parent=self)
        self._text = QLabel(self)
        self._text.setObjectName(name)
        self._text.setAccessibleName(heading)
        self._text.setWordWrap(True)
        self._text.setTextFormat(Qt.TextFormat.PlainText)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(2)
        column.addWidget(self._heading)
        column.addWidget(self._text)
        self.apply_theme(theme)

    def apply_theme(self, theme: Theme) -> None:
        """Take other colours and fonts."""
        self._heading.apply_theme(theme)
        self._text.setFont(theme.fonts.text())

    def show_text(self, text: str) -> None:
        """Say something else."""
        self._text.setText(text)
