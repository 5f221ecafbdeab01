"""Tiny models made on the spot: a tokenizer, random-weight MLX directories, random-weight GGUF files."""
