"""Listings as the Hub gives them: names, tags, counts and file names of the kinds that converters publish."""

from __future__ import annotations

from collections.abc import Iterable

from tests.hub.hosted import HostedFile, HostedRepo

GGUF_8B = {"total": 8_190_735_360, "architecture": "qwen3", "context_length": 40960}


def mlx_listing(
    repo_id: str,
    base: str = "",
    *,
    downloads: int = 0,
    stored: dict[str, int] | None = None,
    extra: Iterable[str] = (),
    **fields: object,
) -> HostedRepo:
    """Return an MLX repository's entry."""
    tags = ["mlx", "safetensors", "text-generation", "conversational", "license:apache-2.0", "region:us", *extra]
    tags += [f"base_model:{base}", f"base_model:quantized:{base}"] if base else []
    files = {name: HostedFile(b"") for name in ("config.json", "model.safetensors", "tokenizer.json")}
    common: dict[str, object] = {
        "downloads": downloads,
        "likes": downloads // 100,
        "trendingScore": downloads // 1000,
        "pipeline_tag": "text-generation",
        "library_name": "mlx",
        "lastModified": "2026-05-05T10:11:12.000Z",
    }
    if stored is not None:
        common["safetensors"] = {"parameters": stored, "total": sum(stored.values())}
    return HostedRepo(repo_id, files, tuple(tags), fields=common | fields)


def gguf_listing(
    repo_id: str, base: str, names: Iterable[str], *, downloads: int = 0, extra: Iterable[str] = (), **fields: object
) -> HostedRepo:
    """Return a GGUF repository's entry."""
    tags = ["gguf", "conversational", "license:apache-2.0", "region:us", *extra]
    tags += [f"base_model:{base}", f"base_model:quantized:{base}"] if base else []
    files = {name: HostedFile(b"") for name in (".gitattributes", "README.md", *names)}
    common: dict[str, object] = {"downloads": downloads, "likes": downloads // 100, "pipeline_tag": "text-generation"}
    return HostedRepo(repo_id, files, tuple(tags), fields=common | fields)


def qwen3_8b() -> list[HostedRepo]:
    """Return what a search for "Qwen3-8B" gives: one model from many publishers, and others beside it."""
    base = "Qwen/Qwen3-8B"
    stored_int4 = {"BF16": 256_000_000 + 308_224, "U32": 1_023_803_392}
    types = ("IQ4_XS", "Q3_K_M", "Q4_K_M", "Q5_K_M", "Q6_K", "Q8_0")
    return [
        mlx_listing("mlx-community/Qwen3-8B-4bit", base, downloads=9000, stored=stored_int4, extra=["4-bit"]),
        mlx_listing("mlx-community/Qwen3-8B-8bit", base, downloads=3000, extra=["8-bit"]),
        mlx_listing("mlx-community/Qwen3-8B-bf16", base, downloads=500, stored={"BF16": 8_190_735_360}),
        mlx_listing("mlx-community/Qwen3-8B-4bit-DWQ-053125", base, downloads=800),
        mlx_listing("mlx-community/Qwen3-8B-4bit-AWQ", "mlx-community/Qwen3-8B-bf16", downloads=300),
        mlx_listing("Qwen/Qwen3-8B-MLX-4bit", base, downloads=7000),
        mlx_listing("lmstudio-community/Qwen3-8B-MLX-4bit", base, downloads=4000),
        mlx_listing("nobody/qwen3-8b-mlx-6bit", downloads=10),
        gguf_listing(
            "bartowski/Qwen_Qwen3-8B-GGUF",
            base,
            [f"Qwen_Qwen3-8B-{name}.gguf" for name in types],
            downloads=8000,
            gguf=GGUF_8B,
        ),
        gguf_listing(
            "unsloth/Qwen3-8B-GGUF",
            base,
            [
                "Qwen3-8B-UD-Q4_K_XL.gguf",
                "Qwen3-8B-Q4_K_M.gguf",
                "BF16/Qwen3-8B-BF16-00001-of-00002.gguf",
                "BF16/Qwen3-8B-BF16-00002-of-00002.gguf",
                "mmproj-F16.gguf",
                "imatrix_unsloth.gguf",
            ],
            downloads=20000,
            gguf=GGUF_8B,
        ),
        mlx_listing("mlx-community/Qwen3-8B-Base-4bit", "Qwen/Qwen3-8B-Base", downloads=100),
        gguf_listing(
            "somebody/Qwen3-8B-abliterated-GGUF",
            "",
            ["Qwen3-8B-abliterated.Q4_K_M.gguf"],
            extra=["base_model:finetune:Qwen/Qwen3-8B"],
        ),
        gguf_listing("x/Qwen3-Reranker-8B-GGUF", "", ["a-Q8_0.gguf"], downloads=50, pipeline_tag="text-ranking"),
        HostedRepo("Qwen/Qwen3-8B", {"model.safetensors": HostedFile(b"")}, ("transformers", "safetensors")),
    ]
