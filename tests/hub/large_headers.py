"""Models of 70 billion parameters with true headers and no weights: what reading headers from afar is measured with."""

from __future__ import annotations

import json
import struct

from tests.hub.hosted import HostedFile, HostedRepo, Sparse
from tests.models.raw_headers import gguf_array, gguf_key, gguf_string, gguf_tensor

LAYERS, HIDDEN, INNER, KV, VOCABULARY = 80, 8192, 28672, 1024, 128_256
MERGES = 280_147
SHARD_BYTES = 5_000_000_000
GROUP = 64
STRINGS, INTEGERS = 8, 5
Q4_K, Q4_K_BLOCK_BYTES, F32 = 12, 144, 0
BITS = 4


def matrices() -> dict[str, tuple[int, int]]:
    """Return the matrices of Llama 3 70B by their names in MLX, as (rows, columns)."""
    shapes = {"model.embed_tokens": (VOCABULARY, HIDDEN), "lm_head": (VOCABULARY, HIDDEN)}
    for layer in range(LAYERS):
        block = f"model.layers.{layer}."
        shapes |= {f"{block}self_attn.{name}_proj": (HIDDEN, HIDDEN) for name in "qo"}
        shapes |= {f"{block}self_attn.{name}_proj": (KV, HIDDEN) for name in "kv"}
        shapes |= {f"{block}mlp.{name}_proj": (INNER, HIDDEN) for name in ("gate", "up")}
        shapes[f"{block}mlp.down_proj"] = (HIDDEN, INNER)
    return shapes


def mlx_70b(repo_id: str = "mlx-community/Llama-3.3-70B-Instruct-4bit") -> HostedRepo:
    """Return an INT4 MLX repository, 40 GB in shards of 5 GB."""
    tensors: dict[str, tuple[str, tuple[int, ...], int]] = {}
    for name, (rows, columns) in matrices().items():
        tensors[f"{name}.weight"] = ("U32", (rows, columns * BITS // 32), rows * columns * BITS // 8)
        for side in ("scales", "biases"):
            tensors[f"{name}.{side}"] = ("BF16", (rows, columns // GROUP), rows * columns // GROUP * 2)
    norms = [f"model.layers.{n}.{kind}" for n in range(LAYERS) for kind in NORMS] + ["model.norm"]
    tensors |= {f"{name}.weight": ("BF16", (HIDDEN,), 2 * HIDDEN) for name in norms}
    files = {"config.json": HostedFile(json.dumps(CONFIG).encode()), "tokenizer.json": HostedFile(bytes(17_000_000))}
    files["tokenizer_config.json"] = HostedFile(json.dumps({"eos_token": "<|eot_id|>"}).encode())
    return HostedRepo(repo_id, files | _shards(tensors), ("mlx", "license:llama3.3"))


NORMS = ("input_layernorm", "post_attention_layernorm")
CONFIG = {
    "model_type": "llama",
    "hidden_size": HIDDEN,
    "intermediate_size": INNER,
    "num_hidden_layers": LAYERS,
    "num_attention_heads": 64,
    "num_key_value_heads": 8,
    "head_dim": 128,
    "vocab_size": VOCABULARY,
    "max_position_embeddings": 131_072,
    "rms_norm_eps": 1e-5,
    "rope_theta": 500_000.0,
    "tie_word_embeddings": False,
    "quantization": {"group_size": GROUP, "bits": BITS},
}


def _shards(tensors: dict[str, tuple[str, tuple[int, ...], int]]) -> dict[str, HostedFile]:
    groups: list[dict[str, object]] = [{}]
    sizes = [0]
    for name, (dtype, shape, size) in tensors.items():
        if sizes[-1] + size > SHARD_BYTES:
            groups.append({})
            sizes.append(0)
        groups[-1][name] = {"dtype": dtype, "shape": shape, "data_offsets": [sizes[-1], sizes[-1] + size]}
        sizes[-1] += size
    files = {}
    for number, (group, size) in enumerate(zip(groups, sizes, strict=True), 1):
        text = json.dumps(group).encode()
        head = struct.pack("<Q", len(text)) + text
        files[f"model-{number:05d}-of-{len(groups):05d}.safetensors"] = HostedFile(Sparse(head, len(head) + size))
    return files


GGUF_NAMES = {
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}


def gguf_70b(repo_id: str = "bartowski/Llama-3.3-70B-Instruct-GGUF") -> HostedRepo:
    """Return a Q4_K GGUF repository, 40 GB in one file, with a vocabulary and merges of true length."""
    head = _gguf_keys()
    rows, data_bytes = _gguf_tensors()
    content = b"GGUF" + struct.pack("<IQQ", 3, len(rows), len(head)) + b"".join(head) + b"".join(rows)
    content += bytes(-len(content) % 32)
    file = HostedFile(Sparse(content, len(content) + data_bytes))
    return HostedRepo(repo_id, {"Llama-3.3-70B-Instruct-Q4_K_M.gguf": file}, ("gguf",))


def _gguf_tensors() -> tuple[list[bytes], int]:
    rows: list[bytes] = []
    place = 0
    shapes = {"token_embd.weight": (VOCABULARY, HIDDEN), "output.weight": (VOCABULARY, HIDDEN)}
    for name, shape in matrices().items():
        parts = name.split(".", 3)
        if len(parts) == 4:
            shapes[f"blk.{parts[2]}.{GGUF_NAMES[parts[3]]}.weight"] = shape
    for name, (height, width) in shapes.items():
        rows.append(gguf_tensor(name, (width, height), Q4_K, place))
        place += height * width // 256 * Q4_K_BLOCK_BYTES
    for name in [f"blk.{layer}.{kind}_norm.weight" for layer in range(LAYERS) for kind in ("attn", "ffn")]:
        rows.append(gguf_tensor(name, (HIDDEN,), F32, place))
        place += 4 * HIDDEN
    rows.append(gguf_tensor("output_norm.weight", (HIDDEN,), F32, place))
    return rows, place + 4 * HIDDEN


def _gguf_keys() -> list[bytes]:
    tokens = b"".join(gguf_string(f"token{index}"[-7:]) for index in range(VOCABULARY))
    merges = b"".join(gguf_string(f"me {index}"[-9:]) for index in range(MERGES))
    types = gguf_array(INTEGERS, VOCABULARY, bytes(4 * VOCABULARY))
    numbers = {
        "block_count": LAYERS,
        "context_length": 131_072,
        "embedding_length": HIDDEN,
        "feed_forward_length": INNER,
        "attention.head_count": 64,
        "attention.head_count_kv": 8,
        "vocab_size": VOCABULARY,
    }
    return [
        gguf_key("general.architecture", "llama"),
        gguf_key("general.file_type", 15),
        *(gguf_key(f"llama.{name}", value) for name, value in numbers.items()),
        gguf_key("llama.attention.layer_norm_rms_epsilon", 1e-5),
        gguf_key("llama.rope.freq_base", 500_000.0),
        gguf_key("tokenizer.ggml.model", "gpt2"),
        gguf_key("tokenizer.ggml.pre", "llama-bpe"),
        gguf_key("tokenizer.ggml.tokens", gguf_array(STRINGS, VOCABULARY, tokens)),
        gguf_key("tokenizer.ggml.token_type", types),
        gguf_key("tokenizer.ggml.merges", gguf_array(STRINGS, MERGES, merges)),
        gguf_key("tokenizer.ggml.bos_token_id", 128_000),
        gguf_key("tokenizer.ggml.eos_token_id", 128_009),
        gguf_key("tokenizer.chat_template", "{{ messages }}"),
    ]
