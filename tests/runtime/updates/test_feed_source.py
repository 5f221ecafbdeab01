"""Where the feed lies: one file that ships with the app, in which both halves are there or neither."""

from __future__ import annotations

import base64
from pathlib import Path

import msgspec
import pytest

from runtime.config.paths import assets_folder
from runtime.updates.feed_source import FILE_NAME, FeedSource, read_feed_source
from runtime.values.errors import UpdateError
from tests.runtime.updates.feed_server import KEY, public_key

KEY_TEXT = base64.b64encode(public_key(KEY)).decode()


def written(folder: Path, address: str, *keys: str) -> Path:
    """Write such a file; return its folder."""
    (folder / FILE_NAME).write_bytes(msgspec.json.encode({"address": address, "public_keys": keys}))
    return folder


def test_the_file_that_ships_can_be_read() -> None:
    read_feed_source(assets_folder())


def test_an_address_and_its_key_are_read(tmp_path: Path) -> None:
    folder = written(tmp_path, "https://example.org/releases.json", KEY_TEXT)
    assert read_feed_source(folder) == FeedSource("https://example.org/releases.json", (public_key(KEY),))


def test_without_an_address_there_is_no_feed(tmp_path: Path) -> None:
    assert read_feed_source(written(tmp_path, "")) is None


@pytest.mark.parametrize(
    ("address", "keys"),
    [
        ("http://example.org/releases.json", (KEY_TEXT,)),
        ("https://example.org/releases.json", ()),
        ("https:///releases.json", (KEY_TEXT,)),
        ("https://[::1/releases.json", (KEY_TEXT,)),
        ("", (KEY_TEXT,)),
        ("https://example.org/releases.json", ("AAAA",)),
        ("https://example.org/releases.json", ("no base64!",)),
    ],
)
def test_half_a_feed_is_damage(tmp_path: Path, address: str, keys: tuple[str, ...]) -> None:
    with pytest.raises(UpdateError, match="missing or damaged"):
        read_feed_source(written(tmp_path, address, *keys))


@pytest.mark.parametrize("content", [b"", b"[]", b"{", b'{"address": 1, "public_keys": []}', b"\xff\xff"])
def test_a_damaged_file_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / FILE_NAME).write_bytes(content)
    with pytest.raises(UpdateError, match="missing or damaged"):
        read_feed_source(tmp_path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UpdateError, match="missing or damaged"):
        read_feed_source(tmp_path)
