"""Large numbers as people type them: 8e9, 8B, 600M."""

from __future__ import annotations

import argparse
import re

SCALES = {"": 1.0, "k": 1e3, "m": 1e6, "b": 1e9, "t": 1e12}
NUMBER = re.compile(r"(\d{1,18}(?:\.\d{1,18})?(?:e\+?\d{1,2})?)([kmbt]?)", re.IGNORECASE)


def number(text: str) -> float:
    """Return the number that `text` says.

    Raises:
        argparse.ArgumentTypeError: it says none.
    """
    found = NUMBER.fullmatch(text.strip())
    if found is None:
        raise argparse.ArgumentTypeError(f"{text!r} is no number such as 8e9 or 8B")
    return float(found[1]) * SCALES[found[2].lower()]
