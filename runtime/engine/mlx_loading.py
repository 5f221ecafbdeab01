"""From a directory to a model that answers: everything is checked before native code sees it.

What mlx-lm would do with a model's files is narrowed down here: no hub is asked, the architecture is a module of
mlx-lm's own, code that comes with a model is refused, and the weights must be exactly those the architecture has.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import NamedTuple

import mlx.core as mx
from mlx.nn.layers.base import Module
from mlx.utils import tree_flatten
from mlx_lm.utils import MODEL_ARCHITECTURE_REMAPPING, MODEL_REMAPPING, load_model

from runtime.engine.base import LoadProgressCallback
from runtime.engine.mlx_cache import KvCache, KvQuantization, new_cache
from runtime.engine.mlx_tokenizer import MlxTokenizer, read_tokenizer
from runtime.library.defects import broken, shown, unsupported
from runtime.library.spec import ModelSpec
from runtime.values.errors import EngineUnavailableError, FirstTokenError, SettingsError

LOAD_STEP_BYTES = 64_000_000
"""Weights read between two reports of progress."""

WARM_UP_TOKEN = 0


class MlxModel(NamedTuple):
    """A model in memory.

    Attributes:
        network: the model itself.
        tokenizer: its tokenizer.
        weights_bytes: what its weights take.
        vocabulary_size: every id given to it must be below.
    """

    network: Module
    tokenizer: MlxTokenizer
    weights_bytes: int
    vocabulary_size: int


def check_mlx_runs() -> None:
    """Have MLX compute something: only then does it look for its Metal kernels, which a damaged bundle lacks.

    Raises:
        EngineUnavailableError: it cannot.
    """
    try:
        mx.eval(mx.ones(2) + 1)
    except (RuntimeError, ValueError) as error:
        reason = str(error).partition("\n")[0]
        raise EngineUnavailableError(
            f"MLX does not run on this machine: {reason[:200]}.",
            "Reinstall First Token, or choose a GGUF model, which llama.cpp runs.",
            detail=str(error),
        ) from error


def load_mlx_model(spec: ModelSpec, on_progress: LoadProgressCallback) -> MlxModel:
    """Load the model that `spec` describes, and have it evaluate one token.

    Raises:
        ModelBrokenError: the files contradict each other, or the weights do not give numbers.
        ModelUnsupportedError: mlx-lm has no such architecture, or the model needs code of its own.
    """
    tokenizer = read_tokenizer(spec)
    on_progress(0.0)
    network = _build(spec)
    weights_bytes = _read_weights(network, on_progress)
    logits = _first_logits(spec, network)
    return MlxModel(network, tokenizer, weights_bytes, min(spec.vocabulary_size, logits.shape[-1]))


def _build(spec: ModelSpec) -> Module:
    """Return the model with its weights not yet read."""

    def classes(config: dict[str, object]) -> tuple[type[Module], type]:
        return _architecture(spec, config)

    network: Module
    try:
        network, _ = load_model(spec.path, lazy=True, strict=True, get_model_classes=classes, trust_remote_code=False)
    except FirstTokenError:
        raise
    except Exception as error:
        raise broken(
            spec.path, "its weights do not fit its configuration", f"{type(error).__name__}: {error}"
        ) from error
    return network


def _architecture(spec: ModelSpec, config: dict[str, object]) -> tuple[type[Module], type]:
    """Return mlx-lm's classes for the model, as mlx-lm itself would choose them.

    `spec.architecture` is no more than a plain word, so what is imported is a module of mlx-lm and nothing else.
    """
    stated = config.get("architectures")
    names = [name for name in stated if isinstance(name, str)] if isinstance(stated, list) else []
    remapped = (MODEL_ARCHITECTURE_REMAPPING.get((spec.architecture, name)) for name in names)
    name = next((found for found in remapped if found), MODEL_REMAPPING.get(spec.architecture, spec.architecture))
    try:
        module = importlib.import_module(f"mlx_lm.models.{name}")
        classes = module.Model, module.ModelArgs
    except (ImportError, AttributeError) as error:
        raise unsupported(
            spec.path, f"MLX does not know the architecture {shown(spec.architecture)}", "Choose another model."
        ) from error
    return classes


def _read_weights(network: Module, on_progress: LoadProgressCallback) -> int:
    """Read the weights into memory, reporting as it goes on; return their bytes."""
    parameters: Callable[[], object] = network.parameters
    weights: dict[str, mx.array] = dict(tree_flatten(parameters()))
    total = sum(array.nbytes for array in weights.values())
    done = 0
    waiting: list[mx.array] = []
    for array in weights.values():
        waiting.append(array)
        done += array.nbytes
        if done == total or sum(one.nbytes for one in waiting) >= LOAD_STEP_BYTES:
            mx.eval(waiting)
            waiting = []
            on_progress(done / max(total, 1))
    return total


def _first_logits(spec: ModelSpec, network: Module) -> mx.array:
    """Evaluate one token: warms the model up, and tells damaged weights by what they give."""
    try:
        logits = _evaluate_token(network, new_cache(network, None))
    except Exception as error:
        raise broken(spec.path, "it cannot evaluate a token", repr(error)) from error
    # Minus infinity is a mask that some models put on ids they do not use.
    if bool(mx.any(mx.isnan(logits) | mx.isposinf(logits)).item()):
        raise broken(spec.path, "its weights do not give numbers (NaN)")
    if logits.shape[-1] > spec.vocabulary_size:
        raise broken(spec.path, f"it may answer with tokens beyond its vocabulary of {spec.vocabulary_size:,}")
    if bool((mx.max(logits) == mx.min(logits)).item()):
        raise broken(spec.path, "its weights are empty: every token is equally probable")
    return logits


def check_quantized_cache(spec: ModelSpec, network: Module, quantization: KvQuantization) -> None:
    """Have the model evaluate a token with a quantized KV cache; not every architecture can.

    Raises:
        SettingsError: this one cannot.
    """
    try:
        _evaluate_token(network, new_cache(network, quantization))
    except Exception as error:
        raise SettingsError(
            f"The KV cache of {spec.name} cannot be quantized.",
            "Load it without KV cache quantization.",
            detail=repr(error),
        ) from error


def _evaluate_token(network: Module, cache: KvCache) -> mx.array:
    """Return the logits after a single token, shape (1, 1, vocabulary)."""
    logits: mx.array = network(mx.array([[WARM_UP_TOKEN]]), cache=cache.layers)
    mx.eval(logits)
    return logits
