"""The text cursor: it blinks while something is written, then stands still, so that an unused window wakes nothing."""

from __future__ import annotations

from PySide6.QtCore import QObject, QTimer
from PySide6.QtWidgets import QApplication

BLINKS_FOR_MS = 8000


class CalmCursor(QObject):
    """Watches every text field of the application; with reduced motion, nothing blinks at all."""

    def __init__(
        self, application: QApplication, blinks_for_ms: int = BLINKS_FOR_MS, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._application = application
        self._usual_ms = application.cursorFlashTime()
        self._is_still = False
        self._rest = QTimer(self)
        self._rest.setSingleShot(True)
        self._rest.setInterval(blinks_for_ms)
        self._rest.timeout.connect(self._stop)
        application.inputMethod().cursorRectangleChanged.connect(self._wake)
        application.focusObjectChanged.connect(self._wake)
        self._wake()

    def keep_still(self, *, still: bool) -> None:
        """Say whether nothing should move by itself."""
        self._is_still = still
        self._wake()

    def _stop(self) -> None:
        self._application.setCursorFlashTime(0)

    def _wake(self, _focused: QObject | None = None) -> None:
        self._rest.stop()
        flash_time_ms = 0 if self._is_still else self._usual_ms
        if self._application.cursorFlashTime() != flash_time_ms:
            self._application.setCursorFlashTime(flash_time_ms)
        if flash_time_ms:
            self._rest.start()
