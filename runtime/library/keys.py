"""Typed, bounded look-ups in what a model file says about itself (config.json, GGUF metadata).

A number that makes no sense is caught here, before it becomes a loop count, an allocation or an assertion in native
code.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

from runtime.library.defects import broken, shown

MAX_COUNT = 2**31 - 1


class Keys:
    """Look-ups in one or more mappings; the first that holds a key (other than null) answers.

    Every method takes several names for the same thing and returns None if none of them is there.
    """

    def __init__(self, path: Path, *sources: Mapping[str, object]) -> None:
        self._path = path
        self._sources = sources

    def value(self, *names: str) -> object:
        """Return the first value found, whatever it is."""
        return self._found(names)[1]

    def whole(self, *names: str, least: int = 1, most: int = MAX_COUNT) -> int | None:
        """Return a whole number.

        Raises:
            ModelBrokenError: it is not one, or not from `least` to `most`.
        """
        name, value = self._found(names)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            raise broken(self._path, f"{name} is {shown(value)}, not a whole number from {least:,} to {most:,}")
        return value

    def number(self, *names: str, least: float = 0.0, most: float = math.inf) -> float | None:
        """Return a finite number.

        Raises:
            ModelBrokenError: it is not one, or not from `least` to `most`.
        """
        name, value = self._found(names)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int | float) or not self._sensible(value, least, most):
            raise broken(self._path, f"{name} is {shown(value)}, not a number from {least:g} to {most:g}")
        return float(value)

    def text(self, *names: str) -> str | None:
        """Return a text; a value of another type is as good as none."""
        value = self._found(names)[1]
        return value if isinstance(value, str) else None

    def flag(self, *names: str) -> bool | None:
        """Return a flag; a value of another type is as good as none."""
        value = self._found(names)[1]
        return value if isinstance(value, bool) else None

    def table(self, *names: str) -> dict[str, object]:
        """Return an object, empty if there is none."""
        value = self._found(names)[1]
        return value if isinstance(value, dict) else {}

    def words(self, *names: str) -> tuple[str, ...]:
        """Return a list of texts, empty if there is none; elements of other types count as empty texts."""
        value = self._found(names)[1]
        return tuple(word if isinstance(word, str) else "" for word in value) if isinstance(value, list) else ()

    def _found(self, names: tuple[str, ...]) -> tuple[str, object]:
        for source in self._sources:
            for name in names:
                value = source.get(name)
                if value is not None:
                    return name, value
        return names[0], None

    @staticmethod
    def _sensible(value: float, least: float, most: float) -> bool:
        try:
            return math.isfinite(value) and least <= value <= most
        except OverflowError:
            return False
