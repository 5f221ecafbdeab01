"""The metadata of a GGUF file, read into a typed value with every number bounded.

llama.cpp trusts some of these numbers: it divides by them, sizes fixed arrays with them, or asserts, which ends the
process. The bounds here are its own, so that a file refused here would have failed there.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import msgspec

from runtime.library.defects import broken, shown, unsupported
from runtime.library.gguf_header import GgufArray, GgufHeader, GgufValue
from runtime.library.gguf_types import FLOAT32_VALUE, INT32_VALUE, STRING_VALUE, UINT32_VALUE
from runtime.library.keys import Keys
from runtime.library.spec import Experts

MAX_LAYERS = 512
MAX_EXPERTS = 1024
MAX_HEADS = 65_536
MAX_WIDTH = 1 << 22
MAX_VOCABULARY = 1 << 24

TOKENS_KEY = "tokenizer.ggml.tokens"
PER_TOKEN_ARRAYS = {
    "tokenizer.ggml.scores": (FLOAT32_VALUE,),
    "tokenizer.ggml.token_type": (INT32_VALUE, UINT32_VALUE),
}
"""Arrays that llama.cpp reads by token id without asking for their length, and the types it takes them for."""

NOT_CHAT_KINDS = {
    "adapter": "it is an adapter for another model",
    "mmproj": "it is the vision part of another model",
    "imatrix": "it holds statistics, not a model",
}


class GgufConfig(msgspec.Struct, frozen=True, kw_only=True):
    """What the metadata says of the model; lists have one entry a layer.

    Attributes:
        architecture: `general.architecture`.
        layers: transformer blocks.
        hidden_size: width of the residual stream.
        feed_forward_size: width inside the MLP, for each layer; None where the metadata does not say.
        attention_heads: query heads of each layer.
        kv_heads: heads with keys and values of each layer; 0: the layer keeps none.
        key_dim: width of a key.
        value_dim: width of a value.
        latent: whether keys are compressed and values part of them (multi-head latent attention).
        context_tokens: the context the model was made for.
        window_tokens: width of sliding-window attention.
        window_pattern: which layers slide, or one layer in so many that does not; None where the metadata is silent.
        predicting_layers: last layers that only predict further tokens; files may leave them out.
        shared_kv_layers: last layers that reuse the keys and values of earlier ones.
        state_elements: elements of the recurrent state of one layer; 0 where none has one.
        experts: for mixtures of experts.
        tokens: the vocabulary.
    """

    architecture: str
    layers: int
    hidden_size: int
    feed_forward_size: tuple[int, ...] | None
    attention_heads: tuple[int, ...]
    kv_heads: tuple[int, ...]
    key_dim: int
    value_dim: int
    latent: bool
    context_tokens: int | None
    window_tokens: int | None
    window_pattern: tuple[bool, ...] | int | None
    predicting_layers: int
    shared_kv_layers: int
    state_elements: int
    experts: Experts | None
    tokens: GgufArray


def read_gguf_config(header: GgufHeader) -> GgufConfig:
    """Read the metadata in `header`.

    Raises:
        ModelBrokenError: a key is missing or makes no sense.
        ModelUnsupportedError: the file is no language model.
    """
    path, values = header.path, header.values
    architecture = _architecture(path, values)
    keys = _ArchitectureKeys(path, architecture, values)
    layers = keys.needed("block_count", MAX_LAYERS)
    hidden = keys.needed("embedding_length", MAX_WIDTH)
    heads = keys.per_layer("attention.head_count", layers, MAX_HEADS) or (0,) * layers
    widest = max(heads)
    _check_floats(path, architecture, values)
    return GgufConfig(
        architecture=architecture,
        layers=layers,
        hidden_size=hidden,
        feed_forward_size=keys.per_layer("feed_forward_length", layers, MAX_WIDTH),
        attention_heads=heads,
        kv_heads=_kv_heads(path, keys, heads),
        key_dim=keys.whole("attention.key_length", most=MAX_WIDTH) or (hidden // widest if widest else 0),
        value_dim=keys.whole("attention.value_length", most=MAX_WIDTH) or (hidden // widest if widest else 0),
        latent=keys.whole("attention.key_length_mla", most=MAX_WIDTH) is not None,
        context_tokens=keys.whole("context_length"),
        window_tokens=keys.whole("attention.sliding_window", least=0) or None,
        window_pattern=keys.window_pattern(layers),
        predicting_layers=keys.whole("nextn_predict_layers", least=0, most=layers) or 0,
        shared_kv_layers=keys.whole("attention.shared_kv_layers", least=0, most=layers) or 0,
        state_elements=_state_elements(keys),
        experts=_experts(path, keys),
        tokens=_tokens(path, values),
    )


class _ArchitectureKeys:
    """Look-ups of keys that begin with the architecture's name."""

    def __init__(self, path: Path, architecture: str, values: Mapping[str, GgufValue]) -> None:
        self._path = path
        self._architecture = architecture
        self._values = values
        self._keys = Keys(path, values)

    def whole(self, name: str, least: int = 1, most: int = 2**31 - 1) -> int | None:
        return self._keys.whole(f"{self._architecture}.{name}", least=least, most=most)

    def needed(self, name: str, most: int) -> int:
        value = self.whole(name, most=most)
        if value is None:
            raise broken(self._path, f"the key {shown(self._architecture)}.{name} is missing")
        return value

    def per_layer(self, name: str, layers: int, most: int) -> tuple[int, ...] | None:
        """Return a number for each layer; the file gives one for all, or an array. 0 is allowed."""
        value = self._values.get(f"{self._architecture}.{name}")
        if not isinstance(value, tuple):
            single = self.whole(name, least=0, most=most)
            return None if single is None else (single,) * layers
        numbers = tuple(int(one) for one in value if isinstance(one, int) and 0 <= one <= most)
        if len(numbers) != len(value) or len(numbers) < layers:
            raise broken(self._path, f"{shown(self._architecture)}.{name} does not give a number for each layer")
        return numbers[:layers]

    def window_pattern(self, layers: int) -> tuple[bool, ...] | int | None:
        name = "attention.sliding_window_pattern"
        value = self._values.get(f"{self._architecture}.{name}")
        if not isinstance(value, tuple):
            return self.whole(name, least=0, most=MAX_LAYERS)
        if len(value) < layers:
            raise broken(self._path, f"{shown(self._architecture)}.{name} does not give a value for each layer")
        return tuple(bool(one) for one in value[:layers])


