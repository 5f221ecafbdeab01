"""What only a part needs that stays out of the bundle stays out as well; what others need, too, is in it."""

from __future__ import annotations

from bundle_binaries import Entry, without_orphans

IMPORTS = {
    "/qt/libqgtk3.so": ("libgtk-3.so.0", "libc.so.6"),
    "/sys/libgtk-3.so.0": ("libgdk-3.so.0", "libcairo.so.2"),
    "/sys/libgdk-3.so.0": ("libX11.so.6", "libgtk-3.so.0"),
    "/sys/libcairo.so.2": ("libX11.so.6",),
    "/qt/libqxcb.so": ("libX11.so.6",),
}
THEME: Entry = ("PySide6/Qt/plugins/platformthemes/libqgtk3.so", "/qt/libqgtk3.so", "BINARY")
XCB: Entry = ("PySide6/Qt/plugins/platforms/libqxcb.so", "/qt/libqxcb.so", "BINARY")


def library(name: str) -> Entry:
    return name, f"/sys/{name}", "BINARY"


def left(entries: list[Entry], left_out: list[Entry]) -> set[str]:
    return {name for name, _, _ in without_orphans(entries, left_out, lambda path: IMPORTS.get(path, ()))}


FOUND = [XCB, *map(library, ("libgtk-3.so.0", "libgdk-3.so.0", "libcairo.so.2", "libX11.so.6", "libEGL.so.1"))]


def test_what_a_part_that_stays_out_needs_alone_stays_out() -> None:
    assert left(FOUND, [THEME]) == {XCB[0], "libX11.so.6", "libEGL.so.1"}


def test_what_others_need_stays() -> None:
    drawing: Entry = ("wheel/drawing.so", "/sys/libgdk-3.so.0", "EXTENSION")
    assert left([*FOUND, drawing], [THEME]) == {one[0] for one in [*FOUND, drawing]}


def test_where_nothing_stays_out_nothing_is_missing() -> None:
    assert left(FOUND, []) == {one[0] for one in FOUND}


def test_a_link_is_followed_by_nobody() -> None:
    link: Entry = ("libX11.so.6", "libX11.so.6.4.0", "SYMLINK")
    assert left([XCB, link], [THEME]) == {XCB[0], "libX11.so.6"}
