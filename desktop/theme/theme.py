"""One value that says how everything looks; widgets get it in their constructor and anew through `apply_theme`."""

from __future__ import annotations

from pathlib import Path

from desktop.theme.colors import Colors
from desktop.theme.fonts import Fonts
from desktop.theme.icons import Icons


class Theme:
    """Colours, fonts and icons of the moment. Immutable: a change makes a new one."""

    __slots__ = ("colors", "fonts", "icons", "reduced_motion")

    def __init__(self, colors: Colors, fonts: Fonts, icons: Icons, *, reduced_motion: bool = False) -> None:
        self.colors = colors
        self.fonts = fonts
        self.icons = icons
        self.reduced_motion = reduced_motion


def icons_folder(assets: Path) -> Path:
    """Return where the icons are among the app's assets."""
    return assets / "icons"


def fonts_folder(assets: Path) -> Path:
    """Return where the bundled fonts are among the app's assets."""
    return assets / "fonts"
