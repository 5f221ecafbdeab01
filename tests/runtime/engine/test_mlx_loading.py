"""Models that are missing, damaged, foreign or hostile: one clear error each, and an engine that is still good."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import mlx.core as mx
import msgspec
import pytest

from runtime.engine.mlx_engine import MlxEngine
from runtime.engine.mlx_loading import load_mlx_model
from runtime.library.reader import read_spec
from runtime.values.errors import (
    MemoryShortError,
    ModelBrokenError,
    ModelMissingError,
    ModelUnsupportedError,
    SettingsError,
    UserFacingError,
)
from runtime.values.generation import StopReason
from runtime.values.model import LoadOptions
from runtime.values.prompt import TokenPrompt
from tests.models.random_gguf import GgufRecipe, write_random_gguf
from tests.models.random_mlx import write_random_mlx
from tests.runtime.engine.mlx_running import ask, loaded, run

SMALL = GgufRecipe(layers=1, hidden=64, feed_forward=64, heads=2, kv_heads=1, head_dim=32, context_tokens=1024)
Damage = Callable[[Path], object]


@pytest.fixture(scope="module")
def healthy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("models") / "healthy"
    write_random_mlx(place, SMALL)
    return place


@pytest.fixture
def model(healthy: Path, tmp_path: Path) -> Path:
    """A copy to damage."""
    return Path(shutil.copytree(healthy, tmp_path / "model"))


def config(**changes: object) -> Damage:
    """Change keys of config.json; None takes one away."""

    def damage(folder: Path) -> None:
        file = folder / "config.json"
        merged = {**json.loads(file.read_text(encoding="utf-8")), **changes}
        kept = {key: value for key, value in merged.items() if value is not None}
        file.write_text(json.dumps(kept), encoding="utf-8")

    return damage


def content(name: str, data: bytes) -> Damage:
    return lambda folder: (folder / name).write_bytes(data)


def without(name: str) -> Damage:
    return lambda folder: (folder / name).unlink()


def cut(name: str, share: float) -> Damage:
    def damage(folder: Path) -> None:
        data = (folder / name).read_bytes()
        (folder / name).write_bytes(data[: int(len(data) * share)])

    return damage


def zeroed(name: str) -> Damage:
    return lambda folder: (folder / name).write_bytes(bytes((folder / name).stat().st_size))


def weights(change: Callable[[dict[str, mx.array]], dict[str, mx.array]]) -> Damage:
    """Change tensors; the file stays well formed."""

    def damage(folder: Path) -> None:
        file = str(folder / "model.safetensors")
        tensors = mx.load(file)
        assert isinstance(tensors, dict)
        changed = change(tensors)
        mx.eval(changed)
        mx.save_safetensors(file, changed, {"format": "mlx"})

    return damage


def every(value: float) -> Damage:
    return weights(lambda tensors: {name: mx.full(tensor.shape, value) for name, tensor in tensors.items()})


def replaced(name: str, tensor: mx.array) -> Damage:
    return weights(lambda tensors: {**tensors, name: tensor})


def dropped(name: str) -> Damage:
    return weights(lambda tensors: {key: tensor for key, tensor in tensors.items() if key != name})


def emptied(folder: Path) -> None:
    shutil.rmtree(folder)
    folder.mkdir()


EMPTY_VOCABULARY = b'{"model":{"type":"BPE","vocab":{},"merges":[]}}'
Q_PROJ = "model.layers.0.self_attn.q_proj.weight"

DAMAGES: dict[str, tuple[Damage, type[UserFacingError]]] = {
    "missing": (shutil.rmtree, ModelMissingError),
    "empty directory": (emptied, ModelMissingError),
    "no configuration": (without("config.json"), ModelMissingError),
    "garbled configuration": (content("config.json", b'{"model_type": "qwen3",'), ModelBrokenError),
    "configuration that is no object": (content("config.json", b"[1, 2]"), ModelBrokenError),
    "configuration in binary": (content("config.json", b"\xff\xfe\x00\x80"), ModelBrokenError),
    "deep configuration": (content("config.json", b"[" * 100_000), ModelBrokenError),
    "no width": (config(hidden_size=None), ModelBrokenError),
    "no norm": (config(rms_norm_eps=None), ModelBrokenError),
    "a billion layers": (config(num_hidden_layers=10**9), ModelBrokenError),
    "no heads": (config(num_attention_heads=0), ModelBrokenError),
    "negative width": (config(hidden_size=-64), ModelBrokenError),
    "width in words": (config(hidden_size="wide"), ModelBrokenError),
    "other width": (config(hidden_size=128), ModelBrokenError),
    "unknown scaling": (config(rope_scaling={"rope_type": "no such"}), ModelBrokenError),
    "scaling in words": (config(rope_scaling="yarn"), ModelBrokenError),
    "quantization in words": (config(quantization="much"), ModelBrokenError),
    "no weights": (without("model.safetensors"), ModelBrokenError),
    "truncated weights": (cut("model.safetensors", 0.5), ModelBrokenError),
    "truncated header": (cut("model.safetensors", 0.001), ModelBrokenError),
    "empty weights": (content("model.safetensors", b""), ModelBrokenError),
    "zero-filled weights": (zeroed("model.safetensors"), ModelBrokenError),
    "a page instead of weights": (content("model.safetensors", b"<!DOCTYPE html><html>"), ModelBrokenError),
    "missing tensor": (dropped(Q_PROJ), ModelBrokenError),
    "missing norm of an architecture": (dropped("model.layers.0.self_attn.q_norm.weight"), ModelBrokenError),
    "tensor too many": (replaced("model.layers.0.extra.weight", mx.zeros(4)), ModelBrokenError),
    "tensor of another shape": (replaced(Q_PROJ, mx.zeros((65, 64))), ModelBrokenError),
    "NaN in all weights": (every(float("nan")), ModelBrokenError),
    "NaN in one weight": (
        replaced("model.layers.0.mlp.down_proj.weight", mx.full((64, 64), mx.nan)),
        ModelBrokenError,
    ),
    "infinite weights": (every(float("inf")), ModelBrokenError),
    "weights of zero": (every(0.0), ModelBrokenError),
    "no tokenizer": (without("tokenizer.json"), ModelBrokenError),
    "garbled tokenizer": (cut("tokenizer.json", 0.5), ModelBrokenError),
    "empty tokenizer": (content("tokenizer.json", b""), ModelBrokenError),
    "tokenizer without tokens": (content("tokenizer.json", EMPTY_VOCABULARY), ModelBrokenError),
    "another kind of tokenizer": (
        lambda folder: (folder / "tokenizer.json").rename(folder / "tokenizer.model"),
        ModelUnsupportedError,
    ),
    "unknown architecture": (config(model_type="no_such_model"), ModelUnsupportedError),
    "no architecture": (config(model_type=None), ModelBrokenError),
    "a path for an architecture": (config(model_type="../../evil"), ModelUnsupportedError),
    "a module that is no architecture": (config(model_type="cache"), ModelUnsupportedError),
    "another architecture's weights": (config(model_type="gemma2"), ModelBrokenError),
    "code of its own": (config(model_file="evil.py"), ModelUnsupportedError),
}


@pytest.mark.parametrize(("damage", "expected"), DAMAGES.values(), ids=DAMAGES.keys())
def test_says_what_is_wrong_and_loads_the_next_model(
    model: Path, healthy: Path, damage: Damage, expected: type[UserFacingError]
) -> None:
    damage(model)
    engine = MlxEngine()
    with pytest.raises(UserFacingError) as caught:
        engine.load(model, LoadOptions(), lambda _fraction: None)
    assert type(caught.value) is expected, caught.value
    engine.load(healthy, LoadOptions(), lambda _fraction: None)
    (reply,) = run(engine, ask("Hello"))
    assert reply.stats.generated_tokens == 12
    engine.unload()


def test_refuses_a_model_that_could_answer_with_a_token_it_cannot_read(healthy: Path) -> None:
    spec = msgspec.structs.replace(read_spec(healthy), vocabulary_size=400)
    with pytest.raises(ModelBrokenError, match="beyond its vocabulary"):
        load_mlx_model(spec, lambda _fraction: None)


@pytest.mark.parametrize("model_file", [None, "evil.py"])
def test_never_runs_code_that_comes_with_a_model(model: Path, tmp_path: Path, model_file: str | None) -> None:
    trace = tmp_path / "it ran"
    code = f"open({str(trace)!r}, 'w')\n"
    for name in ("evil.py", "modeling_qwen3.py", "tokenization_evil.py", "qwen3.py", "__init__.py", "conftest.py"):
        (model / name).write_text(code, encoding="utf-8")
    config(model_file=model_file, auto_map={"AutoModelForCausalLM": "evil.Evil"})(model)
    settings = {"tokenizer_class": "EvilTokenizer", "auto_map": {"AutoTokenizer": ["evil.Evil", None]}}
    (model / "tokenizer_config.json").write_text(json.dumps(settings), encoding="utf-8")
    if model_file is None:
        # Scripts that nothing needs are no reason to refuse the model.
        engine = loaded(model)
        assert run(engine, ask("Hello"))[0].stats.generated_tokens == 12
        engine.unload()
    else:
        with pytest.raises(ModelUnsupportedError):
            loaded(model)
    assert not trace.exists()


def test_sends_a_gguf_file_to_the_other_engine(tmp_path: Path) -> None:
    write_random_gguf(tmp_path / "model.gguf", SMALL)
    with pytest.raises(ModelUnsupportedError, match="llamacpp"):
        loaded(tmp_path / "model.gguf")


def test_finds_a_damaged_embedding_when_a_prompt_touches_it(model: Path) -> None:
    def damaged(tensors: dict[str, mx.array]) -> dict[str, mx.array]:
        name = "model.embed_tokens.weight"
        row = mx.arange(tensors[name].shape[0])[:, None] == 77
        return {**tensors, name: mx.where(row, mx.nan, tensors[name])}

    weights(damaged)(model)
    engine = loaded(model)
    touched, next_one = run(engine, ask(TokenPrompt((5, 77, 6))), ask(TokenPrompt((5, 76, 6)), id=2))
    assert touched.error.code == ModelBrokenError.code
    assert next_one.stats.generated_tokens == 12
    assert next_one.stats.cached_tokens == 0
    engine.unload()


@pytest.mark.parametrize("bits", [4, 8])
def test_runs_quantized_weights(tmp_path: Path, bits: int) -> None:
    write_random_mlx(tmp_path / "model", SMALL, quantized_bits=bits)
    engine = MlxEngine()
    model = engine.load(tmp_path / "model", LoadOptions(), lambda _fraction: None)
    assert model.quantization.name == f"INT{bits}"
    # A scale and a bias of 32 bits for each 64 weights, and norms in 32 bits.
    assert model.quantization.bits_per_weight == pytest.approx(bits + 1, abs=0.2)
    (reply,) = run(engine, ask("Hello"))
    assert reply.stop_reason is StopReason.LENGTH
    engine.unload()


@pytest.mark.parametrize("dtype", [mx.float16, mx.bfloat16])
@pytest.mark.parametrize("architecture", ["llama", "qwen3"])
def test_runs_weights_of_16_bits(tmp_path: Path, dtype: mx.Dtype, architecture: str) -> None:
    recipe = msgspec.structs.replace(SMALL, architecture=architecture)
    write_random_mlx(tmp_path / "model", recipe, dtype=dtype)
    engine = loaded(tmp_path / "model")
    (reply,) = run(engine, ask("Hello", top_logprobs=3))
    assert len(reply.token_ids) == 12
    engine.unload()


def test_runs_a_model_without_a_chat_template_on_plain_text(model: Path) -> None:
    without("chat_template.jinja")(model)
    engine = loaded(model)
    (reply,) = run(engine, ask("Hello"))
    assert reply.stats.generated_tokens == 12
    engine.unload()


def test_names_the_terms_when_the_context_asked_for_does_not_fit(model: Path) -> None:
    config(max_position_embeddings=2**31 - 1)(model)
    with pytest.raises(MemoryShortError, match=r"weights .* KV cache .* are free"):
        loaded(model, context_tokens=2**31 - 1)


def test_cuts_an_absurd_context_to_what_the_memory_bears(model: Path) -> None:
    config(max_position_embeddings=2**31 - 1)(model)
    engine = MlxEngine()
    limit = engine.load(model, LoadOptions(), lambda _fraction: None).context_limit_tokens
    assert 1024 < limit < 2**31 - 1
    (reply,) = run(engine, ask("Hello"))
    assert reply.stats.generated_tokens == 12
    engine.unload()


def test_refuses_to_quantize_heads_that_cannot_be_split_into_groups(tmp_path: Path) -> None:
    write_random_mlx(tmp_path / "model", msgspec.structs.replace(SMALL, head_dim=24))
    with pytest.raises(SettingsError, match="cannot be quantized"):
        loaded(tmp_path / "model", kv_cache_bits=8)
