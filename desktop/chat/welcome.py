"""What an empty chat shows: what this is, which model will answer, and a few questions to begin with."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QColor, QFont, QPalette
from PySide6.QtWidgets import QLabel, QPushButton, QSizePolicy, QVBoxLayout, QWidget

from desktop.theme.theme import Theme
from runtime.values.model import LoadedModel

COLUMN_PX = 460


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
        column = QVBoxLayout(self)
        column.addStretch(2)
        for widget in (self._title, self._about):
            widget.setAlignment(Qt.AlignmentFlag.AlignCenter)
            column.addWidget(widget)
        column.addSpacing(12)
        for number, button in enumerate(self._questions, start=1):
            button.setObjectName(f"starterButton{number}")
            button.setAccessibleName(button.text())
            button.setFixedWidth(COLUMN_PX)
            button.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
            button.setCursor(Qt.CursorShape.PointingHandCursor)
            self._offer(button)
            column.addWidget(button, 0, Qt.AlignmentFlag.AlignHCenter)
        column.addStretch(3)
        self.show_model(None)
        self.apply_theme(theme)

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
