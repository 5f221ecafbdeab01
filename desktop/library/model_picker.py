"""The model picker: a window with pages to find models, keep them, watch downloads, and plan memory."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QColor, QDragEnterEvent, QDropEvent, QKeySequence, QPalette, QShortcut
from PySide6.QtWidgets import (
    QDialog,
    QFileDialog,
    QHBoxLayout,
    QPushButton,
    QSplitter,
    QStackedWidget,
    QTabBar,
    QVBoxLayout,
    QWidget,
)

from desktop.library.detail import Action
from desktop.library.detail_pane import DetailPane
from desktop.library.filter_bar import FilterBar
from desktop.library.memory_planner import MemoryPlanner
from desktop.library.model_table import ModelTable
from desktop.library.page_content import Page
from desktop.library.picking import Picking
from desktop.theme.theme import Theme
from desktop.widgets.caption import Caption, Tone
from desktop.widgets.question import ask
from runtime.library.local_library import LibraryModel
from runtime.values.wording import bytes_text

MARGIN_PX = 12
WIDTH_LINES, HEIGHT_LINES = 60, 44
LEAST_WIDTH_LINES, LEAST_HEIGHT_LINES = 36, 24
TABLE_SHARE, DETAIL_SHARE = 5, 5
PAGES = (Page.FIND, Page.INSTALLED, Page.DOWNLOADS, Page.PLANNER)


class ModelPicker(QDialog):
    """Not modal: one can chat while a model is being downloaded.

    Signals:
        load_requested: the user wants to chat with a model; carries its name or path.
    """

    load_requested = Signal(str)

    def __init__(self, theme: Theme, picking: Picking, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._picking = picking
        self._tabs = QTabBar(self)
        self._filters = FilterBar(theme, self)
        self._tools = QWidget(self)
        self._add_folder = self._tool("addFolderButton", self.tr("Add folder…"))
        self._add_file = self._tool("addFileButton", self.tr("Add file…"))
        self._clear = self._tool("clearDoneButton", self.tr("Clear finished"))
        self._table = ModelTable(theme, "modelTable", self.tr("Models"), parent=self)
        self._detail = DetailPane(theme, self)
        self._split = QSplitter(self)
        self._planner = MemoryPlanner(theme, picking.states.fit, self)
        self._stack = QStackedWidget(self)
        self._note = Caption(theme, parent=self)
        self._problem = Caption(theme, tone=Tone.BAD, parent=self)
        self._build()
        self._lay_out()
        self._connect()
        self.apply_theme(theme)
        self.resize(self.sizeHint())
        self._show_page()

    def apply_theme(self, theme: Theme) -> None:
        """Take other colours and fonts."""
        self.setFont(theme.fonts.text())
        self._stack.setAutoFillBackground(True)
        palette = self._stack.palette()
        palette.setColor(QPalette.ColorRole.Window, QColor(theme.colors.window))
        self._stack.setPalette(palette)
        self._filters.apply_theme(theme)
        self._table.apply_theme(theme)
        self._detail.apply_theme(theme)
        self._planner.apply_theme(theme)
        self._note.apply_theme(theme)
        self._problem.apply_theme(theme)

    def sizeHint(self) -> QSize:
        """Return a size in proportion to the text, within the screen."""
        line = self.fontMetrics().height()
        room = self.screen().availableSize()
        return QSize(min(WIDTH_LINES * line, room.width()), min(HEIGHT_LINES * line, room.height()))

    def minimumSizeHint(self) -> QSize:
        """Return a size at which lists and details can still be used, within the screen."""
        line = self.fontMetrics().height()
        room = self.screen().availableSize()
        least = QSize(LEAST_WIDTH_LINES * line, LEAST_HEIGHT_LINES * line)
        return least.expandedTo(super().minimumSizeHint()).boundedTo(room)

    def present(self) -> None:
        """Show the window, or bring it to the front, with fresh content."""
        self._note.show_text("")
        self.show()
        self.raise_()
        self.activateWindow()
        self._filters.focus()
        self._picking.open()

    def search(self, text: str) -> None:
        """Show what there is under `text`."""
        self._turn_to(Page.FIND)
        self._filters.search(text)

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        """Take files and folders."""
        if _places(event):
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        """Add what is dropped, where it lies."""
        places = _places(event)
        if places:
            event.acceptProposedAction()
            self._turn_to(Page.INSTALLED)
            self._picking.add(places)

    def _build(self) -> None:
        self.setObjectName("modelPicker")
        self.setWindowTitle(self.tr("Models"))
        self.setAcceptDrops(True)
        self.setSizeGripEnabled(False)
        self._tabs.setObjectName("pickerTabBar")
        self._tabs.setAccessibleName(self.tr("Pages"))
        self._tabs.setDrawBase(False)
        self._tabs.setExpanding(False)
        for title in (
            self.tr("Find models"),
            self.tr("On this machine"),
            self.tr("Downloads"),
            self.tr("Memory planner"),
        ):
            self._tabs.addTab(title)
        self._note.setObjectName("pickerNote")
        self._problem.setObjectName("pickerProblem")
        self._split.setObjectName("pickerSplitter")
        self._split.setChildrenCollapsible(False)
        self._split.setHandleWidth(1)
        self._split.addWidget(self._table)
        self._split.addWidget(self._detail)
        self._split.setStretchFactor(0, TABLE_SHARE)
        self._split.setStretchFactor(1, DETAIL_SHARE)

    def _tool(self, name: str, text: str) -> QPushButton:
        button = QPushButton(text, self._tools)
        button.setObjectName(name)
        button.setAccessibleName(text)
        button.setAutoDefault(False)
        return button

    def _lay_out(self) -> None:
        tools = QHBoxLayout(self._tools)
        tools.setContentsMargins(0, 0, 0, 0)
        for button in (self._add_folder, self._add_file, self._clear):
            tools.addWidget(button)
        tools.addStretch(1)
        self._stack.addWidget(self._split)
        self._stack.addWidget(self._planner)
        head = QVBoxLayout()
        head.setContentsMargins(MARGIN_PX, MARGIN_PX, MARGIN_PX, 0)
        for part in (self._tabs, self._filters, self._tools, self._problem, self._note):
            head.addWidget(part)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(MARGIN_PX)
        column.addLayout(head)
        column.addWidget(self._stack, 1)

    def _connect(self) -> None:
        picking, download = self._picking, self._detail.download
        picking.changed.connect(self._show)
        picking.noted.connect(self._note.show_text)
        picking.token_refused.connect(download.show_token_problem)
        picking.load_requested.connect(self._load)
        picking.removal_to_confirm.connect(self._ask_removal)
        self._tabs.currentChanged.connect(lambda _: self._show_page())
        self._filters.changed.connect(picking.want)
        self._filters.submitted.connect(lambda: picking.ask_now(again=True))
        self._table.chosen.connect(picking.choose)
        self._table.acted.connect(lambda _: picking.act_first())
        self._detail.variant_chosen.connect(picking.choose_variant)
        self._detail.action_requested.connect(self._act)
        self._detail.memory.context_chosen.connect(picking.states.fit.choose_context)
        download.pause_requested.connect(picking.pause)
        download.resume_requested.connect(picking.resume)
        download.retry_requested.connect(picking.retry)
        download.remove_requested.connect(picking.give_up)
        download.token_entered.connect(picking.use_token)
        download.forget_token_requested.connect(picking.forget_token)
        download.page_requested.connect(picking.open_address)
        self._add_folder.clicked.connect(lambda: self._open_dialog(is_folder=True))
        self._add_file.clicked.connect(lambda: self._open_dialog(is_folder=False))
        self._clear.clicked.connect(picking.clear_done)
        close = QShortcut(QKeySequence(QKeySequence.StandardKey.Close), self)
        close.activated.connect(self.close)

    def _turn_to(self, page: Page) -> None:
        self._tabs.setCurrentIndex(PAGES.index(page))

    def _show_page(self) -> None:
        """Show what belongs to the page that is chosen."""
        page = PAGES[self._tabs.currentIndex()]
        self._stack.setCurrentWidget(self._planner if page is Page.PLANNER else self._split)
        self._filters.setVisible(page in {Page.FIND, Page.INSTALLED})
        self._filters.offer_filters(offered=page is Page.FIND)
        self._tools.setVisible(page in {Page.INSTALLED, Page.DOWNLOADS})
        self._add_folder.setVisible(page is Page.INSTALLED)
        self._add_file.setVisible(page is Page.INSTALLED)
        self._clear.setVisible(page is Page.DOWNLOADS)
        self._note.show_text("")
        self._picking.turn_to(page)

    def _show(self) -> None:
        """Show what is known now."""
        picking = self._picking
        count = picking.states.downloads.unfinished
        self._clear.setEnabled(count < len(picking.states.downloads.statuses))
        downloads = self.tr("Downloads ({count})").format(count=count) if count else self.tr("Downloads")
        self._tabs.setTabText(PAGES.index(Page.DOWNLOADS), downloads)
        problem = picking.problem
        self._problem.show_text(f"{problem.what} {problem.next_step}" if problem is not None else "")
        if problem is not None:
            self._note.show_text("")
        if picking.page is Page.PLANNER:
            return
        picking.settle(self._table.show_rows(picking.rows(), picking.chosen))
        self._detail.show_detail(picking.detail())
        self._detail.download.offer_forgetting(offered=picking.states.access.keeps_token)

    def _act(self, action: Action) -> None:
        """Do what a button says; the buttons may be others then, so the list takes the focus."""
        self._table.setFocus(Qt.FocusReason.OtherFocusReason)
        self._picking.act(action)

    def _load(self, name: str) -> None:
        """Give way to the chat."""
        self.close()
        self.load_requested.emit(name)

    def _ask_removal(self, one: LibraryModel) -> None:
        question = self.tr("Delete {name}? Its files are removed from this machine; that frees {size}.")
        ask(
            self,
            "deleteModel",
            question.format(name=one.model.name, size=bytes_text(one.model.size_bytes)),
            self.tr("Delete"),
            lambda: self._picking.remove(one),
        )

    def _open_dialog(self, *, is_folder: bool) -> None:
        title = self.tr("Add a folder with models") if is_folder else self.tr("Add a model file")
        dialog = QFileDialog(self, title, str(Path.home()))
        dialog.setObjectName("addFolderDialog" if is_folder else "addFileDialog")
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        if is_folder:
            dialog.setFileMode(QFileDialog.FileMode.Directory)
            dialog.setOption(QFileDialog.Option.ShowDirsOnly)
        else:
            dialog.setFileMode(QFileDialog.FileMode.ExistingFiles)
            dialog.setNameFilter(self.tr("GGUF models (*.gguf)"))
        dialog.filesSelected.connect(lambda names: self._picking.add([Path(name) for name in names]))
        dialog.open()


def _places(event: QDropEvent) -> list[Path]:
    """Return the files and folders that are being dragged."""
    return [Path(url.toLocalFile()) for url in event.mimeData().urls() if url.isLocalFile()]
