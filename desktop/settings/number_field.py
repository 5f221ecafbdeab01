"""A field for a number that shows no more digits than the number has."""

from __future__ import annotations

from PySide6.QtWidgets import QDoubleSpinBox, QWidget

DECIMALS = 6
SHOWN_CHARACTERS = 9


class NumberField(QDoubleSpinBox):
    """Takes numbers from `low` to `high`, whole ones where `step` is whole."""

    def __init__(self, name: str, low: float, high: float, step: float, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName(name)
        self.setDecimals(0 if step == round(step) else DECIMALS)
        self.setRange(low, high)
        self.setSingleStep(step)
        self.setMinimumWidth(self.fontMetrics().horizontalAdvance("0" * (SHOWN_CHARACTERS + 4)))

    def textFromValue(self, value: float) -> str:
        """Return the number without zeros at its end."""
        text = super().textFromValue(value)
        point = self.locale().decimalPoint()
        return text.rstrip("0").removesuffix(point) if point in text else text
