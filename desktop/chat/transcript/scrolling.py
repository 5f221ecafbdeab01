"""Which part of the transcript is in view, and whether it follows what is added at the end."""

from __future__ import annotations

from math import ceil

from PySide6.QtCore import QEasingCurve, QObject, QVariantAnimation
from PySide6.QtWidgets import QScrollBar

from desktop.chat.transcript.layout import TranscriptLayout

AT_END_PX = 4
FAR_FROM_END_PX = 60
GLIDE_MS = 180


class Scrolling(QObject):
    """Keeps the scroll bar and the layout in step.

    The view follows the end as long as the user is there. Scrolling up lets go; coming back to the end holds on again.

    Attributes:
        follows: whether the end stays in view when something is added.
        is_settling: whether the bar moves because heights became exact rather than because somebody scrolled.
    """

    def __init__(self, layout: TranscriptLayout, bar: QScrollBar, parent: QObject) -> None:
        super().__init__(parent)
        self.follows = True
        self.is_settling = False
        self._layout = layout
        self._bar = bar
        self._glide = QVariantAnimation(self)
        self._glide.setDuration(GLIDE_MS)
        self._glide.setEasingCurve(QEasingCurve.Type.OutCubic)
        self._glide.valueChanged.connect(self._glide_to)
        self._glide.finished.connect(self._hold_on)
        bar.actionTriggered.connect(lambda _: self._user_scrolled())

    @property
    def offset(self) -> int:
        """Px that are out of view above."""
        return self._bar.value()

    def settle(self, viewport_height: int) -> bool:
        """Make what is in view exact; tell whether it moved in the transcript, or the transcript's height changed."""
        before = self._bar.value(), self._bar.maximum(), self._layout.height
        self.is_settling = True
        offset = self._layout.settle(self._bar.value(), viewport_height, at_end=self.follows)
        maximum = max(ceil(self._layout.height) - viewport_height, 0)
        self._bar.setPageStep(viewport_height)
        if self._bar.maximum() != maximum:
            self._bar.setRange(0, maximum)
        self._bar.setValue(maximum if self.follows else round(offset))
        self.is_settling = False
        return before != (self._bar.value(), self._bar.maximum(), self._layout.height)

    def is_far_from_end(self) -> bool:
        """Tell whether there is more to see below than the margin."""
        return not self.follows and self._bar.maximum() - self._bar.value() > FAR_FROM_END_PX

    def to_end(self, *, glide: bool) -> None:
        """Show the end and follow it from now on."""
        if glide and self.is_far_from_end():
            self._glide.stop()
            start = max(self._bar.value(), self._bar.maximum() - 2 * self._bar.pageStep())
            self._glide.setStartValue(start)
            self._glide.setEndValue(self._bar.maximum())
            self._glide.start()
        else:
            self._hold_on()

    def to(self, offset: float) -> None:
        """Show what stands at `offset` px; the view follows the end only if that is the end."""
        self._glide.stop()
        self.follows = False
        self._bar.setValue(round(offset))
        self.note_end()

    def by(self, delta: float) -> None:
        """Scroll by `delta` px, as the user would."""
        self.to(self._bar.value() + delta)

    def _glide_to(self, value: object) -> None:
        if isinstance(value, int):
            self._bar.setValue(value)

    def _hold_on(self) -> None:
        self._glide.stop()
        self.follows = True
        self._bar.setValue(self._bar.maximum())

    def _user_scrolled(self) -> None:
        self._glide.stop()
        self.follows = self._bar.sliderPosition() >= self._bar.maximum() - AT_END_PX

    def note_end(self) -> None:
        """Take that the bar was moved, by whomever: the view follows the end only from there."""
        self.follows = self._bar.value() >= self._bar.maximum() - AT_END_PX
