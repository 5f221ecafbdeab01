"""Mach-O files made by hand: every field the lint looks at, read and rewritten."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from macho import FAT, MachO, is_macho, slices, thin, with_paths

ARM64, X86_64 = 0x0100000C, 0x01000007
ROOM = 4096


def library(kind: int, name: str) -> bytes:
    text = name.encode() + b"\0"
    text += b"\0" * (-len(text) % 8)
    return struct.pack("<IIIIII", kind, 24 + len(text), 24, 0, 0, 0) + text


def search_path(name: str) -> bytes:
    text = name.encode() + b"\0"
    text += b"\0" * (-(12 + len(text)) % 8)
    return struct.pack("<III", 0x8000001C, 12 + len(text), 12) + text


def segment(offset: int) -> bytes:
    section = struct.pack("<16s16sQQIIIIIIII", b"__text", b"__TEXT", 0, 8, offset, 0, 0, 0, 0, 0, 0, 0)
    return struct.pack("<II16sQQQQIIII", 0x19, 72 + len(section), b"__TEXT", 0, ROOM, 0, ROOM, 7, 5, 1, 0) + section


def file_of(cpu: int, *commands: bytes, room: int = ROOM) -> bytes:
    commands = (*commands, segment(room))
    body = b"".join(commands)
    header = struct.pack("<IIIIIIII", 0xFEEDFACF, cpu, 0, 6, len(commands), len(body), 0, 0)
    return (header + body).ljust(room, b"\0") + b"CODE"


def for_both(one: bytes, other: bytes) -> bytes:
    header = FAT + struct.pack(">I", 2)
    first, second = 48, 48 + len(one)
    header += struct.pack(">IIIII", X86_64, 0, first, len(one), 0)
    header += struct.pack(">IIIII", ARM64, 0, second, len(other), 0)
    return header + one + other


MINIMUM = struct.pack("<IIIIII", 0x32, 24, 1, 15 << 16 | 2 << 8, 0, 0)
OLD_MINIMUM = struct.pack("<IIII", 0x24, 16, 11 << 16, 0)


def test_what_a_library_says_is_read() -> None:
    data = file_of(
        ARM64,
        library(0xD, "@rpath/libself.dylib"),
        library(0xC, "/usr/lib/libSystem.B.dylib"),
        library(0x80000018, "@rpath/libweak.dylib"),
        search_path("@loader_path/lib"),
        MINIMUM,
    )
    expected = MachO("arm64", (15, 2), ("/usr/lib/libSystem.B.dylib", "@rpath/libweak.dylib"), ("@loader_path/lib",))
    assert slices(data) == [expected]
    assert slices(file_of(ARM64, OLD_MINIMUM))[0].minimum_macos == (11, 0)


def test_one_architecture_is_cut_out_of_two(tmp_path: Path) -> None:
    intel, apple = file_of(X86_64, MINIMUM), file_of(ARM64, OLD_MINIMUM)
    both = for_both(intel, apple)
    assert [one.architecture for one in slices(both)] == ["x86_64", "arm64"]
    assert thin(both) == apple
    assert thin(apple) == apple
    with pytest.raises(ValueError, match="no arm64"):
        thin(intel)
    (tmp_path / "both").write_bytes(both)
    (tmp_path / "java").write_bytes(FAT + struct.pack(">I", 61))
    (tmp_path / "short").write_bytes(FAT)
    assert [is_macho(tmp_path / name) for name in ("both", "java", "short")] == [True, False, False]


NAMES = st.text(alphabet="abcXYZ0123./@_- ", min_size=1, max_size=60).filter(lambda name: name.strip("./ "))


@given(names=st.lists(NAMES, max_size=5), paths=st.lists(NAMES, max_size=3), new=NAMES)
def test_only_the_paths_are_rewritten(names: list[str], paths: list[str], new: str) -> None:
    data = file_of(ARM64, *(library(0xC, name) for name in names), *map(search_path, paths), MINIMUM)
    changed = with_paths(data, new)
    (found,) = slices(changed)
    system = ("/usr/lib/", "/System/")
    expected = tuple(name if name.startswith(system) else f"@rpath/{Path(name).name}" for name in names)
    assert found == MachO("arm64", (15, 2), expected, (new,))
    assert changed[ROOM:] == b"CODE"
    assert len(changed) == len(data)
    assert with_paths(changed, new) == changed


def test_paths_that_have_no_room_are_refused() -> None:
    crowded = file_of(ARM64, MINIMUM, room=32 + 152 + 24)
    with pytest.raises(ValueError, match="bytes of load commands"):
        with_paths(crowded, "@loader_path/..")
