"""From the name a user types to a model in the list of installed ones, whatever engine it needs."""

from __future__ import annotations

from collections.abc import Sequence

from runtime.library.defects import shown
from runtime.library.installed import InstalledModel
from runtime.values.errors import ModelMissingError

MOST_NAMES_SHOWN = 5


def find_installed(name: str, models: Sequence[InstalledModel]) -> InstalledModel | None:
    """Return the model called `name`: by its whole name, the last part of it, or its path; None if there is none.

    Raises:
        ModelMissingError: several models are called that; the text has their paths.
    """
    for called in (_whole_name, _last_part, _path):
        found = [model for model in models if called(model) == name]
        if len(found) > 1:
            places = ", ".join(shown(str(model.path)) for model in found[:MOST_NAMES_SHOWN])
            raise ModelMissingError(
                f"{len(found)} installed models are called {shown(name)}.", f"Say which one: {places}."
            )
        if found:
            return found[0]
    return None


def _whole_name(model: InstalledModel) -> str:
    return model.name


def _last_part(model: InstalledModel) -> str:
    return model.name.rpartition("/")[2]


def _path(model: InstalledModel) -> str:
    return str(model.path)
