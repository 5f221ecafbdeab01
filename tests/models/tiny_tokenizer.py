"""A small byte-level BPE tokenizer in the Hugging Face layout, the same for MLX and GGUF test models."""

from __future__ import annotations

import json
from collections import deque
from pathlib import Path
from string import ascii_letters

from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

SPECIAL_TOKENS = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
CHATML = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
# The split of Qwen2's tokenizer: llama.cpp knows it as the pre-tokenizer "qwen2".
QWEN2_SPLIT = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
TRAINING_TEXT = (
    "A language model reads the prompt, which is prefill, and then writes one token at a time, which is decode.",
    "The time to the first token is the wait for the prompt to be read. The cache keeps keys and values.",
    "user assistant system What is the capital of France? Hello, how are you today? I am fine, thank you.",
)


def write_tokenizer(folder: Path, vocabulary_size: int = 512, *, filled: bool = False) -> Tokenizer:
    """Write tokenizer.json, tokenizer_config.json, generation_config.json and chat_template.jinja into `folder`.

    The vocabulary holds all 256 bytes, so every text survives a round trip. It has at most `vocabulary_size` entries,
    as many as the few training sentences give; `filled` adds made-up ones until there are that many.
    """
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(QWEN2_SPLIT), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary_size,
        special_tokens=list(SPECIAL_TOKENS),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(TRAINING_TEXT, trainer)
    tokenizer.save(str(folder / "tokenizer.json"))
    if filled:
        tokenizer = _fill(folder / "tokenizer.json", vocabulary_size)
    settings = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": None,
        "eos_token": "<|im_end|>",
        "pad_token": "<|endoftext|>",
        "clean_up_tokenization_spaces": False,
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(settings), encoding="utf-8")
    end_ids = [tokenizer.token_to_id("<|im_end|>"), tokenizer.token_to_id("<|endoftext|>")]
    (folder / "generation_config.json").write_text(json.dumps({"eos_token_id": end_ids}), encoding="utf-8")
    (folder / "chat_template.jinja").write_text(CHATML, encoding="utf-8")
    return tokenizer


def _fill(file: Path, vocabulary_size: int) -> Tokenizer:
    """Add tokens that letters merge to: pairs, then triples and so on."""
    content = json.loads(file.read_text(encoding="utf-8"))
    vocabulary, merges = content["model"]["vocab"], content["model"]["merges"]
    waiting = deque(ascii_letters)
    while len(vocabulary) < vocabulary_size:
        left = waiting.popleft()
        for right in ascii_letters[: vocabulary_size - len(vocabulary)]:
            waiting.append(left + right)
            if left + right not in vocabulary:
                vocabulary[left + right] = len(vocabulary)
                merges.append([left, right])
    file.write_text(json.dumps(content), encoding="utf-8")
    return Tokenizer.from_file(str(file))
