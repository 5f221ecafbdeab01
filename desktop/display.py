"""Whether a window can open at all, asked before Qt is: without a display Qt ends the process."""

from __future__ import annotations

import sys
from collections.abc import Mapping

from runtime.values.errors import EngineUnavailableError


def check_display(environment: Mapping[str, str], platform: str = sys.platform) -> None:
    """Do nothing where a window can open.

    Raises:
        EngineUnavailableError: this is Linux without a display; the text names what works without one.
    """
    if platform != "linux" or environment.get("QT_QPA_PLATFORM"):
        return
    if not environment.get("DISPLAY") and not environment.get("WAYLAND_DISPLAY"):
        raise EngineUnavailableError(
            "There is no display to open a window on.", "Use `first-token chat` in this terminal instead."
        )
