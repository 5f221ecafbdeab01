"""Three panels side by side: the middle one always there, the outer ones shown as the user wants and as there is room.

Where the window is too narrow for what is wanted, the trailing panel folds away first, then the leading one; both come
back when there is room again. A panel asked for in a narrow window takes the place of the other one.
"""

from __future__ import annotations

from PySide6.QtCore import QByteArray, Qt
from PySide6.QtGui import QPainter, QPaintEvent, QPalette, QResizeEvent
from PySide6.QtWidgets import QSplitter, QSplitterHandle, QWidget

HANDLE_PX = 1


class HairlineHandle(QSplitterHandle):
    """One pixel to see, a few more to take hold of (Qt widens a handle as thin as this)."""

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Paint the line."""
        painter = QPainter(self)
        painter.fillRect(self.contentsRect(), self.palette().color(QPalette.ColorRole.Mid))
        painter.end()


class HairlineSplitter(QSplitter):
    """A splitter whose handles are lines in the palette's colour for them."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(Qt.Orientation.Horizontal, parent)
        self.dress()

    def dress(self) -> None:
        """Set what a saved state would bring along from another version."""
        self.setHandleWidth(HANDLE_PX)
        self.setChildrenCollapsible(False)

    def createHandle(self) -> QSplitterHandle:
        """Return a handle between two panels."""
        return HairlineHandle(self.orientation(), self)


class PanelSplitter(QWidget):
    """Shows and folds the outer panels. `name` is the objectName of the splitter inside.

    The splitter lies in here without a layout: it asks for room for all that it shows, where room is what decides.
    """

    def __init__(self, name: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._splitter = HairlineSplitter(self)
        self._splitter.setObjectName(name)
        self._panels: tuple[QWidget, ...] = ()
        self._wanted: dict[QWidget, bool] = {}
        self._middle: QWidget | None = None
        self._asked_for_last: QWidget | None = None

    def place(self, leading: QWidget, middle: QWidget, trailing: QWidget, sizes_px: tuple[int, int, int]) -> None:
        """Put the panels in; each has its least width already."""
        self._panels = (leading, middle, trailing)
        for panel in self._panels:
            self._splitter.addWidget(panel)
        self._splitter.setStretchFactor(1, 1)
        self._splitter.setSizes(list(sizes_px))
        self._wanted = {leading: True, trailing: True}
        self._middle = middle
        self._fold()

    def replace(self, leading: QWidget, middle: QWidget, trailing: QWidget) -> None:
        """Put other panels where the ones before were; those are no longer needed."""
        wanted = list(self._wanted.values())
        panels = (leading, middle, trailing)
        for index, (before, panel) in enumerate(zip(self._panels, panels, strict=True)):
            panel.setMinimumWidth(before.minimumWidth())
            self._splitter.replaceWidget(index, panel)
            before.deleteLater()
        self._panels = panels
        self._wanted = dict(zip((leading, trailing), wanted, strict=True))
        self._middle = middle
        self._asked_for_last = None
        self._fold()

    @property
    def sizes_px(self) -> list[int]:
        """How wide each panel is; 0 for one that is not to be seen."""
        return self._splitter.sizes()

    def toggle(self, panel: QWidget) -> None:
        """Show an outer panel that is not to be seen, or hide it."""
        self._wanted[panel] = panel.isHidden()
        self._asked_for_last = panel
        self._fold()

    def saved(self) -> bytes:
        """Return which panels are wanted, and how wide each is."""
        return bytes(self._wanted.values()) + bytes(self._splitter.saveState().data())

    def restore(self, saved: bytes) -> None:
        """Bring back what `saved` returned; what cannot be read is ignored."""
        if len(saved) <= len(self._wanted):
            return
        self._splitter.restoreState(QByteArray(saved[len(self._wanted) :]))
        self._splitter.dress()
        for panel, wanted in zip(self._wanted, saved, strict=False):
            self._wanted[panel] = bool(wanted)
        self._fold()

    def resizeEvent(self, _event: QResizeEvent) -> None:
        """Fold what has no room any more, unfold what has again."""
        self._fold()

    def _fold(self) -> None:
        room = self.width() - (self._middle.minimumWidth() if self._middle is not None else 0)
        # The one to keep longest comes first.
        for panel in sorted(self._wanted, key=lambda panel: panel is not self._asked_for_last):
            needed = panel.minimumWidth() + HANDLE_PX
            fits = self._wanted[panel] and needed <= room
            room -= needed if fits else 0
            panel.setVisible(fits)
        self._splitter.setGeometry(self.rect())
