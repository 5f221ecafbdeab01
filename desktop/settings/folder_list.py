"""A list of folders that can be added to and removed from."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QKeySequence, QShortcut
from PySide6.QtWidgets import QFileDialog, QHBoxLayout, QListWidget, QPushButton, QVBoxLayout, QWidget

MAX_LINES, MIN_LINES = 6, 3


class _List(QListWidget):
    """As high as what it holds, within bounds."""

    def sizeHint(self) -> QSize:
        lines = min(MAX_LINES, max(MIN_LINES, self.count()))
        return QSize(super().sizeHint().width(), round(lines * self.fontMetrics().height() * 1.3) + 2)


class FolderList(QWidget):
    """Shows folders by their whole path, shortened in the middle where there is no room.

    Signals:
        folder_added: the user wants this folder in the list.
        folder_removed: the user wants this folder out of the list.
    """

    folder_added = Signal(str)
    folder_removed = Signal(str)

    def __init__(self, name: str, label: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._label = label
        self.setObjectName(f"{name}Control")
        self._list = _List(self)
        self._list.setObjectName(f"{name}List")
        self._list.setAccessibleName(label)
        self._list.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        self._list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._add = _button(f"add{name[0].upper()}{name[1:]}Button", self.tr("Add…"), self.tr("Add a folder"), self)
        self._remove = _button(
            f"remove{name[0].upper()}{name[1:]}Button",
            self.tr("Remove"),
            self.tr("Take the chosen folder out of the list; nothing on the disk is deleted"),
            self,
        )
        self._lay_out()
        self._connect()
        self._offer()

    def show_folders(self, folders: tuple[str, ...]) -> None:
        """Show the folders that hold."""
        chosen = self._list.currentRow()
        self._list.clear()
        self._list.addItems(folders)
        for row, folder in enumerate(folders):
            self._list.item(row).setToolTip(folder)
        self._list.setCurrentRow(min(chosen, len(folders) - 1))
        self._list.updateGeometry()
        self._offer()

    def _lay_out(self) -> None:
        buttons = QHBoxLayout()
        buttons.addWidget(self._add)
        buttons.addWidget(self._remove)
        buttons.addStretch(1)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self._list)
        column.addLayout(buttons)
        self.setFocusProxy(self._list)

    def _connect(self) -> None:
        self._add.clicked.connect(self._open_dialog)
        self._remove.clicked.connect(self._take_out)
        self._list.currentRowChanged.connect(lambda _row: self._offer())
        delete = QShortcut(QKeySequence(QKeySequence.StandardKey.Delete), self._list)
        delete.setContext(Qt.ShortcutContext.WidgetShortcut)
        delete.activated.connect(self._take_out)

    def _offer(self) -> None:
        self._remove.setEnabled(self._list.currentRow() >= 0)

    def _take_out(self) -> None:
        item = self._list.currentItem()
        if item is not None:
            self.folder_removed.emit(item.text())

    def _open_dialog(self) -> None:
        dialog = QFileDialog(self, self._label, str(Path.home()))
        dialog.setObjectName(f"{self.objectName()}Dialog")
        dialog.setFileMode(QFileDialog.FileMode.Directory)
        dialog.setOption(QFileDialog.Option.ShowDirsOnly)
        dialog.fileSelected.connect(self.folder_added)
        dialog.finished.connect(dialog.deleteLater)
        dialog.open()


def _button(name: str, text: str, explanation: str, parent: QWidget) -> QPushButton:
    button = QPushButton(text, parent)
    button.setObjectName(name)
    button.setAccessibleName(explanation)
    button.setToolTip(explanation)
    button.setAutoDefault(False)
    return button
