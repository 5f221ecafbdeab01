"""Engine names to adapters, imported on demand: importing this module loads no inference library."""

from __future__ import annotations

from importlib import import_module

from runtime.engine.base import Engine
from runtime.values.errors import EngineUnavailableError
from runtime.values.model import EngineName

ADAPTERS = {
    EngineName.MLX: "runtime.engine.mlx_engine:MlxEngine",
    EngineName.LLAMACPP: "runtime.engine.llamacpp_engine:LlamaCppEngine",
    EngineName.SCRIPTED: "runtime.engine.scripted_engine:ScriptedEngine",
}

INSTALL_HINTS = {
    EngineName.MLX: "MLX runs on Apple Silicon; use a GGUF model with --engine llamacpp here.",
    EngineName.LLAMACPP: "Install the package xllamacpp, or name a llama-server in the settings.",
    EngineName.SCRIPTED: "Reinstall First Token.",
}


def create_engine(name: EngineName) -> Engine:
    """Return a new engine.

    Raises:
        EngineUnavailableError: its library is not installed or does not start on this machine.
    """
    module_name, class_name = ADAPTERS[name].split(":")
    try:
        adapter = getattr(import_module(module_name), class_name)
    except (ImportError, OSError, RuntimeError, ValueError) as error:  # mlx-lm raises the limit of open files, too
        raise EngineUnavailableError(
            f"The engine {name} does not run on this machine.", INSTALL_HINTS[name], detail=str(error)
        ) from error
    engine: Engine = adapter()
    return engine
