"""Train the byte-level BPE tokenizer of the demo model and write the files that chat needs.

It splits text as Qwen2 does (single digits, one space in front of a word), so that llama.cpp's "qwen2" pre-tokenizer
and the Hugging Face tokenizer agree token for token. All 256 bytes are in the vocabulary: every string survives a round
trip.
"""

from __future__ import annotations

import argparse
import ast
import json
import random
import sysconfig
from collections.abc import Iterator
from pathlib import Path

from demo_corpus import read_corpus, split_corpus
from demo_dialogues import DialogueBuilder
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

VOCABULARY = 4096
END_OF_TEXT, MESSAGE_START, MESSAGE_END = "<|endoftext|>", "<|im_start|>", "<|im_end|>"
SPECIALS = (END_OF_TEXT, MESSAGE_START, MESSAGE_END)
CONTEXT = 2048
SPLIT = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
CHAT_TEMPLATE = (
    "{% for message in messages %}"
    "{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>\\n' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)
DIALOGUES = 12_000
LIBRARY_CHARACTERS = 2_500_000


def _docstrings(source: str) -> Iterator[str]:
    """Yield the docstrings of a module: general English, and free to read."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
            text = ast.get_docstring(node)
            if text:
                yield text


def library_text() -> Iterator[str]:
    """Yield English and code from Python's standard library, so that input beyond the corpus is not cut into bytes."""
    folder, budget = Path(sysconfig.get_path("stdlib")), LIBRARY_CHARACTERS
    topics = folder / "pydoc_data" / "topics.py"
    if topics.exists():
        yield topics.read_text(encoding="utf-8").encode().decode("unicode_escape", errors="ignore")[:800_000]
    for path in sorted(folder.glob("*.py")):
        source = path.read_text(encoding="utf-8", errors="ignore")
        for text in (*_docstrings(source), source[:3000]):
            budget -= len(text)
            yield text
        if budget < 0:
            return


def chat_text(corpus: Path) -> Iterator[str]:
    """Yield questions and answers as the model will see them."""
    builder, rng = DialogueBuilder(split_corpus(read_corpus(corpus))), random.Random(20)
    for _ in range(DIALOGUES):
        for turn in builder.turns(1, rng):
            yield "user\n" + turn.question
            yield "assistant\n" + turn.answer
        yield "system\n" + (builder.system_prompt(rng) or "")


def train(corpus: Path) -> Tokenizer:
    """Train the tokenizer on the corpus and the library text."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(SPLIT), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=list(SPECIALS),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    texts = [*chat_text(corpus), *library_text()]
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


def write(tokenizer: Tokenizer, folder: Path) -> None:
    """Write tokenizer, chat template and generation settings in the Hugging Face layout."""
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(folder / "tokenizer.json"))
    (folder / "chat_template.jinja").write_text(CHAT_TEMPLATE, encoding="utf-8")
    settings = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": None,
        "eos_token": MESSAGE_END,
        "pad_token": END_OF_TEXT,
        "model_max_length": CONTEXT,
        "clean_up_tokenization_spaces": False,
    }
    stops = [tokenizer.token_to_id(MESSAGE_END), tokenizer.token_to_id(END_OF_TEXT)]
    generation = {"eos_token_id": stops, "pad_token_id": stops[1], "do_sample": False}
    for name, value in (("tokenizer_config.json", settings), ("generation_config.json", generation)):
        (folder / name).write_text(json.dumps(value, indent=2) + "\n", encoding="utf-8")


def main() -> None:
    """Train the tokenizer and write it to a folder."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--corpus", type=Path, default=Path(__file__).parent.parent / "corpus")
    parser.add_argument("--output", type=Path, required=True)
    arguments = parser.parse_args()
    tokenizer = train(arguments.corpus)
    write(tokenizer, arguments.output)
    print(f"{tokenizer.get_vocab_size()} tokens in {arguments.output}")


if __name__ == "__main__":
    main()
