"""The head of a slot file: the tokens in it, whatever else is there."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runtime.engine.llamacpp_slot_file import MAGIC, read_slot_tokens

TOKENS = st.lists(st.integers(0, 2**31 - 1), max_size=50)


def head(*packed: int, magic: int = MAGIC, count: int | None = None) -> bytes:
    return struct.pack(f"<3I{len(packed)}i", magic, 4, len(packed) if count is None else count, *packed)


def read(path: Path, content: bytes) -> tuple[int, ...]:
    file = path / "one.kv"
    file.write_bytes(content)
    return read_slot_tokens(file)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(tokens=TOKENS, rest=st.binary(max_size=100))
def test_reads_both_forms(tmp_path: Path, tokens: list[int], rest: bytes) -> None:
    assert read(tmp_path, head(*tokens) + rest) == tuple(tokens)
    assert read(tmp_path, head(-1, 1, len(tokens), *tokens, 0) + rest) == tuple(tokens)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        head(1, 2)[:11],
        head(1, 2)[:-1],
        head(1, 2, magic=MAGIC + 1),
        head(1, 2, count=2**32 - 1),
        head(-1),
        head(-1, 2, 1, 5, 0),
        head(-1, 1, 2, 5, 0),
        head(-1, 1, -1, 5, 0),
        head(-1, 1, 1, 5, 1),
    ],
)
def test_anything_else_is_refused(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(ValueError, match=r"slot file|not known|not only text"):
        read(tmp_path, content)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.binary(max_size=200))
def test_nothing_makes_it_fail_otherwise(tmp_path: Path, content: bytes) -> None:
    try:
        read(tmp_path, head()[:4] + content)
    except ValueError:
        return
