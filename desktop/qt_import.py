"""Importing Qt without what its Python binding would do at every import after it.

From its own import on, PySide6 reads the source of every module that is imported, to see whether it uses PySide6 and
may say `from __future__`-like things of Qt (`from __feature__ import snake_case`); the text stays in memory. Nothing
here does, and it took a tenth of the window's memory and more of the time to its first paint.
"""

from __future__ import annotations

import builtins
from importlib import import_module


def import_qt() -> None:
    """Import Qt's core; imports work as before from then on."""
    plain_import = builtins.__import__
    import_module("PySide6.QtCore")
    builtins.__import__ = plain_import
