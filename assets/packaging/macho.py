"""Mach-O files, read and rewritten anywhere: what `otool`, `lipo` and `install_name_tool` do on a Mac.

The numbers are those of <mach-o/loader.h> and <mach-o/fat.h>.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

FAT, THIN = b"\xca\xfe\xba\xbe", b"\xcf\xfa\xed\xfe"
ARCHITECTURES = {0x0100000C: "arm64", 0x01000007: "x86_64"}
SYSTEM_FOLDERS = ("/usr/lib/", "/System/")
MOST_SLICES = 16
"""A Java class file begins with the same four bytes; what follows is its version, which is larger."""

HEADER_BYTES = 32
LC_ID_DYLIB, LC_RPATH, LC_SEGMENT_64 = 0xD, 0x8000001C, 0x19
LC_BUILD_VERSION, LC_VERSION_MIN_MACOSX = 0x32, 0x24
LINKING = (0xC, 0x80000018, 0x8000001F, 0x80000023, 0x20)
"""LC_LOAD_DYLIB and its kin: weak, re-exported, upward, lazy."""
DYLIB_NAME_OFFSET, RPATH_NAME_OFFSET = 24, 12


class MachO(NamedTuple):
    """One slice of a file.

    Attributes:
        architecture: "arm64", "x86_64", or a number in hexadecimal.
        minimum_macos: (major, minor); (0, 0) where it does not say.
        libraries: what it links.
        search_paths: its LC_RPATHs.
    """

    architecture: str
    minimum_macos: tuple[int, int]
    libraries: tuple[str, ...]
    search_paths: tuple[str, ...]


def is_macho(path: Path) -> bool:
    """Return whether a file is one, for one architecture or several."""
    with path.open("rb") as file:
        head = file.read(8)
    return head[:4] == THIN or (head[:4] == FAT and len(head) == 8 and int.from_bytes(head[4:], "big") <= MOST_SLICES)


def slices(data: bytes) -> list[MachO]:
    """Return what a file holds, one entry an architecture."""
    return [_described(part) for part in _parts(data)]


def thin(data: bytes) -> bytes:
    """Return the arm64 slice of a file for several architectures; a file for one as it is.

    Raises:
        ValueError: there is none.
    """
    for part in _parts(data):
        if _architecture(part) == "arm64":
            return part
    raise ValueError("no arm64 slice")


def with_paths(data: bytes, search_path: str) -> bytes:
    """Return an arm64 file that links everything as `@rpath/NAME`, with `search_path` for its only LC_RPATH.

    So PyInstaller leaves it. Raises:
        ValueError: there is no room for it between the load commands and the first section.
    """
    commands = []
    for kind, command in _commands(data):
        if kind in {*LINKING, LC_ID_DYLIB}:
            name = _text(command)
            new = name if name.startswith(SYSTEM_FOLDERS) else f"@rpath/{Path(name).name}"
            commands.append(_with_text(command, DYLIB_NAME_OFFSET, new))
        elif kind != LC_RPATH:
            commands.append(command)
    commands.append(_with_text(struct.pack("<III", LC_RPATH, 0, RPATH_NAME_OFFSET), RPATH_NAME_OFFSET, search_path))
    body = b"".join(commands)
    room = _first_section_offset(data) - HEADER_BYTES
    if len(body) > room:
        raise ValueError(f"{len(body)} bytes of load commands in {room}")
    header = data[:16] + struct.pack("<II", len(commands), len(body)) + data[24:HEADER_BYTES]
    return header + body.ljust(room, b"\0") + data[HEADER_BYTES + room :]


def _parts(data: bytes) -> Iterator[bytes]:
    if data[:4] != FAT:
        yield data
        return
    for number in range(struct.unpack_from(">I", data, 4)[0]):
        _, _, offset, size, _ = struct.unpack_from(">IIIII", data, 8 + 20 * number)
        yield data[offset : offset + size]


def _architecture(part: bytes) -> str:
    (cpu,) = struct.unpack_from("<I", part, 4)
    return ARCHITECTURES.get(cpu, hex(cpu))


def _described(part: bytes) -> MachO:
    minimum, libraries, search_paths = 0, list[str](), list[str]()
    for kind, command in _commands(part):
        if kind in LINKING:
            libraries.append(_text(command))
        elif kind == LC_RPATH:
            search_paths.append(_text(command))
        elif kind in {LC_BUILD_VERSION, LC_VERSION_MIN_MACOSX}:
            (minimum,) = struct.unpack_from("<I", command, 12 if kind == LC_BUILD_VERSION else 8)
    return MachO(_architecture(part), (minimum >> 16, minimum >> 8 & 0xFF), tuple(libraries), tuple(search_paths))


def _commands(part: bytes) -> Iterator[tuple[int, bytes]]:
    (count,) = struct.unpack_from("<I", part, 16)
    offset = HEADER_BYTES
    for _ in range(count):
        kind, size = struct.unpack_from("<II", part, offset)
        yield kind, part[offset : offset + size]
        offset += size


def _text(command: bytes) -> str:
    (offset,) = struct.unpack_from("<I", command, 8)
    return command[offset:].partition(b"\0")[0].decode()


def _with_text(command: bytes, offset: int, text: str) -> bytes:
    """Return a load command that ends in a text, with another text and its size."""
    changed = command[:offset] + text.encode() + b"\0"
    changed += b"\0" * (-len(changed) % 8)
    return changed[:4] + struct.pack("<I", len(changed)) + changed[8:]


def _first_section_offset(part: bytes) -> int:
    """Return where the first section lies in the file: what is before it belongs to the load commands."""
    found = []
    for kind, command in _commands(part):
        if kind == LC_SEGMENT_64:
            (count,) = struct.unpack_from("<I", command, 64)
            found += [struct.unpack_from("<I", command, 72 + 80 * number + 48)[0] for number in range(count)]
    return min((offset for offset in found if offset), default=HEADER_BYTES)
