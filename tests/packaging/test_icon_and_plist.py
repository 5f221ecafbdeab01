"""The icon in every format, and what Finder is told of the app."""

from __future__ import annotations

import plistlib
import struct
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from lint_macos import icon_problems
from macos_plist import info_plist
from PySide6.QtGui import QImage

from tests.packaging.conftest import PACKAGING, ROOT


@pytest.fixture(scope="module")
def icons(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("icons")
    subprocess.run([sys.executable, str(PACKAGING / "app_icon.py"), str(folder)], check=True, timeout=100)
    return folder


def test_the_icon_for_macos_is_whole(icons: Path) -> None:
    data = (icons / "first-token.icns").read_bytes()
    assert list(icon_problems(data)) == []
    assert list(icon_problems(data[:-1])) != []
    assert list(icon_problems(b"PNG" + data[3:])) != []
    assert list(icon_problems(b"icns\0\0\0\x08")) != []


def test_the_icon_for_windows_holds_a_picture_of_each_size(icons: Path) -> None:
    data = (icons / "first-token.ico").read_bytes()
    reserved, kind, count = struct.unpack_from("<HHH", data)
    assert (reserved, kind, count) == (0, 1, 6)
    for number in range(count):
        width, _, _, _, _, bits, size, offset = struct.unpack_from("<BBBBHHII", data, 6 + 16 * number)
        picture = QImage.fromData(data[offset : offset + size])
        assert (picture.width(), bits) == (width or 256, 32)


def test_the_icon_is_drawn_and_leaves_its_corners_clear(icons: Path) -> None:
    picture = QImage(str(icons / "first-token.png"))
    assert (picture.width(), picture.height()) == (512, 512)
    assert picture.pixelColor(0, 0).alpha() == 0
    assert picture.pixelColor(256, 100).alpha() == 255


def test_the_plist_says_what_pyproject_says_and_survives_being_written() -> None:
    plist = info_plist()
    version = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    assert plist["CFBundleShortVersionString"] == plist["CFBundleVersion"] == version
    assert plistlib.loads(plistlib.dumps(plist)) == plist
    assert plist["LSArchitecturePriority"] == ["arm64"]


def test_the_hardened_runtime_may_do_what_mlx_needs_and_nothing_else() -> None:
    entitlements = plistlib.loads((PACKAGING / "macos" / "entitlements.plist").read_bytes())
    assert entitlements == {
        "com.apple.security.cs.allow-jit": True,
        "com.apple.security.cs.allow-unsigned-executable-memory": True,
        "com.apple.security.cs.disable-library-validation": True,
    }
