"""The crash reports on this machine: read, copied, deleted. Nothing here sends anything."""

from __future__ import annotations

from typing import assert_never

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QFont, QGuiApplication, QKeySequence, QShortcut
from PySide6.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QLabel,
    QListWidget,
    QListWidgetItem,
    QPlainTextEdit,
    QPushButton,
    QSplitter,
    QVBoxLayout,
    QWidget,
)

from desktop.state.crash_state import CrashState
from desktop.tasks import Tasks
from desktop.theme.theme import Theme
from desktop.widgets.caption import Caption
from runtime.crash.folder import KeptReport
from runtime.crash.report import CrashKind

MARGIN_PX = 16
GAP_PX = 10
ITEM_GAP_PX = 3
WIDTH_LINES, HEIGHT_LINES = 52, 32
LIST_SHARE, TEXT_SHARE = 2, 5
TITLE_SIZE = 1.25
NAME_ROLE = Qt.ItemDataRole.UserRole


class CrashDialog(QDialog):
    """Not modal. A list on the left, the chosen report on the right."""

    def __init__(self, theme: Theme, state: CrashState, tasks: Tasks, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._state = state
        self._tasks = tasks
        self._title = QLabel(self)
        self._statement = Caption(
            theme,
            self.tr(
                "Reports stay on this machine until you delete them; nobody is sent any. Folders, your name and this"
                " machine's name are taken out. To have something mended, copy a report and pass it on yourself."
            ),
            parent=self,
        )
        self._list = QListWidget(self)
        self._text = QPlainTextEdit(self)
        self._split = QSplitter(self)
        self._buttons = QDialogButtonBox(self)
        self._copy = self._button("copyCrashReportButton", self.tr("Copy"), self.tr("Copy the whole report"))
        self._delete = self._button("deleteCrashReportButton", self.tr("Delete"), self.tr("Delete this report"))
        self._build()
        self.apply_theme(theme)
        self._show_reports()
        self.resize(self.sizeHint())

    def apply_theme(self, theme: Theme) -> None:
        """Take other colours and fonts."""
        self.setFont(theme.fonts.text())
        self._title.setFont(theme.fonts.text(TITLE_SIZE, weight=QFont.Weight.DemiBold))
        self._text.setFont(theme.fonts.code())
        self._statement.apply_theme(theme)

    def sizeHint(self) -> QSize:
        """Return a size in proportion to the text, within the screen."""
        line = self.fontMetrics().height()
        room = self.screen().availableSize()
        return QSize(min(WIDTH_LINES * line, room.width()), min(HEIGHT_LINES * line, room.height()))

    def present(self, name: str = "") -> None:
        """Show the window, or bring it to the front, and in it the report called `name`, or else the newest."""
        self._tasks.start(self._refresh(name), "look for crash reports")
        self.show()
        self.raise_()
        self.activateWindow()

    async def _refresh(self, name: str) -> None:
        await self._state.refresh()
        for row in range(self._list.count()):
            if self._list.item(row).data(NAME_ROLE) == name:
                self._list.setCurrentRow(row)

    def _build(self) -> None:
        self.setObjectName("crashDialog")
        self.setWindowTitle(self.tr("Crash reports"))
        self._title.setObjectName("crashTitle")
        self._title.setWordWrap(True)
        self._statement.setObjectName("crashStatement")
        self._list.setObjectName("crashList")
        self._list.setAccessibleName(self.tr("Crash reports"))
        self._list.setToolTip(self.tr("The newest first"))
        self._list.setAlternatingRowColors(False)
        self._list.setWordWrap(True)
        self._list.setSpacing(ITEM_GAP_PX)
        self._text.setObjectName("crashText")
        self._text.setAccessibleName(self.tr("The report"))
        self._text.setToolTip(self.tr("What the chosen report says"))
        self._text.setReadOnly(True)
        self._text.setTabChangesFocus(True)
        self._split.setObjectName("crashSplitter")
        self._split.setChildrenCollapsible(False)
        for place, (part, share) in enumerate(((self._list, LIST_SHARE), (self._text, TEXT_SHARE))):
            self._split.addWidget(part)
            self._split.setStretchFactor(place, share)
        self._lay_out()
        self._list.currentItemChanged.connect(lambda *_: self._show_chosen())
        self._copy.clicked.connect(self._copy_text)
        self._delete.clicked.connect(self._delete_chosen)
        self._state.changed.connect(self._show_reports)
        QShortcut(QKeySequence(QKeySequence.StandardKey.Close), self).activated.connect(self.close)

    def _lay_out(self) -> None:
        close = self._buttons.addButton(QDialogButtonBox.StandardButton.Close)
        close.setObjectName("closeCrashReportsButton")
        close.setAccessibleName(self.tr("Close"))
        close.setToolTip(self.tr("Close the crash reports (Esc)"))
        close.setAutoDefault(False)
        self._buttons.rejected.connect(self.close)
        column = QVBoxLayout(self)
        column.setContentsMargins(MARGIN_PX, MARGIN_PX, MARGIN_PX, MARGIN_PX)
        column.setSpacing(GAP_PX)
        column.addWidget(self._title)
        column.addWidget(self._statement)
        column.addWidget(self._split, 1)
        column.addStretch()
        column.addWidget(self._buttons)

    def _button(self, name: str, text: str, label: str) -> QPushButton:
        button = self._buttons.addButton(text, QDialogButtonBox.ButtonRole.ActionRole)
        button.setObjectName(name)
        button.setAccessibleName(label)
        button.setToolTip(label)
        button.setAutoDefault(False)
        return button

    def _show_reports(self) -> None:
        reports = self._state.reports
        row = max(self._list.currentRow(), 0)
        self._list.clear()
        for report in reports:
            item = QListWidgetItem(f"{_moment_text(report)}\n{self._kind_words(report.kind)}", self._list)
            item.setData(NAME_ROLE, report.name)
        if reports:
            self._list.setCurrentRow(min(row, len(reports) - 1))
        self._split.setVisible(bool(reports))
        self._title.setText(self.tr("What went wrong on this machine") if reports else self.tr("Nothing has crashed"))
        self._show_chosen()

    def _show_chosen(self) -> None:
        report = self._chosen()
        self._text.setPlainText(report.text if report is not None else "")
        self._copy.setEnabled(report is not None)
        self._delete.setEnabled(report is not None)

    def _chosen(self) -> KeptReport | None:
        item = self._list.currentItem()
        name = item.data(NAME_ROLE) if item is not None else None
        return next((report for report in self._state.reports if report.name == name), None)

    def _copy_text(self) -> None:
        QGuiApplication.clipboard().setText(self._text.toPlainText())

    def _delete_chosen(self) -> None:
        report = self._chosen()
        if report is not None:
            self._tasks.start(self._state.delete(report.name), "delete a crash report")

    def _kind_words(self, kind: CrashKind) -> str:
        match kind:
            case CrashKind.WINDOW:
                return self.tr("The app ended")
            case CrashKind.ERROR:
                return self.tr("An error in the window")
            case CrashKind.MODEL:
                return self.tr("A model's process ended")
            case _:
                assert_never(kind)


def _moment_text(report: KeptReport) -> str:
    return report.at.astimezone().strftime("%Y-%m-%d  %H:%M")
