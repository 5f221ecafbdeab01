"""A thin scroll bar without buttons: a rounded handle that darkens under the pointer. macOS has its own already."""

from __future__ import annotations

import sys
from string import Template

from PySide6.QtWidgets import QAbstractScrollArea

from desktop.theme.theme import Theme

# A style sheet on the bar alone: the style's own hit testing then fits what is painted.
STYLE = Template("""
QScrollBar:vertical { background: transparent; width: 11px; margin: 2px 0; }
QScrollBar::handle:vertical { background: $handle; border-radius: 3px; margin: 0 3px; min-height: 28px; }
QScrollBar::handle:vertical:hover, QScrollBar::handle:vertical:pressed { background: $hovered; }
QScrollBar::add-line:vertical, QScrollBar::sub-line:vertical { height: 0; }
QScrollBar::add-page:vertical, QScrollBar::sub-page:vertical { background: transparent; }
""")


def slim_down(area: QAbstractScrollArea, theme: Theme, platform: str = sys.platform) -> None:
    """Make the vertical bar of `area` thin, in the theme's colours; call again when the theme changes."""
    if platform != "darwin":
        style = STYLE.substitute(handle=theme.colors.border, hovered=theme.colors.faint)
        area.verticalScrollBar().setStyleSheet(style)
