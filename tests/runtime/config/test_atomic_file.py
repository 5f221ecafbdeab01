"""A file is written whole or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from runtime.config.atomic_file import replace_file


def test_a_file_gets_its_new_content_and_nothing_is_left_beside_it(tmp_path: Path) -> None:
    file = tmp_path / "b.json"
    replace_file(file, b"one")
    replace_file(file, b"two")

    assert file.read_bytes() == b"two"
    assert list(file.parent.iterdir()) == [file]


def test_what_cannot_be_written_leaves_everything_as_it_was(tmp_path: Path) -> None:
    folder = tmp_path / "taken"
    (folder / "inside").mkdir(parents=True)

    with pytest.raises(OSError, match="taken"):
        replace_file(folder, b"content")
    assert [path.name for path in tmp_path.iterdir()] == ["taken"]
