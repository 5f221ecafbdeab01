"""The download of the chosen model: how far it is, how fast it comes, what went wrong, and what can be done."""

from __future__ import annotations

from PySide6.QtCore import QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QPainter, QPaintEvent
from PySide6.QtWidgets import QHBoxLayout, QProgressBar, QPushButton, QSizePolicy, QWidget

from desktop.library.detail import DownloadDetail
from desktop.library.token_form import TokenForm
from desktop.theme.theme import Theme
from desktop.widgets.caption import Caption, Tone
from desktop.widgets.card import Card

BAR_PX = 8
STEPS = 1000


class ProgressBar(QProgressBar):
    """A thin rounded bar; grey while nothing comes."""

    def __init__(self, theme: Theme, name: str, label: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._is_stalled = False
        self.setObjectName(name)
        self.setAccessibleName(label)
        self.setRange(0, STEPS)
        self.setTextVisible(False)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def apply_theme(self, theme: Theme) -> None:
        """Paint in other colours from now on."""
        self._theme = theme
        self.update()

    def show_fraction(self, fraction: float | None, *, is_stalled: bool) -> None:
        """Fill to `fraction`, 1 being all of it."""
        self._is_stalled = is_stalled
        self.setValue(round(STEPS * min(1.0, max(0.0, fraction or 0.0))))
        self.update()

    def sizeHint(self) -> QSize:
        """Return a thin bar."""
        return QSize(160, BAR_PX)

    def minimumSizeHint(self) -> QSize:
        """Return a short one."""
        return QSize(60, BAR_PX)

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Paint the groove, then what is here."""
        colors = self._theme.colors
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        groove = QRectF(0, (self.height() - BAR_PX) / 2, self.width(), BAR_PX)
        painter.setBrush(QColor(colors.hover))
        painter.drawRoundedRect(groove, BAR_PX / 2, BAR_PX / 2)
        if self.value() > 0:
            painter.setBrush(QColor(colors.faint if self._is_stalled else colors.accent))
            width = max(float(BAR_PX), groove.width() * self.value() / STEPS)
            left = groove.right() - width if self.layoutDirection() == Qt.LayoutDirection.RightToLeft else groove.left()
            painter.drawRoundedRect(QRectF(left, groove.top(), width, BAR_PX), BAR_PX / 2, BAR_PX / 2)
        painter.end()


class DownloadCard(Card):
    """Shows one download.

    Signals:
        pause_requested: the user wants it to stop for now; carries what the queue calls it.
        resume_requested: the user wants it to go on; carries the same.
        retry_requested: the user wants it tried again now; carries the same, or nothing if it never began.
        remove_requested: the user gives it up; carries the same.
        token_entered: the user typed an access token.
        forget_token_requested: the user wants no access token kept.
        page_requested: the user wants to see the page where terms are accepted; carries its address.
    """

    pause_requested = Signal(str)
    resume_requested = Signal(str)
    retry_requested = Signal(str)
    remove_requested = Signal(str)
    token_entered = Signal(str)
    forget_token_requested = Signal()
    page_requested = Signal(str)

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(theme, parent)
        self._shown: DownloadDetail | None = None
        self._words = Caption(theme, parent=self)
        self._progress = ProgressBar(theme, "downloadProgress", self.tr("Download"), self)
        self._error = Caption(theme, tone=Tone.BAD, parent=self)
        self._token = TokenForm(theme, self)
        self._pause = QPushButton(self.tr("Pause"), self)
        self._retry = QPushButton(self.tr("Retry"), self)
        self._remove = QPushButton(self.tr("Give up"), self)
        self._build()

    def apply_theme(self, theme: Theme) -> None:
        """Take other colours and fonts."""
        super().apply_theme(theme)
        self._words.apply_theme(theme)
        self._progress.apply_theme(theme)
        self._error.apply_theme(theme)
        self._token.apply_theme(theme)

    def show_download(self, download: DownloadDetail) -> None:
        """Show how it is."""
        self._shown = download
        self._words.show_text(download.words)
        self._progress.setVisible(download.fraction is not None)
        self._progress.show_fraction(download.fraction, is_stalled=download.is_stalled)
        self._progress.setAccessibleDescription(download.words)
        self._error.show_text(download.error)
        self._token.setVisible(download.asks_token)
        self._token.show_page(download.page)
        self._name_button(download)
        self._retry.setVisible(download.can_retry)
        self._remove.setVisible(download.can_remove)

    def offer_forgetting(self, *, offered: bool) -> None:
        """Offer to forget the access token that is kept, or not, where there is none."""
        self._token.offer_forgetting(offered=offered)

    def show_token_problem(self, text: str) -> None:
        """Say what is wrong with the token that was typed; nothing takes that back."""
        self._token.show_problem(text)

    def _build(self) -> None:
        self._words.setObjectName("downloadStatus")
        self._error.setObjectName("downloadError")
        self._pause.setObjectName("pauseButton")
        self._retry.setObjectName("retryDownloadButton")
        self._retry.setToolTip(self.tr("Try again now; what is here is not fetched again"))
        self._remove.setObjectName("removeDownloadButton")
        self._remove.setToolTip(self.tr("Stop the download and delete what is here of it"))
        buttons = QHBoxLayout()
        for button in (self._pause, self._retry, self._remove):
            button.setAccessibleName(button.text())
            button.setAutoDefault(False)
            buttons.addWidget(button)
        buttons.addStretch(1)
        for part in (self._words, self._progress, self._error, self._token):
            self.body.addWidget(part)
        self.body.addLayout(buttons)
        self._pause.clicked.connect(self._press)
        self._retry.clicked.connect(lambda: self.retry_requested.emit(self._key))
        self._remove.clicked.connect(lambda: self.remove_requested.emit(self._key))
        self._token.entered.connect(self.token_entered)
        self._token.forget_requested.connect(self.forget_token_requested)
        self._token.page_requested.connect(self.page_requested)

    def _name_button(self, download: DownloadDetail) -> None:
        """Give the button the name of what it does now."""
        if download.can_resume:
            text, tip = self.tr("Resume"), self.tr("Go on with the download")
        else:
            text, tip = self.tr("Pause"), self.tr("Stop for now; what is here stays")
        self._pause.setText(text)
        self._pause.setAccessibleName(text)
        self._pause.setToolTip(tip)
        self._pause.setVisible(download.can_pause or download.can_resume)

    @property
    def _key(self) -> str:
        return self._shown.key if self._shown is not None else ""

    def _press(self) -> None:
        if self._shown is not None and self._shown.can_pause:
            self.pause_requested.emit(self._key)
        else:
            self.resume_requested.emit(self._key)
