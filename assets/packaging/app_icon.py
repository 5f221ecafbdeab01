"""The app's icon in every system's format, all from `first-token.svg`: .icns, .ico and .png.

    python app_icon.py FOLDER      writes first-token.icns, first-token.ico and first-token.png

Both containers hold PNG pictures, so their headers are written here.
"""

from __future__ import annotations

import os
import struct
import sys
from pathlib import Path

SOURCE = Path(__file__).with_name("first-token.svg")
ICNS_TYPES = {
    b"icp4": 16,
    b"icp5": 32,
    b"ic07": 128,
    b"ic08": 256,
    b"ic09": 512,
    b"ic10": 1024,
    b"ic11": 32,
    b"ic12": 64,
    b"ic13": 256,
    b"ic14": 512,
}
"""Types of an icns file and the side of their pictures in pixels; ic10 to ic14 are those for high resolution."""
ICO_SIDES = (16, 24, 32, 48, 64, 256)
PNG_SIDE = 512


def render(side: int) -> bytes:
    """Return the picture as PNG, `side` pixels wide and high."""
    from PySide6.QtCore import QBuffer, QIODevice  # noqa: PLC0415 - the containers need no Qt
    from PySide6.QtGui import QImage, QPainter  # noqa: PLC0415 - likewise
    from PySide6.QtSvg import QSvgRenderer  # noqa: PLC0415 - likewise

    image = QImage(side, side, QImage.Format.Format_ARGB32_Premultiplied)
    image.fill(0)
    painter = QPainter(image)
    QSvgRenderer(str(SOURCE)).render(painter)
    painter.end()
    buffer = QBuffer()
    buffer.open(QIODevice.OpenModeFlag.WriteOnly)
    image.save(buffer, "PNG")
    return bytes(buffer.data().data())


def icns(pictures: dict[int, bytes]) -> bytes:
    """Return an icns file of PNG pictures by their side."""
    entries = b"".join(
        name + struct.pack(">I", 8 + len(pictures[side])) + pictures[side] for name, side in ICNS_TYPES.items()
    )
    return b"icns" + struct.pack(">I", 8 + len(entries)) + entries


def ico(pictures: dict[int, bytes]) -> bytes:
    """Return an ico file of PNG pictures by their side."""
    offset = 6 + 16 * len(ICO_SIDES)
    header, body = struct.pack("<HHH", 0, 1, len(ICO_SIDES)), b""
    for side in ICO_SIDES:
        data = pictures[side]
        header += struct.pack("<BBBBHHII", side % 256, side % 256, 0, 0, 1, 32, len(data), offset + len(body))
        body += data
    return header + body


def write_icons(folder: Path) -> None:
    """Write all three files into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    pictures = {side: render(side) for side in {*ICNS_TYPES.values(), *ICO_SIDES, PNG_SIDE}}
    (folder / "first-token.icns").write_bytes(icns(pictures))
    (folder / "first-token.ico").write_bytes(ico(pictures))
    (folder / "first-token.png").write_bytes(pictures[PNG_SIDE])


if __name__ == "__main__":
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    write_icons(Path(sys.argv[1]))
