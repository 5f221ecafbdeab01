"""What came of looking for a newer version, and what is new in it."""

from __future__ import annotations

from typing import assert_never

from PySide6.QtCore import QSize
from PySide6.QtGui import QFont, QKeySequence, QShortcut
from PySide6.QtWidgets import QDialog, QDialogButtonBox, QLabel, QPushButton, QVBoxLayout, QWidget

from desktop.state.update_state import Answered, Asking, NoFeed, NotAnswered, NotAsked, UpdateState
from desktop.tasks import Tasks
from desktop.theme.theme import Theme
from desktop.updates.release_notes import ReleaseNotes, ask_before_opening
from desktop.widgets.caption import Caption, Tone
from runtime.updates.update_check import NewerHere, NewRelease, UpdateOutcome, UpToDate

MARGIN_PX = 16
GAP_PX = 10
WIDTH_LINES, NOTES_LINES = 30, 20
TITLE_SIZE = 1.25


class UpdateDialog(QDialog):
    """Not modal: one can chat while the feed is asked."""

    def __init__(self, theme: Theme, state: UpdateState, tasks: Tasks, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._state = state
        self._tasks = tasks
        self._page = ""
        self._title = QLabel(self)
        self._explanation = Caption(theme, parent=self)
        self._problem = Caption(theme, tone=Tone.BAD, parent=self)
        self._notes = ReleaseNotes(theme, self)
        self._sent = Caption(theme, parent=self)
        self._buttons = QDialogButtonBox(self)
        self._open = self._button("openReleaseButton", self.tr("Download page…"), self.tr("Show its address first"))
        self._again = self._button("checkAgainButton", self.tr("Look again"), self.tr("Ask the release feed once more"))
        self._build()
        self.apply_theme(theme)
        self._show_state()

    def apply_theme(self, theme: Theme) -> None:
        """Take other colours and fonts."""
        self.setFont(theme.fonts.text())
        self._title.setFont(theme.fonts.text(TITLE_SIZE, weight=QFont.Weight.DemiBold))
        for part in (self._explanation, self._problem, self._notes, self._sent):
            part.apply_theme(theme)

    def sizeHint(self) -> QSize:
        """Return a size in proportion to the text, within the screen: higher where there are notes to read."""
        line = self.fontMetrics().height()
        room = self.screen().availableSize()
        width = WIDTH_LINES * line
        needed = max(self._column.heightForWidth(width), super().sizeHint().height())
        height = needed + (NOTES_LINES * line if not self._notes.isHidden() else 0)
        return QSize(min(width, room.width()), min(height, room.height()))

    def present(self, *, asks: bool) -> None:
        """Show the window, or bring it to the front; ask the feed, if that is what the user wants."""
        if asks:
            self._ask()
        self.show()
        self.raise_()
        self.activateWindow()

    def _build(self) -> None:
        self.setObjectName("updateDialog")
        self.setWindowTitle(self.tr("Newer versions"))
        self._title.setObjectName("updateTitle")
        self._title.setWordWrap(True)
        self._explanation.setObjectName("updateExplanation")
        self._problem.setObjectName("updateProblem")
        self._sent.setObjectName("updateSent")
        self._sent.setText(
            self.tr("What is sent when you look: the name and version of this app, {name}. Nothing else.").format(
                name=f"first-token/{self._state.installed}"
            )
        )
        close = self._buttons.addButton(QDialogButtonBox.StandardButton.Close)
        close.setObjectName("closeUpdatesButton")
        close.setAccessibleName(self.tr("Close"))
        close.setToolTip(self.tr("Close (Esc)"))
        close.setAutoDefault(False)
        self._column = column = QVBoxLayout(self)
        column.setContentsMargins(MARGIN_PX, MARGIN_PX, MARGIN_PX, MARGIN_PX)
        column.setSpacing(GAP_PX)
        for part in (self._title, self._explanation, self._problem):
            column.addWidget(part)
        column.addWidget(self._notes, 1)
        column.addWidget(self._sent)
        column.addWidget(self._buttons)
        self._buttons.rejected.connect(self.close)
        self._open.clicked.connect(lambda: ask_before_opening(self, self._page))
        self._again.clicked.connect(self._ask)
        self._notes.link_asked.connect(lambda address: ask_before_opening(self, address))
        self._state.changed.connect(self._show_state)
        QShortcut(QKeySequence(QKeySequence.StandardKey.Close), self).activated.connect(self.close)

    def _button(self, name: str, text: str, label: str) -> QPushButton:
        button = self._buttons.addButton(text, QDialogButtonBox.ButtonRole.ActionRole)
        button.setObjectName(name)
        button.setAccessibleName(text)
        button.setToolTip(label)
        button.setAutoDefault(False)
        return button

    def _ask(self) -> None:
        self._tasks.start(self._state.check(), "look for updates")

    def _show_state(self) -> None:
        title, explanation, problem = self._words()
        self._title.setText(title)
        self._explanation.show_text(explanation)
        self._problem.show_text(problem)
        news = self._news()
        self._notes.setVisible(news is not None)
        self._open.setVisible(news is not None)
        self._again.setEnabled(not isinstance(self._state.status, Asking))
        self._again.setVisible(not isinstance(self._state.status, NoFeed))
        if news is not None:
            self._page = news.releases[0].page
            self._notes.show_releases(news.releases)
        self.resize(self.sizeHint())

    def _news(self) -> NewRelease | None:
        match self._state.status:
            case Answered(outcome=NewRelease() as news):
                return news
            case _:
                return None

    def _words(self) -> tuple[str, str, str]:
        """Return title, explanation and problem."""
        match self._state.status:
            case NotAsked():
                return self.tr("Nobody has looked for a newer version yet"), "", ""
            case NoFeed():
                explanation = self.tr("There is nobody to ask. Look for newer versions where you got First Token.")
                return self.tr("This build has no release feed"), explanation, ""
            case Asking():
                return self.tr("Looking for a newer version…"), "", ""
            case Answered(outcome=outcome):
                return (*self._answer(outcome), "")
            case NotAnswered(error=error):
                return self.tr("No word of newer versions"), "", f"{error.what} {error.next_step}"
            case _:
                assert_never(self._state.status)

    def _answer(self, outcome: UpdateOutcome) -> tuple[str, str]:
        match outcome:
            case NewRelease(installed=installed, releases=releases):
                title = self.tr("First Token {version} is available").format(version=releases[0].version)
                return title, self.tr("You have {version}. Nothing is installed by itself.").format(version=installed)
            case UpToDate(installed=installed):
                title = self.tr("First Token {version} is the newest version").format(version=installed)
                return title, ""
            case NewerHere(installed=installed, newest=newest):
                title = self.tr("You have a newer version than was released")
                explanation = self.tr("You have {installed}; the newest that was released is {newest}.")
                return title, explanation.format(installed=installed, newest=newest)
            case _:
                assert_never(outcome)
