"""How to get at a model that is given only to people who accept its terms: where to accept, and a field for a token."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QHBoxLayout, QLineEdit, QPushButton, QVBoxLayout, QWidget

from desktop.theme.theme import Theme
from desktop.widgets.caption import Caption, Tone


class TokenForm(QWidget):
    """What is typed is hidden, and gone from the field once it has been taken.

    Signals:
        entered: the user typed a token.
        forget_requested: the user wants the one that is kept to be forgotten.
        page_requested: the user wants to see the page where terms are accepted; carries its address.
    """

    entered = Signal(str)
    forget_requested = Signal()
    page_requested = Signal(str)

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._page = ""
        self._steps = Caption(
            theme,
            self.tr(
                "1. Open the model's page, log in and accept the terms. 2. Make an access token that may read, in the"
                " account's settings there. 3. Enter it here: it is kept in this system's keychain, and sent to the"
                " Hub alone."
            ),
            parent=self,
        )
        self._open = QPushButton(self.tr("Open the model's page"), self)
        self._field = QLineEdit(self)
        self._use = QPushButton(self.tr("Use token"), self)
        self._forget = QPushButton(self.tr("Forget kept token"), self)
        self._problem = Caption(theme, tone=Tone.BAD, parent=self)
        self._build()

    def apply_theme(self, theme: Theme) -> None:
        """Take other colours and fonts."""
        self._steps.apply_theme(theme)
        self._problem.apply_theme(theme)

    def show_page(self, page: str) -> None:
        """Offer the page at this address; nothing offers none."""
        self._page = page
        self._open.setVisible(bool(page))
        self._open.setToolTip(page)

    def offer_forgetting(self, *, offered: bool) -> None:
        """Offer to forget the token that is kept, or not, where there is none."""
        self._forget.setVisible(offered)

    def show_problem(self, text: str) -> None:
        """Say what is wrong with what was typed; nothing takes that back."""
        self._problem.show_text(text)

    def _build(self) -> None:
        self._open.setObjectName("openTermsButton")
        self._field.setObjectName("tokenField")
        self._field.setAccessibleName(self.tr("Access token"))
        self._field.setPlaceholderText(self.tr("Access token (hf_…)"))
        self._field.setEchoMode(QLineEdit.EchoMode.Password)
        self._use.setObjectName("useTokenButton")
        self._problem.setObjectName("tokenProblem")
        self._problem.hide()
        self._forget.setObjectName("forgetTokenButton")
        self._forget.setToolTip(self.tr("Take the access token out of the keychain"))
        for button in (self._open, self._use, self._forget):
            button.setAccessibleName(button.text())
            button.setAutoDefault(False)
        entry = QHBoxLayout()
        entry.addWidget(self._field, 1)
        entry.addWidget(self._use)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self._steps)
        page = QHBoxLayout()
        page.addWidget(self._open)
        page.addWidget(self._forget)
        page.addStretch(1)
        column.addLayout(page)
        column.addLayout(entry)
        column.addWidget(self._problem)
        self._use.clicked.connect(self._enter)
        self._forget.clicked.connect(self.forget_requested)
        self._field.returnPressed.connect(self._enter)

    def _enter(self) -> None:
        text = self._field.text()
        self._field.clear()
        if text.strip():
            self.entered.emit(text)