def _architecture(path: Path, values: Mapping[str, GgufValue]) -> str:
    kind = values.get("general.type")
    if isinstance(kind, str) and kind in NOT_CHAT_KINDS:
        raise unsupported(path, NOT_CHAT_KINDS[kind], "Choose the model's main file.")
    name = values.get("general.architecture")
    if not isinstance(name, str) or not name:
        raise broken(path, "it does not name the architecture (general.architecture)")
    if name == "clip":
        raise unsupported(path, NOT_CHAT_KINDS["mmproj"], "Choose the model's main file.")
    return name


def _kv_heads(path: Path, keys: _ArchitectureKeys, heads: tuple[int, ...]) -> tuple[int, ...]:
    """Return heads with keys and values for each layer; queries must divide evenly among them."""
    kv_heads = keys.per_layer("attention.head_count_kv", len(heads), MAX_HEADS) or heads
    if any(kv and query % kv for query, kv in zip(heads, kv_heads, strict=True)):
        raise broken(path, f"{max(heads)} query heads cannot share {max(kv_heads)} key heads")
    return kv_heads


def _state_elements(keys: _ArchitectureKeys) -> int:
    inner = keys.whole("ssm.inner_size", least=0, most=MAX_WIDTH) or 0
    return inner * (keys.whole("ssm.state_size", least=0, most=MAX_WIDTH) or 0)


def _experts(path: Path, keys: _ArchitectureKeys) -> Experts | None:
    total = keys.whole("expert_count", least=0, most=MAX_EXPERTS) or 0
    active = keys.whole("expert_used_count", least=0, most=MAX_EXPERTS) or 0
    if active > total or (total and not active):
        raise broken(path, f"a token cannot use {active} of {total} experts")
    return Experts(active, total) if total else None


def _tokens(path: Path, values: Mapping[str, GgufValue]) -> GgufArray:
    tokens = values.get(TOKENS_KEY)
    if not isinstance(tokens, GgufArray) or tokens.element_type != STRING_VALUE or tokens.count == 0:
        raise broken(path, "it has no tokenizer")
    if tokens.count > MAX_VOCABULARY:
        raise broken(path, f"its vocabulary claims {tokens.count:,} tokens")
    for key, kinds in PER_TOKEN_ARRAYS.items():
        if key in values:
            _check_per_token(path, key, values[key], kinds, tokens.count)
    return tokens


def _check_per_token(path: Path, key: str, value: GgufValue, kinds: tuple[int, ...], count: int) -> None:
    if isinstance(value, GgufArray):
        fits = value.count == count and value.element_type in kinds
    else:
        fits = isinstance(value, tuple) and len(value) == count and _are(value, kinds)
    if not fits:
        raise broken(path, f"{key} does not give a value for each of {count:,} tokens")


def _are(values: tuple[bool | int | float, ...], kinds: tuple[int, ...]) -> bool:
    wanted = float if FLOAT32_VALUE in kinds else int
    return all(type(value) is wanted for value in values)


def _check_floats(path: Path, architecture: str, values: Mapping[str, GgufValue]) -> None:
    keys = Keys(path, values)
    for name, value in values.items():
        if isinstance(value, float) and name.startswith(f"{architecture}."):
            keys.number(name, least=-1e30, most=1e30)
    for name in ("attention.layer_norm_rms_epsilon", "attention.layer_norm_epsilon"):
        keys.number(f"{architecture}.{name}", most=1.0)
    keys.number(f"{architecture}.rope.freq_base", least=1e-6, most=1e12)
