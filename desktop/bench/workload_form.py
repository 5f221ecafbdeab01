"""Which tests to run: one of three presets, or tests named one by one."""

from __future__ import annotations

import msgspec
from PySide6.QtCore import Signal
from PySide6.QtWidgets import QCheckBox, QHBoxLayout, QLabel, QLineEdit, QSpinBox, QTabBar, QVBoxLayout, QWidget

from desktop.bench import words
from desktop.state.bench_setup import ChosenTests
from desktop.theme.theme import Theme
from desktop.widgets.caption import Caption
from runtime.bench.plan import MOST_REPETITIONS, PresetName

PAGES: tuple[PresetName | None, ...] = (*PresetName, None)
GAP_PX = 8


class WorkloadForm(QWidget):
    """Tells what is chosen.

    Signals:
        changed: something else is chosen; carries the `ChosenTests`.
    """

    changed = Signal(object)

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._presets = QTabBar(self)
        self._about = Caption(theme, parent=self)
        self._own = QWidget(self)
        self._names = QLineEdit(self._own)
        self._repetitions_label = QLabel(self.tr("Repetitions"), self._own)
        self._repetitions = QSpinBox(self._own)
        self._quality = QCheckBox(self.tr("Quality: perplexity, KL, top-1"), self._own)
        self._widths = QCheckBox(self.tr("KV cache also in 8 and 4 bits"), self)
        self._chats = QCheckBox(self.tr("Score your own chats"), self)
        self._chats_about = Caption(theme, parent=self)
        self._build()
        self._lay_out()
        self.show_tests(ChosenTests())
        self.apply_theme(theme)

    def apply_theme(self, theme: Theme) -> None:
        """Take other colours and fonts."""
        self._about.apply_theme(theme)
        self._presets.setFont(theme.fonts.text(0.95))
        self._repetitions_label.setFont(theme.fonts.text(0.95))
        self._quality.setFont(theme.fonts.text(0.95))
        self._chats.setFont(theme.fonts.text(0.95))
        self._widths.setFont(theme.fonts.text(0.95))
        self._chats_about.apply_theme(theme)
        self._names.setFont(theme.fonts.code())

    @property
    def tests(self) -> ChosenTests:
        """What is chosen."""
        return ChosenTests(
            preset=PAGES[self._presets.currentIndex()],
            names=self._names.text(),
            repetitions=self._repetitions.value(),
            quality=self._quality.isChecked(),
            own_chats=self._chats.isChecked(),
            kv_widths=self._widths.isChecked(),
        )

    def show_tests(self, tests: ChosenTests) -> None:
        """Show `tests` as chosen."""
        if tests != self.tests:
            self._presets.setCurrentIndex(PAGES.index(tests.preset))
            self._names.setText(tests.names)
            self._repetitions.setValue(tests.repetitions)
            self._quality.setChecked(tests.quality)
            self._chats.setChecked(tests.own_chats)
            self._widths.setChecked(tests.kv_widths)
        self._own.setVisible(tests.preset is None)
        self._chats.setVisible(tests.scores_text)
        self._chats_about.setVisible(tests.scores_text)
        self._about.show_text(
            words.preset_about(tests.preset)
            if tests.preset is not None
            else self.tr("Names as llama-bench has them: pp512, tg128, pp512@d4096, pp512+tg128@c4, chat128@warm.")
        )

    def show_own_chats(self, problem: str, *, available: bool) -> None:
        """Offer the user's own chats as the text to score where they are `available`; else say what prevents it."""
        self._chats.setEnabled(available)
        self._chats_about.setText(
            problem
            or self.tr(
                "Instead of the app's essay. They are read on this machine and never leave it; results keep no more of"
                " them than a hash."
            )
        )

    def _build(self) -> None:
        self._presets.setObjectName("benchmarkPresetBar")
        self._presets.setAccessibleName(self.tr("Tests"))
        self._presets.setDrawBase(False)
        self._presets.setExpanding(True)
        self._presets.setUsesScrollButtons(False)
        for preset in PresetName:
            self._presets.addTab(words.preset_title(preset))
        self._presets.addTab(self.tr("Own"))
        self._about.setObjectName("benchmarkTestsAbout")
        self._names.setObjectName("benchmarkTestsField")
        self._names.setAccessibleName(self.tr("Names of tests"))
        self._repetitions.setObjectName("benchmarkRepetitionsField")
        self._repetitions.setAccessibleName(self.tr("Repetitions"))
        self._repetitions.setToolTip(self.tr("How often each test is measured: with two or more there is an interval."))
        self._repetitions.setRange(1, MOST_REPETITIONS)
        self._repetitions_label.setBuddy(self._repetitions)
        self._quality.setObjectName("benchmarkQualityBox")
        self._quality.setAccessibleName(self._quality.text())
        self._quality.setToolTip(self.tr("Scores a text that comes with the app. It never leaves this machine."))
        self._widths.setObjectName("benchmarkKvWidthsBox")
        self._widths.setAccessibleName(self._widths.text())
        self._widths.setToolTip(
            self.tr(
                "Measures each model three times, in turns: with its usual KV cache and with quantized ones, which take"
                " less memory. Where a text is scored, it shows what they cost in quality."
            )
        )
        self._chats.setObjectName("benchmarkOwnChatsBox")
        self._chats.setAccessibleName(self._chats.text())
        self._chats_about.setObjectName("benchmarkOwnChatsAbout")
        self._presets.currentChanged.connect(lambda _: self._tell())
        self._names.textChanged.connect(lambda _: self._tell())
        self._repetitions.valueChanged.connect(lambda _: self._tell())
        self._quality.toggled.connect(lambda _: self._tell())
        self._chats.toggled.connect(lambda _: self._tell())
        self._widths.toggled.connect(lambda _: self._tell())

    def _lay_out(self) -> None:
        times = QHBoxLayout()
        times.addWidget(self._repetitions_label)
        times.addWidget(self._repetitions)
        times.addStretch(1)
        own = QVBoxLayout(self._own)
        own.setContentsMargins(0, 0, 0, 0)
        own.setSpacing(GAP_PX)
        own.addWidget(self._names)
        own.addLayout(times)
        own.addWidget(self._quality)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(GAP_PX)
        for part in (self._presets, self._about, self._own, self._widths, self._chats, self._chats_about):
            column.addWidget(part)

    def _tell(self) -> None:
        tests = self.tests
        self.show_tests(msgspec.structs.replace(tests))
        self.changed.emit(tests)
