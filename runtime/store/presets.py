"""Named presets: a system prompt with sampler settings."""

from __future__ import annotations

import msgspec

from runtime.store.chats import sampling_from, sampling_json
from runtime.store.database import Database
from runtime.store.stored_text import storable, title_line
from runtime.values.chat import Preset
from runtime.values.errors import InvalidRequestError
from runtime.values.sampling import checked


class _PresetRow(msgspec.Struct, array_like=True, frozen=True):
    name: str
    system_prompt: str
    sampling: str


class Presets:
    """The presets of a database, by name. Every call may raise `StoreError`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def all(self) -> tuple[Preset, ...]:
        """Return every preset, by name."""
        rows = self._database.rows(_PresetRow, "SELECT name, system_prompt, sampling FROM presets")
        presets = [Preset(name=r.name, system_prompt=r.system_prompt, sampling=sampling_from(r.sampling)) for r in rows]
        return tuple(sorted(presets, key=lambda preset: (preset.name.casefold(), preset.name)))

    def save(self, preset: Preset) -> Preset:
        """Keep a preset, in place of one of the same name, and return it as it was kept.

        Raises:
            InvalidRequestError: the name is empty or a sampler value out of range.
        """
        name = title_line(preset.name)
        if not name:
            raise InvalidRequestError("A preset cannot have an empty name.", "Give it a name.")
        kept = Preset(name=name, system_prompt=storable(preset.system_prompt), sampling=checked(preset.sampling))
        with self._database.transaction():
            self._database.write(
                "INSERT OR REPLACE INTO presets (name, system_prompt, sampling) VALUES (?, ?, ?)",
                (kept.name, kept.system_prompt, sampling_json(kept.sampling)),
            )
        return kept

    def delete(self, name: str) -> None:
        """Remove a preset; one that is not there is no error."""
        with self._database.transaction():
            self._database.write("DELETE FROM presets WHERE name = ?", (name,))
