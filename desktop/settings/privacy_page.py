"""What stays on this machine, which is everything, and where it lies."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec
from PySide6.QtCore import QUrl
from PySide6.QtGui import QDesktopServices
from PySide6.QtWidgets import QHBoxLayout, QPushButton, QSizePolicy, QWidget

from desktop.settings.page import Page
from desktop.settings.update_row import UpdateRow
from desktop.theme.theme import Theme
from desktop.widgets.caption import Caption, Tone
from desktop.widgets.figure_row import ElidedLabel
from runtime.config.paths import AppPaths

OpenUrl = Callable[[QUrl], bool]


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """A folder that is shown.

    Attributes:
        name: stem of the objectNames.
        label: what lies there.
        explanation: a sentence more.
        folder: where it is.
    """

    name: str
    label: str
    explanation: str
    folder: Path


class PlaceControl(QWidget):
    """A path, shortened in the middle where there is no room, and a button that opens the folder."""

    def __init__(self, place: Place, open_folder: Callable[[Path], None], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._folder = place.folder
        self.setObjectName(f"{place.name}Place")
        self._path = ElidedLabel(str(place.folder), self)
        self._path.setObjectName(f"{place.name}Path")
        self._path.setAccessibleName(place.label)
        self._path.setToolTip(str(place.folder))
        self._path.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self._open = QPushButton(self.tr("Open folder"), self)
        self._open.setObjectName(f"open{place.name[0].upper()}{place.name[1:]}Button")
        self._open.setAccessibleName(self.tr("Open folder: {label}").format(label=place.label))
        self._open.setAutoDefault(False)
        self._open.clicked.connect(lambda: open_folder(self._folder))
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self._path, 1)
        row.addWidget(self._open)
        self.refresh()

    def refresh(self) -> None:
        """Offer to open what is there."""
        there = self._folder.is_dir()
        self._open.setEnabled(there)
        self._open.setToolTip(
            self.tr("Show it in the file manager") if there else self.tr("Nothing has been written there yet.")
        )


class PrivacyPage(Page):
    """A plain statement, and the folders."""

    def __init__(
        self,
        theme: Theme,
        paths: AppPaths,
        updates: UpdateRow,
        open_url: OpenUrl = QDesktopServices.openUrl,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(theme, "privacyPage", parent)
        self._open_url = open_url
        self._statement = Caption(
            theme,
            self.tr(
                "Models run on this machine. What you write and what they answer is stored here and sent nowhere. There"
                " is no account, and First Token reports nothing to anyone: no usage figures, no crash reports."
            ),
            parent=self,
        )
        self._statement.setObjectName("privacyStatement")
        self._problem = Caption(theme, tone=Tone.BAD, parent=self)
        self._problem.setObjectName("openFolderProblem")
        self._problem.hide()
        self._controls: list[PlaceControl] = []
        self.add_group(self.tr("Nothing leaves this machine")).add(self._statement)
        updates.add_to(self.add_group(self.tr("Newer versions")))
        self._add_places(paths)
        self.place(self._problem)

    def apply_theme(self, theme: Theme) -> None:
        """Take other colours and fonts."""
        super().apply_theme(theme)
        self._statement.apply_theme(theme)
        self._problem.apply_theme(theme)

    def refresh(self) -> None:
        """Look which folders are there."""
        self._problem.show_text("")
        for control in self._controls:
            control.refresh()

    def _add_places(self, paths: AppPaths) -> None:
        group = self.add_group(self.tr("Where things are"))
        for place in self._places(paths):
            control = PlaceControl(place, self._open, self)
            self._controls.append(control)
            group.add_row(place.label, place.explanation, control, below=True)

    def _places(self, paths: AppPaths) -> tuple[Place, ...]:
        return (
            Place(
                name="chats",
                label=self.tr("Chats"),
                explanation=self.tr("Every chat with its settings, in one database file."),
                folder=paths.data,
            ),
            Place(
                name="kvCaches",
                label=self.tr("What models have read"),
                explanation=self.tr(
                    "KV caches of the chats, so that none is read twice. Caches lists and forgets them."
                ),
                folder=paths.kv_caches,
            ),
            Place(
                name="models",
                label=self.tr("Models"),
                explanation=self.tr("Put MLX folders or GGUF files here and they appear in the list of models."),
                folder=paths.models,
            ),
            Place(
                name="settings",
                label=self.tr("Settings"),
                explanation=self.tr("One text file, shared with the command line."),
                folder=paths.config_file.parent,
            ),
            Place(
                name="logs",
                label=self.tr("Logs"),
                explanation=self.tr("What went wrong, for a report that only you can send."),
                folder=paths.logs,
            ),
        )

    def _open(self, folder: Path) -> None:
        opened = self._open_url(QUrl.fromLocalFile(str(folder)))
        text = self.tr("The file manager did not open. The folder is {folder}").format(folder=folder)
        self._problem.show_text("" if opened else text)
