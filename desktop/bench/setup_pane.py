"""The side where a benchmark is chosen and watched: models, tests, how long it takes, how far it is."""

from __future__ import annotations

from time import monotonic

from PySide6.QtCore import QSize, Qt, QTimer, Signal
from PySide6.QtGui import QFont
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QScrollArea, QVBoxLayout, QWidget

from desktop.bench import words
from desktop.bench.model_choice import ModelChoice
from desktop.bench.workload_form import WorkloadForm
from desktop.state.bench_setup import BenchSetup
from desktop.state.bench_state import BenchPhase, BenchState
from desktop.theme.theme import Theme
from desktop.widgets.caption import Caption, Tone
from desktop.widgets.meter import Meter
from runtime.values.errors import UserFacingError

MARGIN_PX = 12
GAP_PX = 8
WIDTH_LINES = 19
TICK_MS = 4000


class SetupPane(QScrollArea):
    """Chooses and watches; what is pressed is told.

    Signals:
        run_requested: measure what is chosen.
        cancel_requested: end it early.
    """

    run_requested = Signal()
    cancel_requested = Signal()

    def __init__(self, theme: Theme, setup: BenchSetup, bench: BenchState, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._setup = setup
        self._bench = bench
        self._content = QWidget(self)
        self._models_heading = QLabel(self.tr("Models"), self._content)
        self._models = ModelChoice(theme, self._content)
        self._tests_heading = QLabel(self.tr("Tests"), self._content)
        self._tests = WorkloadForm(theme, self._content)
        self._expectation = Caption(theme, parent=self._content)
        self._problem = Caption(theme, tone=Tone.BAD, parent=self._content)
        self._run = QPushButton(self.tr("Run"), self._content)
        self._cancel = QPushButton(self.tr("Cancel"), self._content)
        self._meter = Meter(theme, parent=self._content)
        self._progress = Caption(theme, parent=self._content)
        self._about = Caption(theme, parent=self._content)
        self._tick = QTimer(self)
        self._tick.setInterval(TICK_MS)
        self._tick.timeout.connect(self._show_progress)
        self._build()
        self._lay_out()
        self._connect()
        self.apply_theme(theme)
        self._show()

    def apply_theme(self, theme: Theme) -> None:
        """Take other colours and fonts."""
        for heading in (self._models_heading, self._tests_heading):
            heading.setFont(theme.fonts.text(weight=QFont.Weight.DemiBold))
        for part in (
            *(self._models, self._tests, self._expectation, self._problem),
            *(self._meter, self._progress, self._about),
        ):
            part.apply_theme(theme)

    def sizeHint(self) -> QSize:
        """Return room for names of models."""
        line = self.fontMetrics().height()
        return QSize(WIDTH_LINES * line, 30 * line)

    def minimumSizeHint(self) -> QSize:
        """Return room for the tests side by side, and a scroll bar."""
        bar = self.verticalScrollBar().sizeHint().width()
        return QSize(self._content.minimumSizeHint().width() + bar, super().minimumSizeHint().height())

    def focus(self) -> None:
        """Put the keyboard where one begins."""
        self._models.setFocus(Qt.FocusReason.OtherFocusReason)

    def _build(self) -> None:
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setWidgetResizable(True)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._expectation.setObjectName("benchmarkExpectation")
        self._problem.setObjectName("benchmarkSetupProblem")
        self._progress.setObjectName("benchmarkProgress")
        self._meter.setObjectName("benchmarkMeter")
        self._meter.setAccessibleName(self.tr("Progress"))
        self._run.setObjectName("benchmarkRunButton")
        self._run.setAccessibleName(self.tr("Run the benchmark"))
        self._run.setDefault(True)
        self._cancel.setObjectName("benchmarkCancelButton")
        self._cancel.setAccessibleName(self.tr("End the benchmark early"))
        self._cancel.setToolTip(self.tr("Ends the repetition under way; everything before it is kept."))
        self._cancel.setAutoDefault(False)
        self._about.setObjectName("benchmarkAbout")
        self._about.setText(
            self.tr(
                "Measuring takes the whole machine. The chat can be used meanwhile, but either makes the other slower;"
                " tests that were disturbed are marked. Nothing leaves this machine."
            )
        )

    def _lay_out(self) -> None:
        buttons = QHBoxLayout()
        buttons.addWidget(self._run, 1)
        buttons.addWidget(self._cancel, 1)
        column = QVBoxLayout(self._content)
        column.setContentsMargins(MARGIN_PX, MARGIN_PX, MARGIN_PX, MARGIN_PX)
        column.setSpacing(GAP_PX)
        column.addWidget(self._models_heading)
        column.addWidget(self._models)
        column.addSpacing(GAP_PX)
        for part in (self._tests_heading, self._tests, self._expectation, self._problem):
            column.addWidget(part)
        column.addLayout(buttons)
        for below in (self._meter, self._progress, self._about):
            column.addWidget(below)
        column.addStretch(1)
        self.setWidget(self._content)

    def _connect(self) -> None:
        self._models.changed.connect(self._setup.choose_models)
        self._tests.changed.connect(self._setup.choose_tests)
        self._run.clicked.connect(self.run_requested)
        self._cancel.clicked.connect(self.cancel_requested)
        self._setup.changed.connect(self._show)
        self._bench.changed.connect(self._show_phase)
        self._bench.progressed.connect(self._show_progress)

    def _show(self) -> None:
        """Show what can be chosen, what is, and what that means."""
        setup = self._setup
        self._models.show_candidates(setup.candidates, setup.chosen)
        self._tests.show_tests(setup.tests)
        why = setup.own_chats_problem
        problem = f"{why.what} {why.next_step}" if why is not None else ""
        self._tests.show_own_chats(problem, available=setup.has_own_chats)
        self._show_phase()

    def _show_phase(self) -> None:
        """Show what can be done now."""
        bench = self._bench
        problem: UserFacingError | None = bench.problem
        expectation = ""
        if not bench.is_running:
            try:
                expectation = words.expectation_text(self._setup.expected_s(self._setup.plan()))
            except UserFacingError as error:
                problem = error
        self._expectation.show_text(expectation)
        self._problem.show_text(f"{problem.what} {problem.next_step}" if problem is not None else "")
        self._run.setVisible(not bench.is_running)
        self._run.setEnabled(bool(expectation))
        self._cancel.setVisible(bench.is_running)
        self._cancel.setEnabled(bench.phase is BenchPhase.RUNNING)
        for part in (self._models, self._tests):
            part.setEnabled(not bench.is_running)
        self._meter.setVisible(bench.is_running)
        self._about.setVisible(not bench.is_running)
        if bench.is_running and not self._tick.isActive():
            self._tick.start()
        elif not bench.is_running:
            self._tick.stop()
        self._show_progress()

    def _show_progress(self) -> None:
        """Show how far it is; between what is told, time goes on by itself."""
        bench, progress = self._bench, self._bench.progress
        if not bench.is_running:
            self._progress.show_text("")
            return
        if bench.phase is BenchPhase.STOPPING:
            self._progress.show_text(self.tr("Ending; what has been measured is kept."))
            return
        remaining = progress.remaining_s if progress is not None else None
        if remaining is not None:
            remaining = max(0.0, remaining - (monotonic() - bench.progress_at_s))
        self._progress.show_text(words.progress_text(progress, remaining))
        if progress is not None and progress.total_steps:
            self._meter.set_fraction(progress.done_steps / progress.total_steps)
        else:
            self._meter.set_fraction(None)
