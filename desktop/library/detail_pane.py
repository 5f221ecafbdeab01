"""The pane beside the list: everything about the chosen model, and what can be done with it."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QColor, QFont, QPalette
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QScrollArea, QVBoxLayout, QWidget

from desktop.library.detail import Action, Detail, Fact, OfferedAction
from desktop.library.download_card import DownloadCard
from desktop.library.memory_card import MemoryCard
from desktop.library.model_table import ModelTable
from desktop.library.speed_card import SpeedCard
from desktop.theme.theme import Theme
from desktop.widgets.caption import Caption, Tone
from desktop.widgets.card import Card
from desktop.widgets.figure_row import FigureRow

MARGIN_PX = 16
GAP_PX = 12
TITLE_SIZE = 1.35
MOST_FACTS = 6
MOST_VARIANTS = 5.5
WIDTH_LINES = 26

BUTTONS = {
    Action.DOWNLOAD: "downloadButton",
    Action.LOAD: "loadAndChatButton",
    Action.ADD: "addModelButton",
    Action.SHOW_FOLDER: "showFolderButton",
    Action.OPEN_PAGE: "openPageButton",
    Action.REMOVE: "removeModelButton",
}


class DetailPane(QScrollArea):
    """Shows a `Detail`, or nothing.

    Signals:
        variant_chosen: the user chose a form; carries its key.
        action_requested: the user wants something done; carries the `Action`.
    """

    variant_chosen = Signal(str)
    action_requested = Signal(object)

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._content = QWidget(self)
        self._title = QLabel(self._content)
        self._facts = Caption(theme, parent=self._content)
        self._about = QLabel(self._content)
        self._variants = ModelTable(
            theme,
            "variantTable",
            self.tr("Forms of this model"),
            ground=lambda colors: colors.window,
            parent=self._content,
        )
        self._note = Caption(theme, parent=self._content)
        self._problem = Caption(theme, tone=Tone.BAD, parent=self._content)
        self._card = Card(theme, self._content)
        self._rows = [_fact_row(theme, number, self._card) for number in range(MOST_FACTS)]
        self.memory = MemoryCard(theme, self._content)
        self.speed = SpeedCard(theme, self._content)
        self.download = DownloadCard(theme, self._content)
        self._buttons = {action: QPushButton(self._content) for action in Action}
        self._build()
        self.apply_theme(theme)
        self.show_detail(None)

    def apply_theme(self, theme: Theme) -> None:
        """Take other colours and fonts."""
        palette = self.palette()
        palette.setColor(QPalette.ColorRole.Window, QColor(theme.colors.window))
        self.setPalette(palette)
        self._title.setFont(theme.fonts.text(TITLE_SIZE, weight=QFont.Weight.DemiBold))
        self._about.setFont(theme.fonts.text())
        self._variants.apply_theme(theme)
        for caption in (self._facts, self._note, self._problem):
            caption.apply_theme(theme)
        for card in (self._card, self.memory, self.speed, self.download):
            card.apply_theme(theme)
        for row in self._rows:
            row.apply_theme(theme)

    def sizeHint(self) -> QSize:
        """Return a width at which sentences are easy to read."""
        return QSize(WIDTH_LINES * self.fontMetrics().height(), super().sizeHint().height())

    def minimumSizeHint(self) -> QSize:
        """Return the width below which something would be cut off."""
        bar = self.verticalScrollBar().sizeHint().width()
        return QSize(self._content.minimumSizeHint().width() + bar, super().minimumSizeHint().height())

    def show_detail(self, detail: Detail | None) -> None:
        """Show what there is to say; None empties the pane."""
        self._content.setVisible(detail is not None)
        bars = Qt.ScrollBarPolicy
        self.setVerticalScrollBarPolicy(bars.ScrollBarAlwaysOff if detail is None else bars.ScrollBarAsNeeded)
        if detail is None:
            return
        self._title.setText(detail.title)
        self._facts.show_text(detail.facts)
        self._about.setText(detail.about)
        self._about.setVisible(bool(detail.about))
        self._show_variants(detail)
        self._note.show_text("" if detail.is_bad else detail.note)
        self._problem.show_text(detail.note if detail.is_bad else "")
        self._show_rows(detail.rows)
        self._show_outlook(detail)
        self.download.setVisible(detail.download is not None)
        if detail.download is not None:
            self.download.show_download(detail.download)
        self._show_actions(detail.actions)

    def _build(self) -> None:
        self.setObjectName("modelDetail")
        self.setAccessibleName(self.tr("The chosen model"))
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setWidgetResizable(True)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._title.setObjectName("modelTitle")
        self._facts.setObjectName("modelFacts")
        self._about.setObjectName("modelAbout")
        self._note.setObjectName("modelNote")
        self._problem.setObjectName("modelProblem")
        for label in (self._title, self._about):
            label.setWordWrap(True)
            label.setTextFormat(Qt.TextFormat.PlainText)
        self._variants.chosen.connect(self.variant_chosen)
        for row in self._rows:
            self._card.body.addWidget(row)
        self._lay_out()
        self.setWidget(self._content)

    def _lay_out(self) -> None:
        column = QVBoxLayout(self._content)
        column.setContentsMargins(MARGIN_PX, MARGIN_PX, MARGIN_PX, MARGIN_PX)
        column.setSpacing(GAP_PX)
        heading = QVBoxLayout()
        heading.setSpacing(GAP_PX // 4)
        heading.addWidget(self._title)
        heading.addWidget(self._facts)
        column.addLayout(heading)
        column.addWidget(self._about)
        column.addWidget(self._variants)
        column.addLayout(self._button_row())
        for part in (self.download, self._note, self._problem, self._card, self.memory, self.speed):
            column.addWidget(part)
        column.addStretch(1)

    def _button_row(self) -> QHBoxLayout:
        row = QHBoxLayout()
        for action, button in self._buttons.items():
            button.setObjectName(BUTTONS[action])
            button.setAccessibleName(action.value)
            button.setAutoDefault(False)
            button.clicked.connect(lambda _checked, action=action: self.action_requested.emit(action))
            row.addWidget(button)
        row.addStretch(1)
        return row

    def _show_variants(self, detail: Detail) -> None:
        self._variants.setVisible(bool(detail.variants))
        self._variants.show_rows(detail.variants, detail.variant)
        self._variants.fit_height(MOST_VARIANTS)

    def _show_rows(self, facts: Sequence[Fact]) -> None:
        self._card.setVisible(bool(facts))
        for number, row in enumerate(self._rows):
            row.setVisible(number < len(facts))
            if number < len(facts):
                row.set_label(facts[number].label)
                row.set_value(facts[number].text)

    def _show_outlook(self, detail: Detail) -> None:
        outlook = detail.outlook
        self.memory.setVisible(outlook is not None)
        self.speed.setVisible(outlook is not None and detail.foretells)
        if outlook is not None:
            self.memory.show_outlook(outlook, detail.contexts, detail.context)
            self.speed.show_prediction(outlook.prediction)

    def _show_actions(self, actions: Sequence[OfferedAction]) -> None:
        offered = {one.action: one for one in actions}
        for action, button in self._buttons.items():
            one = offered.get(action)
            button.setVisible(one is not None)
            if one is not None:
                button.setText(one.label)
                button.setAccessibleName(one.label)
                button.setDefault(one.is_default)


def _fact_row(theme: Theme, number: int, parent: QWidget) -> FigureRow:
    return FigureRow(theme, f"modelFact{number + 1}", "", "", parent=parent)
