"""How the window looks. Every change shows at once."""

from __future__ import annotations

import msgspec
from PySide6.QtWidgets import QCheckBox, QHBoxLayout, QLabel, QPushButton, QWidget

from desktop.settings.appearance_picker import AppearancePicker
from desktop.settings.page import Page
from desktop.state.preferences import PreferencesState
from desktop.state.remembered import Preferences
from desktop.theme.colors import Appearance
from desktop.theme.fonts import MAX_SCALE, MIN_SCALE
from desktop.theme.theme import Theme


class TextSizeControl(QWidget):
    """Smaller, how large it is, larger, and back to the usual size."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("textSizeControl")
        self.smaller = _button("smallerTextButton", "A−", self.tr("Smaller text"), self)
        self.larger = _button("largerTextButton", "A+", self.tr("Larger text"), self)
        self.reset = _button("resetTextButton", self.tr("Reset"), self.tr("Text in its usual size"), self)
        self._size = QLabel(self)
        self._size.setObjectName("textSizeValue")
        self._size.setAccessibleName(self.tr("Text size"))
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        for widget in (self.smaller, self._size, self.larger, self.reset):
            row.addWidget(widget)

    def show_scale(self, scale: float) -> None:
        """Show the size, and offer only what is possible."""
        self._size.setText(f"{round(scale * 100)} %")
        self.smaller.setEnabled(scale > MIN_SCALE)
        self.larger.setEnabled(scale < MAX_SCALE)
        self.reset.setEnabled(scale != 1.0)


class GeneralPage(Page):
    """Appearance, text size and motion."""

    def __init__(self, theme: Theme, preferences: PreferencesState, parent: QWidget | None = None) -> None:
        super().__init__(theme, "generalPage", parent)
        self._state = preferences
        self._picker = AppearancePicker(theme, self)
        self._size = TextSizeControl(self)
        self._reduced_motion = QCheckBox(self)
        self._reduced_motion.setObjectName("reducedMotionBox")
        self._build()
        self._connect()
        self._show(preferences.preferences)

    def apply_theme(self, theme: Theme) -> None:
        """Take other colours and fonts."""
        super().apply_theme(theme)
        self._picker.apply_theme(theme)

    def _build(self) -> None:
        appearance = self.add_group("")
        appearance.add_row(self.tr("Appearance"), self.tr("Colours of the whole window."), self._picker, below=True)
        reading = self.add_group("")
        reading.add_row(self.tr("Text size"), self.tr("Everything in the window grows with it."), self._size)
        reading.add_row(
            self.tr("Reduce motion"),
            self.tr("Nothing slides or fades; what changes is simply there."),
            self._reduced_motion,
        )

    def _connect(self) -> None:
        self._state.changed.connect(self._show)
        self._picker.chosen.connect(self._choose_appearance)
        self._size.smaller.clicked.connect(lambda: self._state.choose(self._state.preferences.with_larger_text(-1)))
        self._size.larger.clicked.connect(lambda: self._state.choose(self._state.preferences.with_larger_text()))
        self._size.reset.clicked.connect(lambda: self._change(text_scale=1.0))
        self._reduced_motion.clicked.connect(lambda checked: self._change(reduced_motion=checked))

    def _choose_appearance(self, appearance: Appearance) -> None:
        self._change(appearance=appearance)

    def _change(self, **changes: Appearance | float | bool) -> None:
        self._state.choose(msgspec.structs.replace(self._state.preferences, **changes))

    def _show(self, preferences: Preferences) -> None:
        self._picker.show_choice(preferences.appearance)
        self._size.show_scale(preferences.text_scale)
        self._reduced_motion.setChecked(preferences.reduced_motion)


def _button(name: str, text: str, label: str, parent: QWidget) -> QPushButton:
    button = QPushButton(text, parent)
    button.setObjectName(name)
    button.setAccessibleName(label)
    button.setToolTip(label)
    button.setAutoDefault(False)
    return button
