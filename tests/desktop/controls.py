"""Finding the controls of a window, as a person or an assistive technology would."""

from __future__ import annotations

from typing import TypeVar

from PySide6.QtWidgets import (
    QAbstractButton,
    QAbstractItemView,
    QAbstractSpinBox,
    QComboBox,
    QLineEdit,
    QPlainTextEdit,
    QTabBar,
    QWidget,
)

KINDS = (QAbstractButton, QAbstractItemView, QAbstractSpinBox, QComboBox, QLineEdit, QPlainTextEdit, QTabBar)
W = TypeVar("W", bound=QWidget)


def find(window: QWidget, kind: type[W], name: str) -> W:
    """Return the one widget of that name."""
    (found,) = window.findChildren(kind, name)
    return found


def controls_of(window: QWidget) -> list[QWidget]:
    """Return every control of `window`, without those that Qt puts inside other controls."""
    found = [widget for widget in window.findChildren(QWidget) if isinstance(widget, KINDS)]
    return [widget for widget in found if not isinstance(widget.parent(), KINDS) and not _is_popup(widget)]


def _is_popup(widget: QWidget) -> bool:
    """Return whether `widget` is the list that a combo box opens."""
    return widget.window().parent() is not None and isinstance(widget.window().parent(), QComboBox)
