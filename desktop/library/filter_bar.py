"""The search field and the filters above the list."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QLineEdit, QVBoxLayout, QWidget

from desktop.state.library_wanted import Order, SizeRange, Wanted
from desktop.theme.theme import Theme

Entry = tuple[str, object]


class FilterBar(QWidget):
    """Tells at once what is wanted, with every letter that is typed.

    Signals:
        changed: something else is wanted; carries the `Wanted`.
        submitted: the user pressed Enter: no need to wait whether more is typed.
    """

    changed = Signal(object)
    submitted = Signal()

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._field = QLineEdit(self)
        self._icon = QAction(self)
        self._filters = QWidget(self)
        self._size = self._box("sizeFilter", self.tr("Size"), self._sizes())
        self._scheme = self._box("quantizationFilter", self.tr("Quantization"), self._schemes())
        self._license = self._box("licenseFilter", self.tr("License"), self._licenses())
        self._order = self._box("orderBox", self.tr("Order on the Hub"), self._orders())
        self._build()
        self.apply_theme(theme)

    def apply_theme(self, theme: Theme) -> None:
        """Take other colours and fonts."""
        self._icon.setIcon(theme.icons.icon("search", theme.colors.muted))

    @property
    def wanted(self) -> Wanted:
        """What is wanted now."""
        return Wanted(
            text=self._field.text(),
            size=self._size.currentData(),
            scheme=self._scheme.currentData(),
            license=self._license.currentData(),
            order=Order(self._order.currentData()),  # Qt gives back the text alone
        )

    def search(self, text: str) -> None:
        """Search for `text` as if it had been typed."""
        self._field.setText(text)

    def focus(self) -> None:
        """Put the cursor into the search field."""
        self._field.setFocus(Qt.FocusReason.OtherFocusReason)
        self._field.selectAll()

    def offer_filters(self, *, offered: bool) -> None:
        """Show the filters, or the search field alone."""
        self._filters.setVisible(offered)

    def _build(self) -> None:
        self._field.setObjectName("modelSearchField")
        self._field.setAccessibleName(self.tr("Search models"))
        self._field.setPlaceholderText(self.tr("Search models"))
        self._field.setClearButtonEnabled(True)
        self._field.addAction(self._icon, QLineEdit.ActionPosition.LeadingPosition)
        self._field.textChanged.connect(lambda _: self.changed.emit(self.wanted))
        self._field.returnPressed.connect(self.submitted)
        filters = QHBoxLayout(self._filters)
        filters.setContentsMargins(0, 0, 0, 0)
        for box in (self._size, self._scheme, self._license, self._order):
            filters.addWidget(box, 1)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self._field)
        column.addWidget(self._filters)

    def _box(self, name: str, label: str, entries: Sequence[Entry]) -> QComboBox:
        box = QComboBox(self._filters)
        box.setObjectName(name)
        box.setAccessibleName(label)
        box.setToolTip(label)
        box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        box.setMinimumContentsLength(8)
        for text, value in entries:
            box.addItem(text, value)
        box.activated.connect(lambda _: self.changed.emit(self.wanted))
        return box

    def _sizes(self) -> list[Entry]:
        return [
            (self.tr("Any size"), SizeRange.ANY),
            (self.tr("Up to 4 B parameters"), SizeRange.SMALL),
            (self.tr("4 to 10 B parameters"), SizeRange.MEDIUM),
            (self.tr("10 to 40 B parameters"), SizeRange.LARGE),
            (self.tr("Over 40 B parameters"), SizeRange.HUGE),
        ]

    def _schemes(self) -> list[Entry]:
        names = ("INT4", "INT8", "MXFP4", "NVFP4", "BF16", "Q4_K_M", "Q5_K_M", "Q6_K", "Q8_0")
        return [(self.tr("Any quantization"), None), *((name, name.lower()) for name in names)]

    def _licenses(self) -> list[Entry]:
        return [
            (self.tr("Any license"), None),
            ("Apache 2.0", "apache-2.0"),
            ("MIT", "mit"),
        ]

    def _orders(self) -> list[Entry]:
        return [
            (self.tr("Most downloaded"), Order.DOWNLOADS),
            (self.tr("Most liked"), Order.LIKES),
            (self.tr("Trending"), Order.TRENDING),
            (self.tr("Newest"), Order.RECENT),
        ]
