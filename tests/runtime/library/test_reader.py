"""From a path to a `ModelSpec`: both formats agree about the same weights, and every kind of damage is told apart."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import mlx.core as mx
import mlx_lm.utils
import pytest

from runtime.config.paths import app_paths
from runtime.library.reader import read_spec
from runtime.library.spec import ChatTemplate, Experts, KvLayers, ModelSpec
from runtime.values.errors import ModelBrokenError, ModelMissingError, ModelUnsupportedError, UserFacingError
from runtime.values.model import ModelFormat
from tests.models.random_gguf import GgufRecipe, write_random_gguf
from tests.models.random_mlx import write_random_mlx
from tests.models.tiny_tokenizer import CHATML

mlx_parameters: Callable[..., int] = mlx_lm.utils.get_total_parameters
mlx_bits_per_weight: Callable[..., float] = mlx_lm.utils.compute_bits_per_weight


@pytest.fixture(scope="module")
def gguf_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("gguf") / "tiny.gguf"
    write_random_gguf(file)
    return file


@pytest.fixture(scope="module")
def mlx_source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("mlx") / "tiny"
    write_random_mlx(folder)
    return folder


@pytest.fixture
def mlx_folder(tmp_path: Path, mlx_source: Path) -> Path:
    """Return a copy that a test may damage."""
    return Path(shutil.copytree(mlx_source, tmp_path / "tiny"))


def _change(file: Path, **keys: object) -> None:
    """Set keys of a JSON file; the value `...` removes one."""
    content = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    content.update(keys)
    kept = {key: value for key, value in content.items() if value is not ...}
    file.write_text(json.dumps(kept), encoding="utf-8")


def test_a_gguf_file(gguf_file: Path) -> None:
    spec = read_spec(gguf_file)

    assert (spec.name, spec.format, spec.architecture, spec.path) == ("tiny", ModelFormat.GGUF, "qwen3", gguf_file)
    assert (spec.layers, spec.hidden_size, spec.attention_heads, spec.kv_heads, spec.head_dim) == (2, 64, 4, 2, 32)
    assert (spec.context_tokens, spec.vocabulary_size) == (2048, 416)
    assert (spec.bos_token, spec.eos_token, spec.end_token_ids, spec.add_bos) == (None, "<|im_end|>", (2,), False)
    assert (spec.license, spec.chat_template, spec.experts, spec.is_demo) == ("apache-2.0", CHATML, None, False)
    assert spec.weights_bytes == spec.parameters * 4 == sum(tensor.size_bytes for tensor in spec.tensors)


@pytest.mark.parametrize("bits", [None, 4, 8])
def test_an_mlx_directory_agrees_with_mlx(tmp_path: Path, bits: int | None) -> None:
    write_random_mlx(tmp_path / "tiny", dtype=mx.float16, quantized_bits=bits)
    model, _ = mlx_lm.utils.load_model(tmp_path / "tiny")

    spec = read_spec(tmp_path / "tiny")

    assert spec.parameters == mlx_parameters(model)
    assert spec.quantization.bits_per_weight == pytest.approx(mlx_bits_per_weight(model))
    assert spec.quantization.name == ("FP16" if bits is None else f"INT{bits}")


def test_both_formats_say_the_same_of_the_same_model(gguf_file: Path, mlx_folder: Path) -> None:
    gguf, mlx = read_spec(gguf_file), read_spec(mlx_folder)

    same = set(ModelSpec.__struct_fields__) - {"path", "format", "tensors", "license", "end_token_ids", "add_bos"}
    assert mlx.kv_element_bytes == 4
    for name in same - {"kv_element_bytes"}:
        assert getattr(gguf, name) == getattr(mlx, name), name


@pytest.mark.parametrize("variant", ["mlx-int8", "mlx-int4", "demo-q8_0.gguf", "demo-q4_0.gguf"])
def test_the_demo_model_is_known_as_one(variant: str) -> None:
    spec = read_spec(app_paths({}).demo_model / variant)

    assert spec.is_demo
    assert spec.chat_template
    assert 4_000_000 <= spec.parameters <= 10_000_000
    assert spec.quantization.name == variant.partition("-")[2].upper().removesuffix(".GGUF")
    assert 4 < spec.quantization.bits_per_weight < 9


def test_a_relative_path_and_a_home_path_are_found(
    mlx_folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(mlx_folder)

    assert read_spec(Path()).name == "tiny"
    assert read_spec(Path("~/tiny")).path == mlx_folder


# --- what lies beside the weights ---


def test_chat_templates_of_every_place_and_form(mlx_folder: Path) -> None:
    settings = mlx_folder / "tokenizer_config.json"
    (mlx_folder / "chat_template.jinja").unlink()
    assert read_spec(mlx_folder).chat_template is None

    _change(settings, chat_template="from config")
    assert read_spec(mlx_folder).chat_template == "from config"

    named = [{"name": "default", "template": "plain"}, {"name": "tool_use", "template": "tools"}, "junk", {"name": 3}]
    _change(settings, chat_template=named)
    spec = read_spec(mlx_folder)
    assert spec.chat_template == "plain"
    assert spec.named_chat_templates == (ChatTemplate("tool_use", "tools"),)

    (mlx_folder / "additional_chat_templates").mkdir()
    (mlx_folder / "additional_chat_templates" / "rag.jinja").write_text("rag", encoding="utf-8")
    (mlx_folder / "chat_template.jinja").write_text("file wins", encoding="utf-8")
    spec = read_spec(mlx_folder)
    assert spec.chat_template == "file wins"
    assert {template.name for template in spec.named_chat_templates} == {"tool_use", "rag"}


def test_tokens_are_text_or_objects(mlx_folder: Path) -> None:
    _change(mlx_folder / "tokenizer_config.json", bos_token={"content": "<s>"}, eos_token=..., add_bos_token=True)
    _change(mlx_folder / "special_tokens_map.json", eos_token={"content": "</s>"})
    _change(mlx_folder / "generation_config.json", eos_token_id=...)
    _change(mlx_folder / "config.json", eos_token_id=7)

    spec = read_spec(mlx_folder)

    assert (spec.bos_token, spec.eos_token, spec.add_bos, spec.end_token_ids) == ("<s>", "</s>", True, (7,))


@pytest.mark.parametrize(
    ("card", "expected"),
    [
        ("---\nlanguage: en\nlicense: apache-2.0\n---\n# Model", "apache-2.0"),
        ('---\r\nlicense: "mit"\r\n---\r\n', "mit"),
        ("# Model\nlicense: gpl\n", None),
        ("---\ntags: x\n---\nlicense: gpl\n", None),
    ],
)
def test_the_license_is_the_cards(mlx_folder: Path, card: str, expected: str | None) -> None:
    (mlx_folder / "README.md").write_bytes(card.encode())

    assert read_spec(mlx_folder).license == expected


def test_a_multimodal_configuration_is_read_from_its_text_part(mlx_folder: Path) -> None:
    config = json.loads((mlx_folder / "config.json").read_text(encoding="utf-8"))
    text = {key: config.pop(key) for key in ("num_hidden_layers", "hidden_size", "max_position_embeddings")}
    config |= {"text_config": text, "num_local_experts": 8, "num_experts_per_tok": 2, "rope_scaling": float("inf")}
    (mlx_folder / "config.json").write_text(json.dumps(config), encoding="utf-8")

    spec = read_spec(mlx_folder)

    assert (spec.layers, spec.hidden_size, spec.context_tokens) == (2, 64, 2048)
    assert spec.experts == Experts(2, 8)


def test_a_context_not_stated_is_unknown(mlx_folder: Path) -> None:
    _change(mlx_folder / "config.json", max_position_embeddings=...)

    assert read_spec(mlx_folder).context_tokens is None


def test_a_copy_of_a_tied_embedding_does_not_count(mlx_folder: Path) -> None:
    whole = read_spec(mlx_folder)
    _change(mlx_folder / "config.json", tie_word_embeddings=True)

    tied = read_spec(mlx_folder)

    assert tied.parameters == whole.parameters - 416 * 64
    assert tied.quantization.bits_per_weight == 32


# --- MLX: shards ---


def _split(folder: Path, count: int, *, index: bool) -> list[Path]:
    weights = mx.load(str(folder / "model.safetensors"))
    assert isinstance(weights, dict)
    (folder / "model.safetensors").unlink()
    files = [folder / f"model-{number + 1:05d}-of-{count:05d}.safetensors" for number in range(count)]
    parts = [dict(list(weights.items())[number::count]) for number in range(count)]
    for file, part in zip(files, parts, strict=True):
        mx.save_safetensors(str(file), part)
    if index:
        where = {name: file.name for file, part in zip(files, parts, strict=True) for name in part}
        _change(folder / "model.safetensors.index.json", weight_map=where)
    return files


@pytest.mark.parametrize("told_by", ["index", "names"])
def test_parts_are_one_model_and_a_missing_part_is_named(mlx_folder: Path, told_by: str) -> None:
    whole = read_spec(mlx_folder)
    files = _split(mlx_folder, 3, index=told_by == "index")
    assert read_spec(mlx_folder).parameters == whole.parameters

    files[1].unlink()
    with pytest.raises(ModelBrokenError, match="model-00002-of-00003"):
        read_spec(mlx_folder)


def test_two_parts_with_the_same_tensor_are_damage(mlx_folder: Path) -> None:
    shutil.copy(mlx_folder / "model.safetensors", mlx_folder / "model-again.safetensors")

    with pytest.raises(ModelBrokenError, match="same tensor"):
        read_spec(mlx_folder)


def test_an_index_that_points_elsewhere_is_not_followed(mlx_folder: Path) -> None:
    _change(mlx_folder / "model.safetensors.index.json", weight_map={"x": "../../../etc/passwd"})

    with pytest.raises(ModelBrokenError, match="missing"):
        read_spec(mlx_folder)


# --- MLX: damage ---


def _without(name: str) -> Callable[[Path], None]:
    return lambda folder: (folder / name).unlink()


def _config(**keys: object) -> Callable[[Path], None]:
    return lambda folder: _change(folder / "config.json", **keys)


def _content(name: str, content: bytes) -> Callable[[Path], None]:
    def damage(folder: Path) -> None:
        (folder / name).write_bytes(content)

    return damage


def _cut_weights(folder: Path) -> None:
    file = folder / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-1000])


def _drop_tensor(folder: Path) -> None:
    weights = mx.load(str(folder / "model.safetensors"))
    assert isinstance(weights, dict)
    del weights["model.layers.1.mlp.up_proj.weight"]
    mx.save_safetensors(str(folder / "model.safetensors"), weights)


def _torch_weights(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")


def _weights_are_a_folder(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    (folder / "model.safetensors").mkdir()


MLX_DAMAGE: dict[str, tuple[Callable[[Path], None], type[UserFacingError], str]] = {
    "no config": (_without("config.json"), ModelMissingError, "no config.json"),
    "config cut": (_content("config.json", b'{"model_type": "qw'), ModelBrokenError, "not valid JSON"),
    "config is a list": (_content("config.json", b"[]"), ModelBrokenError, "not hold a JSON object"),
    "config nested": (_content("config.json", b"[" * 200_000), ModelBrokenError, "not valid JSON"),
    "config not text": (_content("config.json", b"\xff\xfe\x00"), ModelBrokenError, "not valid JSON"),
    "config with an endless number": (_content("config.json", b"[" + b"9" * 9000 + b"]"), ModelBrokenError, "JSON"),
    "no model type": (_config(model_type=...), ModelBrokenError, "model_type"),
    "model type climbs": (_config(model_type="../../x"), ModelUnsupportedError, "no architecture called"),
    "model type is relative": (_config(model_type=".utils"), ModelUnsupportedError, "no architecture called"),
    "model type is a list": (_config(model_type=["qwen3"]), ModelBrokenError, "model_type"),
    "no layer count": (_config(num_hidden_layers=...), ModelBrokenError, "how many layers"),
    "no layers": (_config(num_hidden_layers=0), ModelBrokenError, "num_hidden_layers is 0"),
    "many layers": (_config(num_hidden_layers=10**9), ModelBrokenError, "num_hidden_layers"),
    "too many layers": (_config(num_hidden_layers=3), ModelBrokenError, "layer 2 of 3 has no"),
    "layers a text": (_config(num_hidden_layers="2"), ModelBrokenError, "num_hidden_layers"),
    "layers true": (_config(num_hidden_layers=True), ModelBrokenError, "num_hidden_layers"),
    "heads beyond width": (_config(head_dim=..., num_attention_heads=100), ModelBrokenError, "split over"),
    "other width": (_config(hidden_size=128), ModelBrokenError, "the configuration asks for"),
    "other heads": (_config(num_attention_heads=8), ModelBrokenError, "q_proj"),
    "other kv heads": (_config(num_key_value_heads=4), ModelBrokenError, "k_proj"),
    "other vocabulary": (_config(vocab_size=417), ModelBrokenError, "embed_tokens"),
    "negative vocabulary": (_config(vocab_size=-1), ModelBrokenError, "vocab_size"),
    "negative epsilon": (_config(rms_norm_eps=-1), ModelBrokenError, "rms_norm_eps"),
    "epsilon not a number": (_config(rms_norm_eps=float("nan")), ModelBrokenError, "rms_norm_eps"),
    "rotation 0": (_config(rope_theta=0), ModelBrokenError, "rope_theta"),
    "context negative": (_config(max_position_embeddings=-5), ModelBrokenError, "max_position_embeddings"),
    "layer types short": (_config(layer_types=["full_attention"]), ModelBrokenError, "types 1 of 2"),
    "experts": (_config(num_experts=4, num_experts_per_tok=5), ModelBrokenError, "5 of 4 experts"),
    "no weights": (_without("model.safetensors"), ModelBrokenError, "no weights"),
    "weights cut": (_cut_weights, ModelBrokenError, "cut short"),
    "weights zero-filled": (_content("model.safetensors", bytes(5000)), ModelBrokenError, "header claims"),
    "weights are a folder": (_weights_are_a_folder, ModelBrokenError, "not a regular file"),
    "weights of PyTorch": (_torch_weights, ModelUnsupportedError, "PyTorch"),
    "tensor missing": (_drop_tensor, ModelBrokenError, "layer 1 of 2 has no mlp.up_proj"),
    "no tokenizer": (_without("tokenizer.json"), ModelBrokenError, "no tokenizer"),
    "tokenizer settings broken": (_content("tokenizer_config.json", b"{"), ModelBrokenError, "tokenizer_config.json"),
    "template not text": (_content("chat_template.jinja", b"\xff\xff"), ModelBrokenError, "chat_template.jinja"),
    "template huge": (_content("chat_template.jinja", b"x" * 2_000_000), ModelBrokenError, "at most"),
    "own model file": (_config(model_file="evil.py"), ModelUnsupportedError, "code"),
}


@pytest.mark.parametrize("case", MLX_DAMAGE)
def test_a_damaged_mlx_directory_says_what_is_wrong(mlx_folder: Path, case: str) -> None:
    damage, kind, text = MLX_DAMAGE[case]
    damage(mlx_folder)

    with pytest.raises(kind, match=text) as raised:
        read_spec(mlx_folder)
    assert raised.value.next_step


def test_scripts_that_merely_lie_there_do_not_keep_a_model_out(mlx_folder: Path) -> None:
    _content("modeling_phi3.py", b"raise SystemExit")(mlx_folder)
    _config(auto_map={"AutoModel": "modeling_phi3.Model"})(mlx_folder)

    assert read_spec(mlx_folder).layers == 2


@pytest.mark.parametrize("name", ["missing", "missing.gguf", "a\0b", "x" * 5000])
def test_nothing_there(tmp_path: Path, name: str) -> None:
    with pytest.raises(UserFacingError):
        read_spec(tmp_path / name)


def test_an_empty_directory_holds_no_model(tmp_path: Path) -> None:
    with pytest.raises(ModelMissingError, match="holds no model"):
        read_spec(tmp_path)


# --- GGUF: damage ---


GGUF_DAMAGE = {
    "no tokenizer": (GgufRecipe(with_tokenizer=False), "no tokenizer"),
    "embedding": (GgufRecipe(misshapen="token_embd.weight"), "token_embd.weight is 417"),
    "queries": (GgufRecipe(misshapen="blk.1.attn_q.weight"), "blk.1.attn_q.weight is 129"),
    "keys": (GgufRecipe(misshapen="blk.0.attn_k.weight"), "blk.0.attn_k"),
    "feed forward": (GgufRecipe(misshapen="blk.0.ffn_gate.weight"), "blk.0.ffn_gate"),
    "output": (GgufRecipe(misshapen="output.weight"), "output.weight"),
    "norm": (GgufRecipe(misshapen="output_norm.weight"), "output_norm.weight is 65"),
}


@pytest.mark.parametrize("case", GGUF_DAMAGE)
def test_a_gguf_file_whose_tensors_do_not_fit(tmp_path: Path, case: str) -> None:
    recipe, text = GGUF_DAMAGE[case]
    write_random_gguf(tmp_path / "bad.gguf", recipe)

    with pytest.raises(ModelBrokenError, match=text):
        read_spec(tmp_path / "bad.gguf")


def test_an_unknown_architecture_is_the_engines_to_refuse(tmp_path: Path) -> None:
    write_random_gguf(tmp_path / "other.gguf", GgufRecipe(architecture="nonesuch"))
    write_random_mlx(tmp_path / "other", GgufRecipe(architecture="nonesuch"))

    assert read_spec(tmp_path / "other.gguf").architecture == "nonesuch"
    assert read_spec(tmp_path / "other").architecture == "nonesuch"


def test_kv_layers_of_equal_form_are_one_run(gguf_file: Path) -> None:
    assert read_spec(gguf_file).kv_layers == (KvLayers(layers=2, kv_heads=2, key_dim=32, value_dim=32),)


def test_reading_a_model_loads_no_inference_library(mlx_folder: Path, gguf_file: Path) -> None:
    """The GUI process reads models, and must stay small and safe."""
    script = (
        "import sys; from pathlib import Path; import runtime.library.local, runtime.library.fit;"
        "from runtime.library.reader import read_spec; [read_spec(Path(each)) for each in sys.argv[1:]];"
        "print([name for name in ('numpy', 'mlx', 'mlx_lm', 'gguf', 'xllamacpp', 'PySide6') if name in sys.modules])"
    )
    command = [sys.executable, "-c", script, str(mlx_folder), str(gguf_file)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)

    assert done.stdout.strip() == "[]"
