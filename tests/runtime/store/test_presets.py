"""Presets by name."""

from __future__ import annotations

import pytest

from runtime.store.opening import Store
from runtime.values.chat import Preset
from runtime.values.errors import InvalidRequestError
from runtime.values.sampling import GREEDY, SamplingParams

BRIEF = Preset(name="Brief", system_prompt="One sentence.", sampling=GREEDY)


def test_presets_are_kept_by_name(store: Store) -> None:
    other = Preset(name="art", system_prompt="", sampling=SamplingParams(temperature=1.5))
    assert store.presets.save(BRIEF) == BRIEF
    store.presets.save(other)
    changed = Preset(name=" Brief ", system_prompt="Two sentences.", sampling=GREEDY)
    kept = store.presets.save(changed)

    assert (kept.name, kept.system_prompt) == ("Brief", "Two sentences.")
    assert store.presets.all() == (other, kept)
    store.presets.delete("Brief")
    store.presets.delete("Brief")
    assert store.presets.all() == (other,)


def test_nonsense_is_refused(store: Store) -> None:
    with pytest.raises(InvalidRequestError):
        store.presets.save(Preset(name=" ", system_prompt="", sampling=GREEDY))
    with pytest.raises(InvalidRequestError):
        store.presets.save(Preset(name="x", system_prompt="", sampling=SamplingParams(min_p=2.0)))
    assert store.presets.all() == ()


def test_stored_settings_that_make_no_sense_any_more_become_the_defaults(store: Store) -> None:
    store.presets.save(BRIEF)
    for sampling in ("{", '{"temperature": 99}', '{"temperature": "warm"}'):
        with store.database.transaction():
            store.database.write("UPDATE presets SET sampling = ?", (sampling,))
        assert store.presets.all()[0].sampling == SamplingParams()
