"""The switch for looking for newer versions of one's own accord: off, until the user turns it on."""

from __future__ import annotations

import msgspec
from PySide6.QtWidgets import QCheckBox, QWidget

from desktop.settings.page import Group
from desktop.state.settings_state import SettingsState
from desktop.tasks import Tasks


class UpdateRow(QCheckBox):
    """One row of a group; where this build has no feed to ask, it says so and offers nothing."""

    def __init__(self, settings: SettingsState, tasks: Tasks, parent: QWidget | None = None, *, has_feed: bool) -> None:
        super().__init__(parent)
        self._settings = settings
        self._tasks = tasks
        self._has_feed = has_feed
        self.setEnabled(has_feed)
        self.setObjectName("checkForUpdatesBox")
        self.clicked.connect(self._choose)
        settings.changed.connect(self._show)
        self._show()

    def add_to(self, group: Group) -> None:
        """Put the row into a group."""
        group.add_row(
            self.tr("Look for a newer version once a day"),
            self._explanation(),
            self,
        )

    def _explanation(self) -> str:
        if not self._has_feed:
            return self.tr("This build has no release feed, so there is nobody to ask.")
        return self.tr(
            "The project's signed release feed is asked, and told this app's name and version, nothing else. Off,"
            " nobody is asked but by Help › Check for updates."
        )

    def _choose(self, wanted: bool) -> None:  # noqa: FBT001 - a Qt slot
        self._tasks.start(
            self._settings.change(lambda settings: msgspec.structs.replace(settings, check_for_updates=wanted)),
            "change settings",
        )

    def _show(self) -> None:
        self.setChecked(self._settings.settings.check_for_updates)
