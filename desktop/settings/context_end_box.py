"""The choice of what happens when a chat fills its context."""

from __future__ import annotations

import msgspec
from PySide6.QtWidgets import QComboBox, QWidget

from desktop.settings.page import Group
from desktop.settings.wheel_guard import WheelGuard
from desktop.state.settings_state import SettingsState
from desktop.tasks import Tasks
from runtime.values.context_end import ContextEnd


class ContextEndBox(QComboBox):
    """Writes every choice to the settings at once; it holds from the next message on."""

    def __init__(self, settings: SettingsState, tasks: Tasks, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._settings = settings
        self._tasks = tasks
        self.setObjectName("contextEndBox")
        self.addItem(self.tr("Stop and say so"), ContextEnd.STOP)
        self.addItem(self.tr("Leave out the oldest"), ContextEnd.DROP_OLDEST)
        WheelGuard(self).guard(self)
        self.activated.connect(self._choose)
        settings.changed.connect(self._show)
        self._show()

    def add_to(self, group: Group) -> None:
        """Put it into a group, with what it does."""
        group.add_row(
            self.tr("At the end of the context"),
            self.tr(
                "A model can look back on so many tokens. Where a chat grows longer, it can end, or go on without its"
                " oldest messages: they stay in the chat, but are not sent to the model. The system prompt always is."
            ),
            self,
        )

    def _choose(self, place: int) -> None:
        chosen = ContextEnd(self.itemData(place))
        self._tasks.start(
            self._settings.change(lambda settings: msgspec.structs.replace(settings, at_context_end=chosen)),
            "change settings",
        )

    def _show(self) -> None:
        self.setCurrentIndex(list(ContextEnd).index(self._settings.settings.at_context_end))
