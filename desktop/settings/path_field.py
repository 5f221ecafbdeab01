"""A field for the path of a file, with a button that opens the file dialog."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QFileDialog, QHBoxLayout, QLineEdit, QPushButton, QWidget


class PathField(QWidget):
    """Shows a path; what is typed counts once it is finished.

    Signals:
        path_chosen: the user typed or picked this path; empty for none.
    """

    path_chosen = Signal(str)

    def __init__(self, name: str, label: str, placeholder: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._label = label
        self._path = ""
        self.setObjectName(f"{name}Control")
        self._field = QLineEdit(self)
        self._field.setObjectName(f"{name}Field")
        self._field.setAccessibleName(label)
        self._field.setPlaceholderText(placeholder)
        self._field.setClearButtonEnabled(True)
        self._choose = QPushButton(self.tr("Choose…"), self)
        self._choose.setObjectName(f"{name}ChooseButton")
        self._choose.setAccessibleName(self.tr("Choose: {label}").format(label=label))
        self._choose.setAutoDefault(False)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self._field, 1)
        row.addWidget(self._choose)
        self.setFocusProxy(self._field)
        self._field.editingFinished.connect(self._finish)
        self._choose.clicked.connect(self._open_dialog)

    def show_path(self, path: str) -> None:
        """Show the path that holds."""
        self._path = path
        self._field.setText(path)
        self._field.setToolTip(path)

    def _finish(self) -> None:
        typed = self._field.text().strip()
        if typed != self._path:
            self.path_chosen.emit(typed)

    def _open_dialog(self) -> None:
        start = Path(self._path).parent if self._path else Path.home()
        dialog = QFileDialog(self, self._label, str(start))
        dialog.setObjectName(f"{self.objectName()}Dialog")
        dialog.setFileMode(QFileDialog.FileMode.ExistingFile)
        dialog.fileSelected.connect(self.path_chosen)
        dialog.finished.connect(dialog.deleteLater)
        dialog.open()
