"""What an empty chat shows: what this is, which model will answer, and a few questions to begin with."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QColor, QFont, QPalette
from PySide6.QtWidgets import QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from desktop.theme.theme import Theme
from runtime.values.model import LoadedModel

COLUMN_PX = 460
MARGIN_PX = 16


class Welcome(QWidget):
    """Invites the first message.

    Signals:
        question_chosen: the user wants to ask this.
    """

    question_chosen = Signal(str)

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("welcome")
        self._title = QLabel(self.tr("What would you like to know?"), self)
        self._about = QLabel(self)
        self._about.setWordWrap(True)
        self._questions = [QPushButton(text, self) for text in self._starters()]
        for widget in (self._title, self._about):
            widget.setAlignment(Qt.AlignmentFlag.AlignCenter)
        for number, button in enumerate(self._questions, start=1):
            button.setObjectName(f"starterButton{number}")
            button.setAccessibleName(button.text())
            button.setCursor(Qt.CursorShape.PointingHandCursor)
            self._offer(button)
        self._lay_out()
        self.show_model(None)
        self.apply_theme(theme)

    def _lay_out(self) -> None:
        """Put everything in a column in the middle, narrower where there is no room."""
        middle = QWidget(self)
        middle.setMaximumWidth(COLUMN_PX)
        column = QVBoxLayout(middle)
        column.setContentsMargins(0, 0, 0, 0)
        column.addStretch(2)
        column.addWidget(self._title)
        column.addWidget(self._about)
        column.addSpacing(12)
        for button in self._questions:
            column.addWidget(button)
        column.addStretch(3)
        row = QHBoxLayout(self)
        row.setContentsMargins(MARGIN_PX, 0, MARGIN_PX, 0)
        row.addStretch()
        row.addWidget(middle, 1)
        row.addStretch()

    def apply_theme(self, theme: Theme) -> None:
        """Take other colours and fonts."""
        self._title.setFont(theme.fonts.text(1.7, weight=QFont.Weight.DemiBold))
        self._about.setFont(theme.fonts.text())
        palette = self._about.palette()
        palette.setColor(QPalette.ColorRole.WindowText, QColor(theme.colors.muted))
        self._about.setPalette(palette)
        for button in self._questions:
            button.setFont(theme.fonts.text())

    def show_model(self, model: LoadedModel | None) -> None:
        """Say who will answer."""
        if model is None:
            self._about.setText(self.tr("Everything runs on this machine; nothing leaves it."))
        elif model.is_demo:
            self._about.setText(
                self.tr(
                    "A tiny demo model answers here. It knows about inference and little else; choose a real one above."
                )
            )
        else:
            self._about.setText(self.tr("{name} answers on this machine; nothing leaves it.").format(name=model.name))

    def _offer(self, button: QPushButton) -> None:
        button.clicked.connect(lambda: self.question_chosen.emit(button.text()))

    def _starters(self) -> tuple[str, ...]:
        return (
            self.tr("What is the time to first token?"),
            self.tr("What does the KV cache hold?"),
            self.tr("What does INT4 cost in quality?"),
        )
