"""The part of a file that is here: grown at its end, hashed whenever, whole only with the right hash."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.download.part_file import BUFFER_BYTES, PartFile, WrongContentError
from runtime.download.plan import PlannedFile
from runtime.values.errors import DownloadError

CONTENT = bytes(range(256)) * (3 * BUFFER_BYTES // 256) + b"the end"


def planned(content: bytes) -> PlannedFile:
    """Return the plan for a file with this content."""
    digest = hashlib.sha256(content).hexdigest()
    return PlannedFile(path="m", target="m", size_bytes=len(content), sha256=digest, git_id="0" * 40)


def give(part: PartFile, data: bytes) -> None:
    """Write `data` behind what is here, as often as there is space."""
    while data:
        space = part.space()
        count = min(len(space), len(data))
        space[:count] = data[:count]
        part.take(count)
        data = data[count:]


@pytest.mark.skipif(not hasattr(os, "posix_fadvise"), reason="only Linux can be told so")
def test_the_system_is_told_to_begin_writing_again_and_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[tuple[int, int]] = []
    advise = os.posix_fadvise

    def note(descriptor: int, offset: int, count: int, advice: int) -> None:
        told.append((offset, count))
        advise(descriptor, offset, count, advice)

    monkeypatch.setattr(os, "posix_fadvise", note)
    monkeypatch.setattr("runtime.download.part_file.SETTLE_BYTES", BUFFER_BYTES)
    begun = PartFile(tmp_path / "m", planned(CONTENT))
    give(begun, CONTENT[:BUFFER_BYTES])
    begun.close()

    part = PartFile(tmp_path / "m", planned(CONTENT))  # What an earlier run left is on its way to the disk already.
    give(part, CONTENT[BUFFER_BYTES:])
    assert told == []
    part.finish()

    assert told == [(BUFFER_BYTES, BUFFER_BYTES), (2 * BUFFER_BYTES, BUFFER_BYTES)]
    assert (tmp_path / "m").read_bytes() == CONTENT


STEPS = st.lists(st.tuples(st.sampled_from(["give", "hash", "reopen"]), st.integers(1, 2 * BUFFER_BYTES)), max_size=12)


@given(steps=STEPS)
def test_in_whatever_order_it_is_given_hashed_and_opened_again(
    steps: list[tuple[str, int]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    place = tmp_path_factory.mktemp("part") / "m"
    part = PartFile(place, planned(CONTENT))
    for kind, count in steps:
        if kind == "give":
            give(part, CONTENT[part.length : part.length + count])
        elif kind == "hash" and part.unhashed:
            part.hash_some()
        elif kind == "reopen":
            part.close()
            part = PartFile(place, planned(CONTENT))
    give(part, CONTENT[part.length :])

    assert part.is_whole
    assert len(part.space()) == 0
    part.finish()
    assert place.read_bytes() == CONTENT
    assert not place.with_name("m.part").exists()


def test_nothing_of_wrong_content_is_kept(tmp_path: Path) -> None:
    part = PartFile(tmp_path / "m", planned(CONTENT))
    give(part, CONTENT[::-1])

    with pytest.raises(WrongContentError):
        part.finish()

    assert part.length == 0
    give(part, CONTENT)
    part.finish()
    assert (tmp_path / "m").read_bytes() == CONTENT


def test_a_part_that_somebody_cuts_short_is_noticed(tmp_path: Path) -> None:
    part = PartFile(tmp_path / "m", planned(CONTENT))
    give(part, CONTENT)
    (tmp_path / "m.part").write_bytes(b"")

    with pytest.raises(DownloadError) as caught:
        part.finish()
    part.close()

    assert "cut short" in caught.value.what


@pytest.mark.parametrize("content", [b"", b"x"])
def test_the_smallest_files(content: bytes, tmp_path: Path) -> None:
    part = PartFile(tmp_path / "m", planned(content))
    give(part, content)

    part.finish()

    assert (tmp_path / "m").read_bytes() == content
