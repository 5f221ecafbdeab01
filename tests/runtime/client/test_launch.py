"""What settings make of a model to load."""

from __future__ import annotations

from pathlib import Path

from runtime.client.launch import model_to_load, remembered_options
from runtime.config.settings import ModelSettings, Settings
from runtime.library.local import ResolvedModel
from runtime.values.model import EngineName, KvStoreOptions, LoadOptions, ModelFormat

MODEL = ResolvedModel(
    name="tiny", path=Path("models/tiny"), engine=EngineName.MLX, format=ModelFormat.MLX, is_demo=False
)
FOLDER = Path("cache/kv")


def test_chats_go_on_from_disk_unless_the_user_says_otherwise() -> None:
    stored = model_to_load(MODEL, Settings(kv_disk_bytes=5), kv_caches=FOLDER).options.kv_store
    assert stored == KvStoreOptions(folder=str(FOLDER), budget_bytes=5)
    assert model_to_load(MODEL, Settings(keep_kv_caches=False), kv_caches=FOLDER).options.kv_store is None
    assert model_to_load(MODEL, Settings()).options.kv_store is None


def test_takes_the_budget_in_memory_from_the_settings() -> None:
    assert model_to_load(MODEL, Settings(kv_memory_bytes=7)).options.kv_budget_bytes == 7
    assert model_to_load(MODEL, Settings()).options.kv_budget_bytes is None


def test_what_was_chosen_for_a_model_is_remembered_by_its_path() -> None:
    chosen = ModelSettings(context_tokens=4096, kv_cache_bits=8)
    settings = Settings(model_settings={str(MODEL.path): chosen, "another": ModelSettings(context_tokens=1)})

    assert remembered_options(MODEL, settings) == LoadOptions(context_tokens=4096, kv_cache_bits=8)
    assert remembered_options(MODEL, Settings()) == LoadOptions()
