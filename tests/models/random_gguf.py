"""GGUF files of any size with random weights (Qwen3, its mixture of experts, Gemma 3, LFM2), and broken ones.

A random model speaks nonsense, but at the speed, with the memory and through the code of a real one. A `chain` makes
the text predictable instead: every token has one successor, so a test knows what greedy decoding must give.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, NamedTuple

import gguf
import msgspec
import numpy as np
import numpy.typing as npt
from tokenizers import Tokenizer

from tests.models.tiny_tokenizer import CHATML, SPECIAL_TOKENS, write_tokenizer

Weights = Literal["F32", "F16", "Q8_0", "Q4_0"]
Matrix = npt.NDArray[np.float32]

FILE_TYPES = {
    "F32": gguf.LlamaFileType.ALL_F32,
    "F16": gguf.LlamaFileType.MOSTLY_F16,
    "Q8_0": gguf.LlamaFileType.MOSTLY_Q8_0,
    "Q4_0": gguf.LlamaFileType.MOSTLY_Q4_0,
}
CHAIN_SCALE = 0.5
STATE_TOKENS = 3


class GgufRecipe(msgspec.Struct, frozen=True, kw_only=True):
    """What to make; the default is a model of about 0.2 million parameters.

    Attributes:
        weights: how matrices are stored; norms are F32 always.
        chain: token ids that follow each other, the last one by the end token; any other token leads to the first.
        endless: whether no token that ends a text is ever the likeliest, so that greedily only the context ends it.
        chat_template: Jinja source; None leaves the key out.
        with_tokenizer: False leaves every tokenizer key out.
        stands_twice: a token that stands at the two last places of the vocabulary.
        begins_with_token: whether the tokenizer puts <|endoftext|> in front of every text.
        architecture: name in the header; the tensors are those of "qwen3", "qwen3moe", "gemma3" and "lfm2", or Qwen3's.
            In LFM2 every other layer, from the first one on, has a recurrent state instead of attention.
        experts: experts in each layer, of a mixture of them, each `feed_forward` wide.
        active_experts: of them, how many a token uses.
        window_tokens: width of sliding-window attention, for architectures that have it.
        filled_vocabulary: whether the vocabulary really has `vocabulary_size` entries.
        nan_in: name of a tensor to fill with NaN.
        misshapen: name of a tensor to give one row too many.
    """

    weights: Weights = "F32"
    layers: int = 2
    hidden: int = 64
    feed_forward: int = 128
    heads: int = 4
    kv_heads: int = 2
    head_dim: int = 32
    context_tokens: int = 2048
    vocabulary_size: int = 512
    seed: int = 1
    chain: tuple[int, ...] = ()
    endless: bool = False
    chat_template: str | None = CHATML
    with_tokenizer: bool = True
    stands_twice: str | None = None
    begins_with_token: bool = False
    architecture: str = "qwen3"
    experts: int = 0
    active_experts: int = 0
    window_tokens: int | None = None
    filled_vocabulary: bool = False
    nan_in: str = ""
    misshapen: str = ""


TINY = GgufRecipe()
ENDLESS = GgufRecipe(
    weights="F16",
    layers=8,
    hidden=512,
    feed_forward=1536,
    heads=8,
    kv_heads=4,
    head_dim=64,
    context_tokens=8192,
    endless=True,
)
"""26 million parameters that greedily write until the context is full, which takes many seconds."""
SLIDING_WINDOW = GgufRecipe(architecture="gemma3", window_tokens=64, layers=6)
HYBRID = GgufRecipe(architecture="lfm2", layers=4, heads=2, kv_heads=1)
"""Its heads are as wide together as the residual stream, as LFM2 wants it."""
HALF_BILLION = GgufRecipe(
    weights="F16", layers=28, hidden=1024, feed_forward=3072, heads=16, kv_heads=8, head_dim=128, context_tokens=32768
)
"""440 million parameters, the shape of the smallest Qwen3: what benchmarks run."""


class _Vocabulary(NamedTuple):
    tokens: list[str]
    types: list[gguf.TokenType]
    merges: list[str]
    end_id: int


def write_random_gguf(path: Path, recipe: GgufRecipe = TINY) -> Tokenizer:
    """Write the model to `path` and return the tokenizer in it (also written beside it, in Hugging Face's layout)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    folder = path.with_suffix(".tokenizer")
    tokenizer = write_tokenizer(folder, recipe.vocabulary_size, filled=recipe.filled_vocabulary)
    vocabulary = _vocabulary(folder / "tokenizer.json")
    if recipe.stands_twice is not None:
        vocabulary.tokens[-2:] = [recipe.stands_twice] * 2
    writer = gguf.GGUFWriter(path, recipe.architecture)
    _add_header(writer, recipe, len(vocabulary.tokens))
    if recipe.with_tokenizer:
        _add_tokenizer(writer, vocabulary, begins_with_token=recipe.begins_with_token)
    if recipe.chat_template is not None:
        writer.add_chat_template(recipe.chat_template)
    for name, matrix in _tensors(recipe, vocabulary):
        _add_tensor(writer, recipe, name, matrix)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return tokenizer


def _vocabulary(tokenizer_json: Path) -> _Vocabulary:
    """Read tokens in the order of their ids, padded to a multiple of 32 (the block length of the quantized types)."""
    model = json.loads(tokenizer_json.read_text(encoding="utf-8"))["model"]
    ids: dict[str, int] = model["vocab"]
    tokens = sorted(ids, key=ids.__getitem__)
    types = [gguf.TokenType.CONTROL if token in SPECIAL_TOKENS else gguf.TokenType.NORMAL for token in tokens]
    while len(tokens) % 32:
        tokens.append(f"<pad{len(tokens)}>")
        types.append(gguf.TokenType.UNUSED)
    merges = [merge if isinstance(merge, str) else " ".join(merge) for merge in model["merges"]]
    return _Vocabulary(tokens, types, merges, ids["<|im_end|>"])


def _add_header(writer: gguf.GGUFWriter, recipe: GgufRecipe, vocabulary_size: int) -> None:
    writer.add_name("random")
    writer.add_license("apache-2.0")
    writer.add_block_count(recipe.layers)
    writer.add_context_length(recipe.context_tokens)
    writer.add_embedding_length(recipe.hidden)
    writer.add_feed_forward_length(recipe.feed_forward)
    writer.add_head_count(recipe.heads)
    is_hybrid = recipe.architecture == "lfm2"
    writer.add_head_count_kv(
        [recipe.kv_heads * (layer % 2) for layer in range(recipe.layers)] if is_hybrid else recipe.kv_heads
    )
    if is_hybrid:
        writer.add_shortconv_l_cache(STATE_TOKENS)
    writer.add_key_length(recipe.head_dim)
    writer.add_value_length(recipe.head_dim)
    writer.add_layer_norm_rms_eps(1e-6)
    writer.add_rope_freq_base(1e6)
    writer.add_vocab_size(vocabulary_size)
    if recipe.experts:
        writer.add_expert_count(recipe.experts)
        writer.add_expert_used_count(recipe.active_experts)
        writer.add_expert_feed_forward_length(recipe.feed_forward)
    if recipe.window_tokens is not None:
        writer.add_sliding_window(recipe.window_tokens)
    writer.add_file_type(FILE_TYPES[recipe.weights])
    writer.add_quantization_version(gguf.GGML_QUANT_VERSION)


def _add_tokenizer(writer: gguf.GGUFWriter, vocabulary: _Vocabulary, *, begins_with_token: bool) -> None:
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("qwen2")
    writer.add_token_list(vocabulary.tokens)
    writer.add_token_types(vocabulary.types)
    writer.add_token_merges(vocabulary.merges)
    writer.add_eos_token_id(vocabulary.end_id)
    writer.add_pad_token_id(vocabulary.tokens.index("<|endoftext|>"))
    if begins_with_token:
        writer.add_bos_token_id(vocabulary.tokens.index("<|endoftext|>"))
    writer.add_add_bos_token(value=begins_with_token)


def _add_tensor(writer: gguf.GGUFWriter, recipe: GgufRecipe, name: str, matrix: Matrix) -> None:
    if name == recipe.nan_in:
        matrix = np.full_like(matrix, np.nan)
    if name == recipe.misshapen:
        matrix = np.concatenate([matrix, matrix[:1]])
    if matrix.ndim == 1 or recipe.weights == "F32":
        writer.add_tensor(name, matrix)
    elif recipe.weights == "F16":
        writer.add_tensor(name, matrix.astype(np.float16))
    else:
        kind = gguf.GGMLQuantizationType[recipe.weights]
        writer.add_tensor(name, gguf.quants.quantize(matrix, kind), raw_dtype=kind)


class _Draw:
    """Random matrices, the same for the same seed."""

    def __init__(self, seed: int) -> None:
        self._random = np.random.default_rng(seed)

    def matrix(self, rows: int, columns: int, scale: float = 1.0) -> Matrix:
        """Return a matrix that keeps the length of what it is multiplied with, times `scale`."""
        drawn = self._random.standard_normal((rows, columns), dtype=np.float32)
        return drawn * np.float32(scale * columns**-0.5)

    def stack(self, count: int, rows: int, columns: int, scale: float = 1.0) -> Matrix:
        """Return `count` matrices."""
        return self.matrix(count * rows, columns, scale).reshape(count, rows, columns)


def _tensors(recipe: GgufRecipe, vocabulary: _Vocabulary) -> Iterator[tuple[str, Matrix]]:
    draw = _Draw(recipe.seed)
    hidden = recipe.hidden
    embedding = draw.matrix(len(vocabulary.tokens), hidden, hidden**0.5)
    if recipe.chain:
        _give_strangers_one_embedding(embedding, recipe.chain)
    yield "token_embd.weight", embedding
    for layer in range(recipe.layers):
        mixer = _short_convolution if recipe.architecture == "lfm2" and layer % 2 == 0 else _attention
        for name, matrix in (*mixer(recipe, draw), *_feed_forward(recipe, draw)):
            yield f"blk.{layer}.{name}.weight", matrix
    yield f"{'token_embd_norm' if recipe.architecture == 'lfm2' else 'output_norm'}.weight", np.ones(hidden, np.float32)
    if recipe.architecture == "gemma3":
        return  # The embedding computes the logits.
    if recipe.chain:
        yield "output.weight", _chain_output(embedding, recipe.chain, vocabulary.end_id)
        return
    output = draw.matrix(len(vocabulary.tokens), hidden, 3.0)
    if recipe.endless:
        output[[kind is gguf.TokenType.CONTROL for kind in vocabulary.types]] = 0
    yield "output.weight", output


def _residual(recipe: GgufRecipe) -> float:
    """A chain lives in the embedding and the output alone: the layers in between add next to nothing."""
    return 1e-3 if recipe.chain else 1.0


def _attention(recipe: GgufRecipe, draw: _Draw) -> Iterator[tuple[str, Matrix]]:
    hidden, inner, kv_inner = recipe.hidden, recipe.heads * recipe.head_dim, recipe.kv_heads * recipe.head_dim
    norms = {"attn_norm": hidden, "ffn_norm": hidden, "attn_q_norm": recipe.head_dim, "attn_k_norm": recipe.head_dim}
    if recipe.architecture == "gemma3":
        norms |= {"post_attention_norm": hidden, "post_ffw_norm": hidden}
    for name, width in norms.items():
        yield name, np.ones(width, np.float32)
    yield "attn_q", draw.matrix(inner, hidden)
    yield "attn_k", draw.matrix(kv_inner, hidden)
    yield "attn_v", draw.matrix(kv_inner, hidden)
    yield "attn_output", draw.matrix(hidden, inner, _residual(recipe))


def _short_convolution(recipe: GgufRecipe, draw: _Draw) -> Iterator[tuple[str, Matrix]]:
    """What LFM2 has instead of attention: it keeps the last few inputs of a convolution, and so a state."""
    for name in ("attn_norm", "ffn_norm"):
        yield name, np.ones(recipe.hidden, np.float32)
    yield "shortconv.in_proj", draw.matrix(3 * recipe.hidden, recipe.hidden)
    yield "shortconv.conv", draw.matrix(recipe.hidden, STATE_TOKENS)
    yield "shortconv.out_proj", draw.matrix(recipe.hidden, recipe.hidden)


def _feed_forward(recipe: GgufRecipe, draw: _Draw) -> Iterator[tuple[str, Matrix]]:
    hidden, inner, experts = recipe.hidden, recipe.feed_forward, recipe.experts
    if experts:
        yield "ffn_gate_inp", draw.matrix(experts, hidden)
        yield "ffn_gate_exps", draw.stack(experts, inner, hidden)
        yield "ffn_up_exps", draw.stack(experts, inner, hidden)
        yield "ffn_down_exps", draw.stack(experts, hidden, inner, _residual(recipe))
        return
    yield "ffn_gate", draw.matrix(inner, hidden)
    yield "ffn_up", draw.matrix(inner, hidden)
    yield "ffn_down", draw.matrix(hidden, inner, _residual(recipe))


def _give_strangers_one_embedding(embedding: Matrix, chain: tuple[int, ...]) -> None:
    strangers = np.setdiff1d(np.arange(len(embedding)), np.array(chain))
    embedding[strangers] = embedding[strangers[0]]


def _chain_output(embedding: Matrix, chain: tuple[int, ...], end_id: int) -> Matrix:
    """Return output rows that score highest for the successor of the token whose embedding comes in.

    A successor's row points along its predecessor's embedding, the first one's along that of all tokens outside.
    """
    output = np.zeros_like(embedding)
    for predecessor, successor in zip(chain, (*chain[1:], end_id), strict=True):
        output[successor] = embedding[predecessor]
    output[chain[0]] = embedding[end_id]
    return output * np.float32(CHAIN_SCALE)
