"""The benchmark panel: a window to choose models and tests, watch them being measured, and read what came of it."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QGuiApplication, QKeySequence, QShortcut
from PySide6.QtWidgets import QDialog, QFileDialog, QHBoxLayout, QSplitter, QWidget

from desktop.bench.measuring import ExportFormat, Measuring
from desktop.bench.result_pane import ResultPane
from desktop.bench.setup_pane import SetupPane
from desktop.theme.theme import Theme
from desktop.widgets.question import ask

WIDTH_LINES, HEIGHT_LINES = 78, 48


class BenchmarkPanel(QDialog):
    """Not modal: one can chat while models are being measured."""

    def __init__(self, theme: Theme, measuring: Measuring, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._measuring = measuring
        self._setup = SetupPane(theme, measuring.states.setup, measuring.states.bench, self)
        self._results = ResultPane(theme, measuring, self)
        self._split = QSplitter(self)
        self._build()
        self._connect()
        self.apply_theme(theme)
        self.resize(self.sizeHint())

    def apply_theme(self, theme: Theme) -> None:
        """Take other colours and fonts."""
        self.setFont(theme.fonts.text())
        self._setup.apply_theme(theme)
        self._results.apply_theme(theme)

    def sizeHint(self) -> QSize:
        """Return a size in proportion to the text, within the screen."""
        line = self.fontMetrics().height()
        room = self.screen().availableSize()
        return QSize(min(WIDTH_LINES * line, room.width()), min(HEIGHT_LINES * line, room.height()))

    def present(self) -> None:
        """Show the window, or bring it to the front, with fresh content."""
        self.show()
        self.raise_()
        self.activateWindow()
        self._setup.focus()
        self._measuring.open()

    def _build(self) -> None:
        self.setObjectName("benchmarkPanel")
        self.setWindowTitle(self.tr("Benchmark"))
        self.setSizeGripEnabled(False)
        self._split.setObjectName("benchmarkSplitter")
        self._split.setChildrenCollapsible(False)
        self._split.setHandleWidth(1)
        self._split.addWidget(self._setup)
        self._split.addWidget(self._results)
        self._split.setStretchFactor(0, 0)
        self._split.setStretchFactor(1, 1)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self._split)

    def _connect(self) -> None:
        measuring = self._measuring
        self._setup.run_requested.connect(measuring.request_run)
        self._setup.cancel_requested.connect(measuring.cancel)
        measuring.unload_to_confirm.connect(self._ask_unload)
        self._results.copy_requested.connect(self._copy)
        self._results.export_requested.connect(self._open_export)
        self._results.command_copy_requested.connect(self._copy_command)
        close = QShortcut(QKeySequence(QKeySequence.StandardKey.Close), self)
        close.activated.connect(self.close)

    def _ask_unload(self, name: str) -> None:
        question = self.tr(
            "{name} is loaded for the chat. Unload it while models are measured? It is loaded again afterwards. If it"
            " stays, there is less memory, and a reply in the chat disturbs the figures."
        )
        ask(
            self,
            "unloadForBenchmark",
            question.format(name=name),
            self.tr("Unload and measure"),
            lambda: self._measuring.run(unloads=True),
            (self.tr("Measure beside it"), lambda: self._measuring.run(unloads=False)),
        )

    def _copy(self) -> None:
        QGuiApplication.clipboard().setText(self._measuring.markdown())
        self._results.show_note(self.tr("Copied as Markdown."))

    def _copy_command(self) -> None:
        QGuiApplication.clipboard().setText(self._measuring.outcome.command)
        self._results.show_note(self.tr("The command is copied."))

    def _open_export(self) -> None:
        formats = {
            self.tr("Table for spreadsheets (*.csv)"): ExportFormat.CSV,
            self.tr("All that is known, for scripts (*.json)"): ExportFormat.JSON,
            self.tr("Table for people (*.md)"): ExportFormat.MARKDOWN,
            self.tr("The plot that is shown (*.png)"): ExportFormat.PNG,
        }
        dialog = QFileDialog(self, self.tr("Export results"), str(Path.home()))
        dialog.setObjectName("benchmarkExportDialog")
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
        dialog.setNameFilters(list(formats))
        dialog.filterSelected.connect(lambda name: dialog.setDefaultSuffix(formats[name].value))
        dialog.setDefaultSuffix(ExportFormat.CSV.value)
        dialog.fileSelected.connect(lambda name: self._export_to(Path(name), formats[dialog.selectedNameFilter()]))
        dialog.open()

    def _export_to(self, named: Path, file_format: ExportFormat) -> None:
        """Export under the format's suffix; the dialog has asked only about a file of exactly the name it was given."""
        suffix = f".{file_format.value}"
        file = named if named.suffix.lower() == suffix else named.with_name(named.name + suffix)

        def export() -> None:
            self._measuring.export(file, file_format, self._results.picture)

        if file != named and file.exists():
            question = self.tr("{name} is there already.").format(name=file.name)
            ask(self, "replaceResults", question, self.tr("Replace"), export)
        else:
            export()
