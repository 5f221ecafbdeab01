"""Importing asyncio without TLS, which the window speaks only where it downloads, and there not by asyncio.

With it, asyncio loads OpenSSL: four megabytes, most of what the window's process takes for nothing. Where `ssl` is
imported later (downloads, the search for models), it is there as ever.
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import cast


def import_asyncio() -> None:
    """Import asyncio; it does what it does in a Python that was built without TLS."""
    if "ssl" in sys.modules:
        return
    sys.modules["ssl"] = cast("ModuleType", None)  # Python's way to say: not to be had
    try:
        import_module("asyncio")
    finally:
        del sys.modules["ssl"]
