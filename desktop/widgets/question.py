"""A question with one thing to do and a way out, asked without holding anything up."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QMessageBox, QWidget

Other = tuple[str, Callable[[], None]]


def ask(
    parent: QWidget,
    name: str,
    question: str,
    answer: str,
    on_answer: Callable[[], None],
    other: Other | None = None,
) -> QMessageBox:
    """Open a question over `parent` and call `on_answer` if the button `answer` is pressed.

    `other` is another answer, and what it does. `name` is the objectName of the box; its buttons are named after it.
    Returns the box, already open.
    """
    box = QMessageBox(parent)
    box.setObjectName(name)
    box.setTextFormat(Qt.TextFormat.PlainText)
    box.setText(question)
    yes = box.addButton(answer, QMessageBox.ButtonRole.AcceptRole)
    yes.setObjectName(f"{name}YesButton")
    yes.setAccessibleName(answer)
    if other is not None:
        text, on_other = other
        second = box.addButton(text, QMessageBox.ButtonRole.ActionRole)
        second.setObjectName(f"{name}OtherButton")
        second.setAccessibleName(text)
        second.clicked.connect(lambda _checked: on_other())
    no = box.addButton(QMessageBox.StandardButton.Cancel)
    no.setObjectName(f"{name}CancelButton")
    no.setAccessibleName(no.text().replace("&", ""))
    box.setDefaultButton(no)
    box.setEscapeButton(no)
    yes.clicked.connect(lambda _checked: on_answer())
    box.finished.connect(box.deleteLater)
    box.open()
    return box
