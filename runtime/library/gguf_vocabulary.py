"""Whether llama.cpp can work with the vocabulary of a GGUF file: it ends the process over one that repeats a token.

Looked at when a model is loaded, not when models are listed: half a million tokens take a quarter of a second.
"""

from __future__ import annotations

from pathlib import Path

from runtime.library.defects import shown, unsupported
from runtime.library.gguf_header import GgufArray, read_gguf_header, strings_of
from runtime.library.gguf_keys import TOKENS_KEY


def check_tokens_differ(path: Path) -> None:
    """See that no token of the (first) GGUF file at `path` stands in its vocabulary twice.

    As llama.cpp reads them: a token ends at its first NUL byte, and an empty one gets a name of its own.

    Raises:
        ModelUnsupportedError: one does. The file may be whole: some publishers' files are like that.
        UserFacingError: the header cannot be read; see `read_gguf_header`.
    """
    tokens = read_gguf_header(path).values.get(TOKENS_KEY)
    if not isinstance(tokens, GgufArray):
        return
    seen: set[bytes] = set()
    for index, raw in enumerate(strings_of(path, tokens)):
        token = raw.partition(b"\0")[0] or b"[EMPTY_%d]" % index
        if token in seen:
            text = shown(token.decode("utf-8", "replace"))
            raise unsupported(path, f"its vocabulary holds the token {text} twice, which llama.cpp does not accept")
        seen.add(token)
