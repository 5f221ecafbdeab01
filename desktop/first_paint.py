"""The first thing on the screen: the window in its place and its colours, with toolbar, menu titles and bare panels.

Imports as little as that needs. Everything else is imported by `desktop.app` while this can be looked at.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import msgspec
from PySide6.QtCore import QEventLoop, QLibraryInfo, QLocale, Qt, QTimer, QTranslator
from PySide6.QtWidgets import QApplication

from desktop.main_window import MainWindow
from desktop.menus import add_titles
from desktop.state.remembered import (
    PREFERENCES_NAME,
    WINDOW_NAME,
    Preferences,
    WindowMemory,
    memory_from,
    preferences_from,
)
from desktop.theme.colors import Appearance, colors_for
from desktop.theme.control_style import ControlStyle
from desktop.theme.fonts import load_fonts
from desktop.theme.icons import Icons
from desktop.theme.palette import qt_palette
from desktop.theme.theme import Theme, fonts_folder, icons_folder
from runtime.config.paths import AppPaths
from runtime.store.opening import FILE_NAME
from runtime.store.ui_state import peek

PATIENCE_MS = 500
"""How long to wait for the first paint: a window that opens minimized or out of sight has none."""


class Looks:
    """What a theme is made of, and the application that wears it.

    Attributes:
        application: wears it.
        system_is_dark: tells whether the desktop is dark.
    """

    def __init__(self, application: QApplication, assets: Path) -> None:
        self.application = application
        self.system_is_dark: Callable[[], bool] = lambda: _system_is_dark(application)
        self._fonts = load_fonts(fonts_folder(assets))
        self._icons = Icons(icons_folder(assets))

    def put_on(self, preferences: Preferences) -> Theme:
        """Dress the application and return the theme for its widgets."""
        # Title bars and native dialogs follow this, too.
        self.application.styleHints().setColorScheme(_scheme_for(preferences.appearance))
        colors = colors_for(preferences.appearance, system_is_dark=self.system_is_dark())
        fonts = msgspec.structs.replace(self._fonts, scale=preferences.text_scale)
        theme = Theme(colors, fonts, self._icons, reduced_motion=preferences.reduced_motion)
        self.application.setPalette(qt_palette(colors))
        self.application.setFont(fonts.text())
        return theme


class FirstPaint:
    """The window before there is anything in it.

    Attributes:
        looks: to be put on again when preferences change.
        preferences: what the user chose before.
        window: where it was left, not shown yet.
        is_first_start: whether nothing is remembered of a start before.
    """

    def __init__(self, application: QApplication, paths: AppPaths) -> None:
        kept = peek(paths.data / FILE_NAME, (PREFERENCES_NAME, WINDOW_NAME))
        self.looks = Looks(application, paths.assets)
        self.preferences: Preferences = preferences_from(kept.get(PREFERENCES_NAME, b""))
        self.is_first_start = not self.preferences.welcomed and WINDOW_NAME not in kept
        self.window = MainWindow(self.looks.put_on(self.preferences))
        add_titles(self.window)
        left: WindowMemory = memory_from(kept.get(WINDOW_NAME, b""))
        self.window.restore_layout(left.geometry, left.layout)

    def show(self) -> None:
        """Show the window and return once it is on the screen."""
        waiting = QEventLoop()
        self.window.first_painted.connect(waiting.quit)
        QTimer.singleShot(PATIENCE_MS, waiting, waiting.quit)
        self.window.show()
        waiting.exec()


def make_application(
    assets: Path, platform: str = sys.platform, locale: QLocale | None = None, argv: tuple[str, ...] = ("first-token",)
) -> QApplication:
    """Return the application object with name, style and the user's language."""
    application = QApplication(list(argv))
    application.setApplicationName("First Token")
    application.setDesktopFileName("first-token")
    application.setQuitOnLastWindowClosed(False)  # The session ends the app when everything is saved.
    if platform != "darwin":
        application.setStyle(ControlStyle())
    translate(application, assets, locale or QLocale())
    return application


def translate(application: QApplication, assets: Path, locale: QLocale) -> bool:
    """Put the app into the language of `locale`, and its direction; return False where there is no translation."""
    ours = QTranslator(application)
    if not ours.load(locale, "first-token", "_", str(assets / "translations")):
        return False
    qts_own = QTranslator(application)
    if qts_own.load(locale, "qtbase", "_", QLibraryInfo.path(QLibraryInfo.LibraryPath.TranslationsPath)):
        application.installTranslator(qts_own)
    application.installTranslator(ours)
    application.setLayoutDirection(locale.textDirection())
    return True


def open_first_paint(paths: AppPaths) -> FirstPaint:
    """Make the application and show its window, empty yet."""
    first_paint = FirstPaint(make_application(paths.assets), paths)
    first_paint.show()
    return first_paint


def _system_is_dark(application: QApplication) -> bool:
    return application.styleHints().colorScheme() is Qt.ColorScheme.Dark


def _scheme_for(appearance: Appearance) -> Qt.ColorScheme:
    match appearance:
        case Appearance.SYSTEM:
            return Qt.ColorScheme.Unknown
        case Appearance.LIGHT:
            return Qt.ColorScheme.Light
        case Appearance.DARK | Appearance.HIGH_CONTRAST:
            return Qt.ColorScheme.Dark
