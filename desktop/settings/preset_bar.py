"""Choosing, keeping and deleting presets: names for a system prompt with sampler settings."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QInputDialog, QLineEdit, QPushButton, QWidget

from desktop.settings.wheel_guard import WheelGuard
from desktop.widgets.question import ask
from runtime.values.chat import Preset

SHOWN_CHARACTERS = 16
MAX_NAME_CHARACTERS = 200


class PresetBar(QWidget):
    """A box with the presets, and what can be done with them.

    Signals:
        chosen: the user wants what this `Preset` holds.
        save_requested: the user wants to keep what is set, under this name.
        delete_requested: the user wants the preset of this name gone.
    """

    chosen = Signal(object)
    save_requested = Signal(str)
    delete_requested = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._presets: tuple[Preset, ...] = ()
        self._last_name = ""
        self.setObjectName("presetControl")
        self._box = QComboBox(self)
        self._save = _button("savePresetButton", self.tr("Save as…"), self.tr("Keep this as a preset"), self)
        self._delete = _button("deletePresetButton", self.tr("Delete…"), self.tr("Delete the chosen preset"), self)
        self._build()

    def show_presets(self, presets: tuple[Preset, ...], current: Preset) -> None:
        """Show what there is, and the one that holds what `current` does, whatever its name."""
        if presets != self._presets:
            self._presets = presets
            self._box.clear()
            for preset in presets:
                self._box.addItem(preset.name)
        self._box.setPlaceholderText(self.tr("Choose…") if presets else self.tr("None saved yet"))
        holds = (preset.system_prompt == current.system_prompt and preset.sampling == current.sampling
                 for preset in presets)  # fmt: skip
        self._box.setCurrentIndex(next((place for place, same in enumerate(holds) if same), -1))
        self._box.setToolTip(self._box.currentText() or self._box.placeholderText())
        self._box.setEnabled(bool(presets))
        self._delete.setEnabled(self._box.currentIndex() >= 0)

    def _build(self) -> None:
        self._box.setObjectName("presetBox")
        self._box.setAccessibleName(self.tr("Preset"))
        self._box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self._box.setMinimumContentsLength(SHOWN_CHARACTERS)
        WheelGuard(self).guard(self._box)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self._box, 1)
        row.addWidget(self._save)
        row.addWidget(self._delete)
        self.setFocusProxy(self._box)
        self._box.activated.connect(self._choose)
        self._save.clicked.connect(self._ask_name)
        self._delete.clicked.connect(self._ask_whether_to_delete)

    def _choose(self, index: int) -> None:
        self._last_name = self._presets[index].name
        self.chosen.emit(self._presets[index])

    def _ask_name(self) -> None:
        dialog = QInputDialog(self)
        dialog.setObjectName("presetNameDialog")
        dialog.setWindowTitle(self.tr("Save preset"))
        dialog.setLabelText(self.tr("Name of the preset"))
        dialog.setTextValue(self._box.currentText() or self._last_name)
        for field in dialog.findChildren(QLineEdit):
            field.setObjectName("presetNameField")
            field.setAccessibleName(self.tr("Name of the preset"))
            field.setMaxLength(MAX_NAME_CHARACTERS)
        dialog.textValueSelected.connect(self._save_as)
        dialog.finished.connect(dialog.deleteLater)
        dialog.open()

    def _save_as(self, typed: str) -> None:
        name = " ".join(typed.split())
        self._last_name = name
        if name not in {preset.name for preset in self._presets}:
            self.save_requested.emit(name)
            return
        question = self.tr("There is a preset “{name}” already. Replace it?").format(name=name)
        ask(self, "replacePreset", question, self.tr("Replace"), lambda: self.save_requested.emit(name))

    def _ask_whether_to_delete(self) -> None:
        name = self._box.currentText()
        question = self.tr("Delete the preset “{name}”? Chats that took it stay as they are.").format(name=name)
        ask(self, "deletePreset", question, self.tr("Delete"), lambda: self.delete_requested.emit(name))


def _button(name: str, text: str, explanation: str, parent: QWidget) -> QPushButton:
    button = QPushButton(text, parent)
    button.setObjectName(name)
    button.setAccessibleName(explanation)
    button.setToolTip(explanation)
    button.setAutoDefault(False)
    return button
