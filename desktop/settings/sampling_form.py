"""How the next token is chosen: a field for each sampler setting, explained in plain words."""

from __future__ import annotations

import msgspec
from PySide6.QtCore import QObject, QRegularExpression, QSignalBlocker, Signal
from PySide6.QtGui import QRegularExpressionValidator
from PySide6.QtWidgets import QLineEdit, QPushButton

from desktop.settings.number_field import DECIMALS, NumberField
from desktop.settings.page import Group
from desktop.settings.wheel_guard import WheelGuard
from runtime.values.sampling import MAX_SEED, RANGES, SamplingParams

SEED_DIGITS = len(str(MAX_SEED))


class Explained(msgspec.Struct, frozen=True):
    """A setting in words; `name` is its name in `SamplingParams`, `step` what one press of an arrow adds."""

    name: str
    label: str
    explanation: str
    step: float


class SamplingForm(QObject):
    """Fills `group` with all sampler settings.

    Signals:
        edited: a value is another now.
    """

    edited = Signal()

    def __init__(self, group: Group) -> None:
        super().__init__(group)
        self._group = group
        self._fields: dict[str, NumberField] = {}
        self._given = SamplingParams()
        self._seed = QLineEdit(group)
        self._reset = QPushButton(self.tr("Reset to defaults"), group)
        self._guard = WheelGuard(group)
        for explained in self._explained():
            self._add_number(explained)
        self._add_seed()
        self._add_reset()
        self.show_params(self._given)

    @property
    def params(self) -> SamplingParams:
        """What stands in the fields; not checked, though the fields keep to the ranges."""
        numbers = {name: self._number(name) for name in self._fields}
        seed = self._seed.text()
        return msgspec.structs.replace(self._given, **numbers, seed=int(seed) if seed else None)

    def show_params(self, params: SamplingParams) -> None:
        """Put `params` into the fields."""
        self._given = params
        for name, field in self._fields.items():
            with QSignalBlocker(field):
                field.setValue(getattr(params, name))
        with QSignalBlocker(self._seed):
            self._seed.setText("" if params.seed is None else str(params.seed))
        self.edited.emit()

    def _number(self, name: str) -> float | int:
        """Return what stands in a field; what is not touched stays as exact as it was given."""
        field = self._fields[name]
        given: float | int = getattr(self._given, name)
        if field.value() == round(given, DECIMALS):
            return given
        return round(field.value()) if field.decimals() == 0 else round(field.value(), DECIMALS)

    def _add_number(self, explained: Explained) -> None:
        allowed = RANGES[explained.name]
        field = NumberField(_object_name(explained.name), allowed.low, allowed.high, explained.step, self._group)
        self._fields[explained.name] = field
        self._guard.guard(field)
        self._group.add_row(explained.label, explained.explanation, field)
        ends = self.tr("From {low} to {high}.").format(
            low=field.textFromValue(allowed.low), high=field.textFromValue(allowed.high)
        )
        field.setToolTip(f"{explained.explanation}\n{ends}")
        field.valueChanged.connect(lambda _value: self.edited.emit())

    def _add_seed(self) -> None:
        self._seed.setObjectName("seedField")
        self._seed.setPlaceholderText(self.tr("Fresh"))
        self._seed.setMaxLength(SEED_DIGITS)
        self._seed.setValidator(QRegularExpressionValidator(QRegularExpression("[0-9]*"), self._seed))
        explanation = self.tr(
            "The same number gives the same reply to the same messages, on the same engine. Empty takes a fresh one for"
            " each reply."
        )
        self._group.add_row(self.tr("Seed"), explanation, self._seed)
        self._seed.setToolTip(f"{explanation}\n" + self.tr("From 0 to {high}.").format(high=MAX_SEED))
        self._seed.textChanged.connect(lambda _text: self.edited.emit())

    def _add_reset(self) -> None:
        self._reset.setObjectName("resetSamplingButton")
        self._reset.setAccessibleName(self._reset.text())
        self._reset.setToolTip(self.tr("Put all values above back to what they were at first"))
        self._reset.setAutoDefault(False)
        self._group.add(self._reset, is_narrow=True)
        self._reset.clicked.connect(lambda: self.show_params(SamplingParams()))

    def _explained(self) -> tuple[Explained, ...]:
        return (
            Explained(
                "temperature",
                self.tr("Temperature"),
                self.tr("How freely words are chosen. 0 always takes the likeliest; 1 is the model's own balance."),
                0.05,
            ),
            Explained(
                "top_p",
                self.tr("Top-p"),
                self.tr("Keeps the likeliest tokens that together reach this probability. 1 is off."),
                0.05,
            ),
            Explained("top_k", self.tr("Top-k"), self.tr("Keeps this many of the likeliest tokens. 0 is off."), 1),
            Explained(
                "min_p",
                self.tr("Min-p"),
                self.tr("Drops tokens below this share of the likeliest one's probability. 0 is off."),
                0.01,
            ),
            Explained(
                "repetition_penalty",
                self.tr("Repetition penalty"),
                self.tr("Above 1, what was written lately is less likely to come again. 1 is off."),
                0.05,
            ),
            Explained(
                "presence_penalty",
                self.tr("Presence penalty"),
                self.tr("Makes what was written lately less likely, however often it was. 0 is off."),
                0.1,
            ),
            Explained(
                "frequency_penalty",
                self.tr("Frequency penalty"),
                self.tr("Makes what was written lately less likely, more so each time. 0 is off."),
                0.1,
            ),
            Explained(
                "penalty_window_tokens",
                self.tr("Penalty window"),
                self.tr("How many of the latest tokens count as written lately."),
                1,
            ),
        )


def _object_name(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest) + "Field"
