# /// script
# requires-python = ">=3.11"
# dependencies = ["torch==2.13.0"]
# ///
"""The Qwen3 architecture in torch, small and for training only.

Parameter names equal those of the published Qwen3 checkpoints, so the weights need no renaming when they are exported.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

QUANTIZATION_GROUP = 64
QUANTIZATION_STEPS = 15
QUERY_SCALE = 1.5


@dataclass(frozen=True)
class Qwen3Config:
    """The numbers that define the network."""

    hidden_size: int = 256
    num_hidden_layers: int = 6
    intermediate_size: int = 704
    num_attention_heads: int = 4
    num_key_value_heads: int = 2
    head_dim: int = 64
    vocab_size: int = 4096
    rms_norm_eps: float = 1e-6
    rope_theta: float = 1e6
    max_position_embeddings: int = 2048

    def write(self, path: Path, stop_token: int) -> None:
        """Write config.json as inference engines expect it."""
        fixed = {
            "architectures": ["Qwen3ForCausalLM"],
            "model_type": "qwen3",
            "attention_bias": False,
            "hidden_act": "silu",
            "tie_word_embeddings": True,
            "torch_dtype": "float32",
            "eos_token_id": stop_token,
        }
        path.write_text(json.dumps(fixed | asdict(self), indent=2) + "\n", encoding="utf-8")


def rounded_to_4_bits(weight: Tensor) -> Tensor:
    """Round a matrix as affine 4-bit quantization does, with the gradient of the identity."""
    groups = weight.detach().float().reshape(-1, QUANTIZATION_GROUP)
    low, high = groups.amin(1, keepdim=True), groups.amax(1, keepdim=True)
    scale = ((high - low) / QUANTIZATION_STEPS).clamp_min(1e-8)
    rounded = ((groups - low) / scale).round() * scale + low
    return weight + (rounded.reshape(weight.shape) - weight.detach())


class Projection(nn.Module):
    """A matrix without bias that can pretend to be quantized."""

    def __init__(self, inputs: int, outputs: int) -> None:
        """Create the matrix."""
        super().__init__()
        self.weight = nn.Parameter(torch.empty(outputs, inputs))
        self.quantized = False

    def forward(self, x: Tensor) -> Tensor:
        """Multiply."""
        return functional.linear(x, rounded_to_4_bits(self.weight) if self.quantized else self.weight)


class RMSNorm(nn.Module):
    """Root-mean-square normalization with a fixed scale.

    The scale is not trained: the matrix that follows can absorb it, and its gradient alone took a fifth of a step.
    """

    def __init__(self, size: int, eps: float, scale: float = 1.0) -> None:
        """Create the scale."""
        super().__init__()
        self.weight = nn.Parameter(torch.full((size,), scale), requires_grad=False)
        self.scale, self.eps = scale, eps

    def forward(self, x: Tensor) -> Tensor:
        """Normalize the last dimension."""
        wide = x.float()
        return (wide * torch.rsqrt(wide.square().mean(-1, keepdim=True) + self.eps) * self.scale).to(x.dtype)


def rotated(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Apply the rotary position embedding, first half against second half."""
    first, second = x.float().chunk(2, dim=-1)
    return torch.cat((first * cos - second * sin, second * cos + first * sin), dim=-1).to(x.dtype)


class Attention(nn.Module):
    """Grouped-query attention with normalized queries and keys."""

    def __init__(self, config: Qwen3Config) -> None:
        """Create the projections."""
        super().__init__()
        size, dim = config.hidden_size, config.head_dim
        self.dim = dim
        self.q_proj = Projection(size, config.num_attention_heads * dim)
        self.k_proj = Projection(size, config.num_key_value_heads * dim)
        self.v_proj = Projection(size, config.num_key_value_heads * dim)
        self.o_proj = Projection(config.num_attention_heads * dim, size)
        self.q_norm = RMSNorm(dim, config.rms_norm_eps, QUERY_SCALE)
        self.k_norm = RMSNorm(dim, config.rms_norm_eps)

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        """Mix information between positions, each seeing only earlier ones."""
        batch, length, _ = x.shape
        queries = self.q_norm(self.q_proj(x).view(batch, length, -1, self.dim)).transpose(1, 2)
        keys = self.k_norm(self.k_proj(x).view(batch, length, -1, self.dim)).transpose(1, 2)
        values = self.v_proj(x).view(batch, length, -1, self.dim).transpose(1, 2)
        queries, keys = rotated(queries, cos, sin), rotated(keys, cos, sin)
        mixed = functional.scaled_dot_product_attention(queries, keys, values, is_causal=True, enable_gqa=True)
        return self.o_proj(mixed.transpose(1, 2).reshape(batch, length, -1))


