"""Themes for tests: the bundled fonts and icons in each appearance."""

from __future__ import annotations

import msgspec

from desktop.theme.colors import LIGHT, Colors
from desktop.theme.fonts import load_fonts
from desktop.theme.icons import Icons
from desktop.theme.theme import Theme, fonts_folder, icons_folder
from runtime.config.paths import assets_folder


def make_theme(colors: Colors = LIGHT, *, text_scale: float = 1.0) -> Theme:
    """Return a theme. Needs the application to be there."""
    assets = assets_folder()
    fonts = msgspec.structs.replace(load_fonts(fonts_folder(assets)), scale=text_scale)
    return Theme(colors, fonts, Icons(icons_folder(assets)))
