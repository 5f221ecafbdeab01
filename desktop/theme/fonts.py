"""Fonts: the system's own on macOS, bundled Inter and JetBrains Mono elsewhere."""

from __future__ import annotations

import sys
from pathlib import Path

import msgspec
from PySide6.QtGui import QFont, QFontDatabase

BASE_POINT_SIZE = 10.5
BASE_POINT_SIZE_MACOS = 13.0
MIN_SCALE, MAX_SCALE, SCALE_STEP = 0.7, 2.0, 0.1


class Fonts(msgspec.Struct, frozen=True):
    """Font families and the size of running text.

    Attributes:
        ui: family of everything but code.
        mono: family of code and figures that must line up.
        point_size: size of running text at scale 1.
        scale: what the user chose with "larger text" and "smaller text".
    """

    ui: str
    mono: str
    point_size: float
    scale: float = 1.0

    def text(self, relative: float = 1.0, *, weight: QFont.Weight = QFont.Weight.Normal) -> QFont:
        """Return the interface font at `relative` times the size of running text."""
        font = QFont(self.ui)
        font.setPointSizeF(self.point_size * self.scale * relative)
        font.setWeight(weight)
        return font

    def code(self, relative: float = 0.95) -> QFont:
        """Return the font of code."""
        font = QFont(self.mono)
        font.setStyleHint(QFont.StyleHint.Monospace)
        font.setPointSizeF(self.point_size * self.scale * relative)
        return font


def load_fonts(folder: Path, platform: str = sys.platform) -> Fonts:
    """Return the fonts of this platform; off macOS, register the bundled files in `folder` first.

    A missing or unreadable file falls back to the system's fonts: text in another face beats no window.
    """
    if platform == "darwin":
        mono = QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont).family()
        return Fonts(".AppleSystemUIFont", mono, BASE_POINT_SIZE_MACOS)
    families = _register(folder)
    general = QFontDatabase.systemFont(QFontDatabase.SystemFont.GeneralFont).family()
    fixed = QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont).family()
    return Fonts(
        "Inter" if "Inter" in families else general,
        "JetBrains Mono" if "JetBrains Mono" in families else fixed,
        BASE_POINT_SIZE,
    )


def _register(folder: Path) -> set[str]:
    families: set[str] = set()
    for file in sorted((*folder.glob("*.otf"), *folder.glob("*.ttf"))):
        number = QFontDatabase.addApplicationFont(str(file))
        if number >= 0:
            families.update(QFontDatabase.applicationFontFamilies(number))
    return families
