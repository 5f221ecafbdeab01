"""The line above the composer when the context is nearly full: what comes next, and the other choice there is."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QHBoxLayout, QLabel, QPushButton, QSizePolicy, QWidget

from desktop.theme.theme import Theme
from desktop.widgets.caption import Caption
from runtime.client.context_window import ContextOutlook
from runtime.values.context_end import ContextEnd

GAP_PX = 10
ICON_PX = 15


class ContextNotice(QWidget):
    """Hidden while the next message fits.

    Signals:
        chosen: the user wants this to happen at the end of the context; carries the `ContextEnd`.
    """

    chosen = Signal(object)

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("contextNotice")
        self._icon = QLabel(self)
        self._text = Caption(theme, parent=self)
        self._text.setObjectName("contextNoticeText")
        self._text.setAccessibleName(self.tr("Context nearly full"))
        self._button = QPushButton(self)
        self._button.setObjectName("contextNoticeButton")
        self._button.setAutoDefault(False)
        self._button.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        self._button.clicked.connect(lambda: self.chosen.emit(self._other))
        row = QHBoxLayout(self)
        row.setContentsMargins(GAP_PX, GAP_PX // 2, 0, GAP_PX)
        row.setSpacing(GAP_PX)
        row.addWidget(self._icon)
        row.addWidget(self._text, 1)
        row.addWidget(self._button)
        self._offer_other(drops_oldest=False)
        self.apply_theme(theme)
        self.hide()

    def apply_theme(self, theme: Theme) -> None:
        """Take other colours and fonts."""
        self._icon.setPixmap(theme.icons.icon("triangle-alert", theme.colors.warning).pixmap(ICON_PX, ICON_PX))
        self._text.apply_theme(theme)
        self._button.setFont(theme.fonts.text(0.95))

    def show_outlook(self, outlook: ContextOutlook | None, *, drops_oldest: bool) -> None:
        """Say what the next message brings, if it does not fit any more."""
        if outlook is None or not outlook.is_nearly_full:
            self.hide()
            return
        self._text.setText(self._words(outlook, drops_oldest=drops_oldest))
        self._offer_other(drops_oldest=drops_oldest)
        self.show()

    def _offer_other(self, *, drops_oldest: bool) -> None:
        self._other = ContextEnd.STOP if drops_oldest else ContextEnd.DROP_OLDEST
        button = self.tr("Stop instead") if drops_oldest else self.tr("Leave out the oldest")
        self._button.setText(button)
        self._button.setAccessibleName(button)
        self._button.setToolTip(
            self.tr(
                "Nothing is left out; the chat ends where its context is full. The choice is in the settings, under"
                " Models."
            )
            if drops_oldest
            else self.tr(
                "The oldest messages are not sent to the model any more, so that the chat can go on. They stay in the"
                " chat, and the system prompt is always sent. The choice is in the settings, under Models."
            )
        )

    def _words(self, outlook: ContextOutlook, *, drops_oldest: bool) -> str:
        used = (
            self.tr("Your message does not fit beside this chat, which takes {used} of {limit} tokens.")
            if outlook.is_for_draft
            else self.tr("The context is nearly full: {used} of {limit} tokens.")
        ).format(used=f"{outlook.used_tokens or 0:,}", limit=f"{outlook.limit_tokens:,}")
        following = outlook.left_out_next - outlook.left_out
        if drops_oldest and following > 0:
            then = self.tr("With your next message, the {count} oldest are not sent to the model any more.").format(
                count=f"{outlook.left_out_next:,}"
            )
        else:
            then = self.tr("The next reply may be cut short.")
        return f"{used} {then}"