class FeedForward(nn.Module):
    """SwiGLU."""

    def __init__(self, config: Qwen3Config) -> None:
        """Create the projections."""
        super().__init__()
        self.gate_proj = Projection(config.hidden_size, config.intermediate_size)
        self.up_proj = Projection(config.hidden_size, config.intermediate_size)
        self.down_proj = Projection(config.intermediate_size, config.hidden_size)

    def forward(self, x: Tensor) -> Tensor:
        """Work on each position alone."""
        return self.down_proj(functional.silu(self.gate_proj(x)) * self.up_proj(x))


class Layer(nn.Module):
    """One transformer layer."""

    def __init__(self, config: Qwen3Config) -> None:
        """Create both halves with their norms."""
        super().__init__()
        self.self_attn = Attention(config)
        self.mlp = FeedForward(config)
        self.input_layernorm = RMSNorm(config.hidden_size, config.rms_norm_eps)
        self.post_attention_layernorm = RMSNorm(config.hidden_size, config.rms_norm_eps)

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        """Add what attention and the feed-forward part find to the stream."""
        x = x + self.self_attn(self.input_layernorm(x), cos, sin)
        return x + self.mlp(self.post_attention_layernorm(x))


class Stack(nn.Module):
    """Embedding, layers and the last norm."""

    def __init__(self, config: Qwen3Config) -> None:
        """Create all layers and the table of rotary angles."""
        super().__init__()
        self.embed_tokens = nn.Embedding(config.vocab_size, config.hidden_size)
        self.layers = nn.ModuleList(Layer(config) for _ in range(config.num_hidden_layers))
        self.norm = RMSNorm(config.hidden_size, config.rms_norm_eps)
        frequencies = config.rope_theta ** (-torch.arange(0, config.head_dim, 2).float() / config.head_dim)
        angles = torch.outer(torch.arange(config.max_position_embeddings).float(), frequencies)
        self.register_buffer("cos", angles.cos(), persistent=False)
        self.register_buffer("sin", angles.sin(), persistent=False)
        self.quantized = False

    def table(self) -> Tensor:
        """Return the embedding table, rounded while quantization is simulated."""
        weight = self.embed_tokens.weight
        return rounded_to_4_bits(weight) if self.quantized else weight

    def forward(self, tokens: Tensor) -> Tensor:
        """Return the vector of every position."""
        x = functional.embedding(tokens, self.table())
        cos, sin = self.cos[: tokens.shape[1]], self.sin[: tokens.shape[1]]
        for layer in self.layers:
            x = layer(x, cos, sin)
        return self.norm(x)


class Qwen3(nn.Module):
    """The language model; the embedding table also turns vectors into logits."""

    def __init__(self, config: Qwen3Config) -> None:
        """Create and initialize the weights."""
        super().__init__()
        self.model = Stack(config)
        deep = (2 * config.num_hidden_layers) ** -0.5
        for name, parameter in self.named_parameters():
            if parameter.ndim > 1:
                is_output = name.endswith(("o_proj.weight", "down_proj.weight"))
                nn.init.normal_(parameter, std=0.02 * (deep if is_output else 1.0))

    def logits(self, vectors: Tensor) -> Tensor:
        """Score every token of the vocabulary."""
        return functional.linear(vectors, self.model.table())

    def simulate_quantization(self, *, enabled: bool) -> None:
        """Switch 4-bit rounding of all matrices on or off."""
        for module in self.modules():
            if isinstance(module, Projection | Stack):
                module.quantized = enabled
