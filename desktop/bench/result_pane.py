"""The side where results are read: an earlier run or this one, its table, its plots, what others published."""

from __future__ import annotations

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QColor, QImage, QPalette
from PySide6.QtWidgets import (
    QComboBox,
    QFrame,
    QHBoxLayout,
    QLineEdit,
    QPushButton,
    QScrollArea,
    QSplitter,
    QStackedWidget,
    QTabBar,
    QVBoxLayout,
    QWidget,
)

from desktop.bench import words
from desktop.bench.charts import depth_chart, quality_chart, roofline_chart, speed_chart
from desktop.bench.measuring import EARLIER, NOTHING, Measuring
from desktop.bench.plot import Plot
from desktop.bench.published_table import PublishedTable
from desktop.bench.result_table import ResultTable
from desktop.theme.theme import Theme
from desktop.widgets.caption import Caption, Tone
from desktop.widgets.icon_button import IconButton

MARGIN_PX = 12
GAP_PX = 8
CHARTS = (speed_chart, depth_chart, roofline_chart, quality_chart)
TABLE_SHARE, PLOT_SHARE = 4, 6


class ResultPane(QWidget):
    """Shows what `Measuring` knows.

    Signals:
        copy_requested: put the results on the clipboard, as Markdown.
        export_requested: write the results to a file.
        command_copy_requested: put the command line on the clipboard.
    """

    copy_requested = Signal()
    export_requested = Signal()
    command_copy_requested = Signal()

    def __init__(self, theme: Theme, measuring: Measuring, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._measuring = measuring
        self._runs = self._box("benchmarkHistoryBox", self.tr("Which run"))
        self._compared = self._box("benchmarkCompareBox", self.tr("Compared with"))
        self._copy = QPushButton(self.tr("Copy as Markdown"), self)
        self._export = QPushButton(self.tr("Export…"), self)
        self._note = Caption(theme, parent=self)
        self._problem = Caption(theme, tone=Tone.BAD, parent=self)
        self._table = ResultTable(theme, self)
        self._machine = Caption(theme, parent=self)
        self._tabs = QTabBar(self)
        self._plot = Plot(theme)
        self._scroll = QScrollArea(self)
        self._published = PublishedTable(theme, self)
        self._pages = QStackedWidget(self)
        self._command = QLineEdit(self)
        self._command_copy = IconButton(
            theme, "copy", "benchmarkCommandCopyButton", self.tr("Copy the command"), parent=self
        )
        self._build()
        self._lay_out()
        self._connect()
        self.apply_theme(theme)
        self.show_note("")
        self.show_results()

    def apply_theme(self, theme: Theme) -> None:
        """Take other colours and fonts."""
        palette = self.palette()
        palette.setColor(QPalette.ColorRole.Window, QColor(theme.colors.page))
        self.setPalette(palette)
        self._tabs.setFont(theme.fonts.text(0.95))
        self._command.setFont(theme.fonts.code(0.88))
        for part in (
            *(self._note, self._problem, self._table, self._machine),
            *(self._plot, self._published, self._command_copy),
        ):
            part.apply_theme(theme)

    @property
    def picture(self) -> QImage:
        """The plot as a picture."""
        return self._plot.image()

    def sizeHint(self) -> QSize:
        """Return room for table and plot."""
        line = self.fontMetrics().height()
        return QSize(54 * line, 44 * line)

    def show_note(self, text: str) -> None:
        """Say what happened, in place of what went wrong before."""
        self._problem.show_text("")
        self._note.show_text(text)

    def show_problem(self, text: str) -> None:
        """Say what went wrong and what to do."""
        self._note.show_text("")
        self._problem.show_text(text)

    def show_results(self) -> None:
        """Show what is known now."""
        measuring = self._measuring
        results, outcome = measuring.results, measuring.outcome
        nothing = (
            self.tr("The first figures are on their way.")
            if measuring.is_live
            else self.tr("Nothing has been measured yet. Choose one model or several, and press Run.")
        )
        self._table.show_results(results, nothing)
        self._show_chart()
        self._show_runs()
        self._machine.show_text("\n".join(dict.fromkeys(self._machine_lines())))
        self._command.setText(outcome.command)
        self._command.setCursorPosition(0)
        for control in (self._copy, self._export):
            control.setEnabled(bool(results))
        for below in (self._command, self._command_copy):
            below.setVisible(bool(outcome.command))

    def _machine_lines(self) -> list[str]:
        rows = [row for row in self._measuring.outcome.rows if row.engine_version is not None]
        return [words.machine_text(row) for row in rows] + [row.advice for row in rows if row.advice]

    def _show_chart(self) -> None:
        place = self._tabs.currentIndex()
        self._pages.setCurrentIndex(0 if place < len(CHARTS) else 1)
        if place < len(CHARTS):
            self._plot.show_chart(CHARTS[place](self._measuring.outcome.rows))

    def _show_runs(self) -> None:
        measuring, bench = self._measuring, self._measuring.states.bench
        runs: list[tuple[str, object]] = [
            (words.run_title(run), run.id)
            for run in measuring.states.history.runs
            if bench.outcome.run_id is None or run.id != bench.outcome.run_id
        ]
        if bench.outcome.rows or bench.is_running:
            runs.insert(0, (self.tr("This run"), None))
        shown = None if measuring.outcome is bench.outcome else measuring.outcome.run_id
        _fill(self._runs, runs, shown)
        self._runs.setVisible(bool(runs))
        self._compared.setVisible(bool(measuring.comparable))
        choices: list[tuple[str, object]] = [
            (self.tr("Compare with earlier results"), EARLIER),
            (self.tr("Compare with nothing"), NOTHING),
        ]
        choices += [
            (self.tr("Compare with {run}").format(run=words.run_title(run)), str(run.id))
            for run in measuring.comparable
        ]
        _fill(self._compared, choices, measuring.compared_with)

    def _build(self) -> None:
        self.setAutoFillBackground(True)
        for button, name, label in (
            (self._copy, "benchmarkCopyButton", self.tr("Copy the results as Markdown")),
            (self._export, "benchmarkExportButton", self.tr("Export the results")),
        ):
            button.setObjectName(name)
            button.setAccessibleName(label)
            button.setToolTip(label)
            button.setAutoDefault(False)
        self._note.setObjectName("benchmarkNote")
        self._problem.setObjectName("benchmarkProblem")
        self._machine.setObjectName("benchmarkMachine")
        self._tabs.setObjectName("benchmarkPlotBar")
        self._tabs.setAccessibleName(self.tr("Plots"))
        self._tabs.setDrawBase(False)
        self._tabs.setExpanding(False)
        for title in (
            *(self.tr("Speed"), self.tr("Depth"), self.tr("Roofline"), self.tr("Quality")),
            self.tr("Published figures"),
        ):
            self._tabs.addTab(title)
        self._scroll.setObjectName("benchmarkPlotArea")
        self._scroll.setFrameShape(QFrame.Shape.NoFrame)
        self._scroll.setWidgetResizable(True)
        self._scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._scroll.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self._scroll.setWidget(self._plot)
        self._pages.addWidget(self._scroll)
        self._pages.addWidget(self._published)
        self._command.setObjectName("benchmarkCommandField")
        self._command.setAccessibleName(self.tr("Command line that repeats this run"))
        self._command.setToolTip(self.tr("Measures the same tests on the same models from a terminal."))
        self._command.setReadOnly(True)

    def _lay_out(self) -> None:
        head = QHBoxLayout()
        head.setContentsMargins(MARGIN_PX, MARGIN_PX, MARGIN_PX, 0)
        head.addWidget(self._runs, 3)
        head.addWidget(self._compared, 3)
        head.addStretch(1)
        head.addWidget(self._copy)
        head.addWidget(self._export)
        told = QVBoxLayout()
        told.setContentsMargins(MARGIN_PX, 0, MARGIN_PX, 0)
        told.addWidget(self._note)
        told.addWidget(self._problem)
        foot = QHBoxLayout()
        foot.setContentsMargins(MARGIN_PX, 0, MARGIN_PX, MARGIN_PX)
        foot.addWidget(self._command, 1)
        foot.addWidget(self._command_copy)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(GAP_PX)
        column.addLayout(head)
        column.addLayout(told)
        column.addWidget(self._split(), 1)
        column.addLayout(foot)

    def _split(self) -> QSplitter:
        """Return table above plots, with a handle between them."""
        above, below = QWidget(self), QWidget(self)
        upper = QVBoxLayout(above)
        upper.setContentsMargins(0, 0, 0, 0)
        upper.addWidget(self._table, 1)
        machine = QHBoxLayout()
        machine.setContentsMargins(MARGIN_PX, 0, MARGIN_PX, GAP_PX)
        machine.addWidget(self._machine)
        upper.addLayout(machine)
        lower = QVBoxLayout(below)
        lower.setContentsMargins(0, GAP_PX, 0, 0)
        tabs = QHBoxLayout()
        tabs.setContentsMargins(MARGIN_PX, 0, MARGIN_PX, 0)
        tabs.addWidget(self._tabs)
        tabs.addStretch(1)
        lower.addLayout(tabs)
        lower.addWidget(self._pages, 1)
        split = QSplitter(Qt.Orientation.Vertical, self)
        split.setObjectName("benchmarkResultSplitter")
        split.setChildrenCollapsible(False)
        split.setHandleWidth(1)
        split.addWidget(above)
        split.addWidget(below)
        split.setStretchFactor(0, TABLE_SHARE)
        split.setStretchFactor(1, PLOT_SHARE)
        return split

    def _connect(self) -> None:
        self._measuring.changed.connect(self.show_results)
        self._measuring.noted.connect(self.show_note)
        self._measuring.failed.connect(self.show_problem)
        self._runs.activated.connect(lambda _: self._measuring.choose_run(self._runs.currentData()))
        self._compared.activated.connect(lambda _: self._measuring.compare_with(self._compared.currentData()))
        self._copy.clicked.connect(self.copy_requested)
        self._export.clicked.connect(self.export_requested)
        self._command_copy.clicked.connect(self.command_copy_requested)
        self._tabs.currentChanged.connect(lambda _: self._turn())

    def _turn(self) -> None:
        if self._tabs.currentIndex() >= len(CHARTS):
            self._published.show_figures(self._measuring.states.published())
        self._show_chart()

    def _box(self, name: str, label: str) -> QComboBox:
        box = QComboBox(self)
        box.setObjectName(name)
        box.setAccessibleName(label)
        box.setToolTip(label)
        box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        box.setMinimumContentsLength(12)
        return box


def _fill(box: QComboBox, entries: list[tuple[str, object]], chosen: object) -> None:
    """Offer `entries`, texts and what they stand for, with `chosen` chosen."""
    if [(box.itemText(place), box.itemData(place)) for place in range(box.count())] != entries:
        box.clear()
        for text, value in entries:
            box.addItem(text, value)
    places = [place for place, (_, value) in enumerate(entries) if value == chosen]
    box.setCurrentIndex(places[0] if places else -1)
