"""What can be known of a macOS app without a Mac: run on the tree assembled from wheels, and on the app a Mac built.

    python lint_macos.py "First Token.app" [MODULES]      one line a problem; exit code 1 if there is any

MODULES is the list of modules where they are not in the executable yet.
"""

from __future__ import annotations

import plistlib
import struct
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import bundle_content as content
import macos_plist
from macho import SYSTEM_FOLDERS, MachO, is_macho, slices

PLIST_KEYS = (
    "CFBundleIdentifier",
    "CFBundleExecutable",
    "CFBundleIconFile",
    "LSMinimumSystemVersion",
    "CFBundleVersion",
)
NOT_SHIPPED = (".DS_Store", "direct_url.json", "RECORD", "INSTALLER", "REQUESTED")
PNG = b"\x89PNG\r\n\x1a\n"


def problems_of(app: Path) -> Iterator[str]:
    """Yield what is wrong with an app."""
    plist = plistlib.loads((app / "Contents" / "Info.plist").read_bytes())
    yield from _plist_problems(app, plist)
    minimum = tuple(int(part) for part in str(plist.get("LSMinimumSystemVersion", "0.0")).split(".")[:2])
    paths = sorted(app.rglob("*"))
    yield from _name_problems(app, paths)
    for path in paths:
        name = path.relative_to(app).as_posix()
        if path.is_symlink():
            yield from _link_problems(app, path, name)
        elif path.is_file():
            yield from _file_problems(path, name)
            if is_macho(path):
                yield from _macho_problems(app, path, name, (minimum[0], minimum[1]))
    yield from _metallib_problems(app, paths)


def _plist_problems(app: Path, plist: dict[str, object]) -> Iterator[str]:
    yield from (f"Info.plist has no {key}" for key in PLIST_KEYS if not plist.get(key))
    yield from (
        f"Info.plist says {plist.get(key)!r} for {key}, not {value!r}"
        for key, value in macos_plist.info_plist().items()
        if plist.get(key) != value
    )
    if not (app / "Contents" / "MacOS" / str(plist.get("CFBundleExecutable"))).is_file():
        yield "the executable is not there"
    icon = app / "Contents" / "Resources" / str(plist.get("CFBundleIconFile"))
    yield from icon_problems(icon.read_bytes()) if icon.is_file() else ["the icon is not there"]


def icon_problems(data: bytes) -> Iterator[str]:
    """Yield what is wrong with an icns file whose pictures are PNG."""
    if data[:4] != b"icns" or len(data) < 8 or int.from_bytes(data[4:8], "big") != len(data):
        yield "the icon is no icns file"
        return
    offset, sides = 8, set[int]()
    while offset < len(data):
        size = int.from_bytes(data[offset + 4 : offset + 8], "big")
        picture = data[offset + 8 : offset + size]
        if size < 32 or not picture.startswith(PNG):
            yield f"the icon's part {data[offset : offset + 4]!r} is no PNG picture"
            return
        width, height = struct.unpack_from(">II", picture, 16)
        if width != height:
            yield f"the icon's part {data[offset : offset + 4]!r} is {width} by {height}"
        sides.add(width)
        offset += size
    yield from (f"the icon has no picture of {side} pixels" for side in {16, 32, 128, 256, 512, 1024} - sides)


def _name_problems(app: Path, paths: list[Path]) -> Iterator[str]:
    folded = Counter(path.relative_to(app).as_posix().casefold() for path in paths)
    yield from (f"{name}: two names that a Mac cannot tell apart" for name, count in folded.items() if count > 1)
    for path in paths:
        if path.name in NOT_SHIPPED or "__pycache__" in path.parts:
            yield f"{path.relative_to(app)}: belongs to the machine it was built on"


def _link_problems(app: Path, path: Path, name: str) -> Iterator[str]:
    target = PurePosixPath(path.readlink().as_posix())
    if target.is_absolute():
        yield f"{name}: an absolute link to {target}"
    elif not path.exists() or not path.resolve().is_relative_to(app.resolve()):
        yield f"{name}: a link that leads nowhere ({target})"


def _file_problems(path: Path, name: str) -> Iterator[str]:
    data = path.read_bytes()
    if str(content.ROOT).encode() in data:
        yield f"{name}: names the folder it was built in"


def _macho_problems(app: Path, path: Path, name: str, minimum: tuple[int, int]) -> Iterator[str]:
    found = slices(path.read_bytes())
    if [macho.architecture for macho in found] != ["arm64"]:
        yield f"{name}: is for {', '.join(macho.architecture for macho in found) or 'nothing known'}"
        return
    macho = found[0]
    if macho.minimum_macos > minimum:
        stated, allowed = (".".join(map(str, version)) for version in (macho.minimum_macos, minimum))
        yield f"{name}: wants macOS {stated}, and Info.plist promises {allowed}"
    for search_path in macho.search_paths:
        if not search_path.startswith(("@", *SYSTEM_FOLDERS)):
            yield f"{name}: looks for libraries in {search_path}"
    for library in macho.libraries:
        if not library.startswith(SYSTEM_FOLDERS) and not _resolves(app, path, library, macho):
            yield f"{name}: links {library}, which is not there"


def _resolves(app: Path, path: Path, library: str, macho: MachO) -> bool:
    candidates = [library.replace("@rpath", one, 1) for one in macho.search_paths] if "@rpath" in library else [library]
    executable = str(app / "Contents" / "MacOS")
    for candidate in candidates:
        where = candidate.replace("@loader_path", str(path.parent), 1).replace("@executable_path", executable, 1)
        resolved = Path(where).resolve()
        if resolved.is_file() and resolved.is_relative_to(app.resolve()):
            return True
    return False


def _metallib_problems(app: Path, paths: list[Path]) -> Iterator[str]:
    """MLX looks for its kernels beside its own library, at whichever path that was loaded from."""
    libraries = [path for path in paths if path.name.startswith("libmlx.") and path.is_file()]
    if not libraries:
        yield "there is no libmlx"
    for path in libraries:
        if not (path.parent / "mlx.metallib").is_file():
            yield f"{path.relative_to(app)}: no mlx.metallib beside it"


def module_problems(modules: set[str]) -> Iterator[str]:
    """Yield the modules that are imported by name alone and are not there."""
    yield from (f"the module {name} is not there" for name in content.MLX_HIDDEN_MODULES if name not in modules)
    for package in content.MLX_HIDDEN_PACKAGES:
        if sum(name.startswith(f"{package}.") for name in modules) < 2:
            yield f"the modules of {package} are not there"


def main(arguments: list[str]) -> int:
    """Print the problems; return the exit code."""
    problems = list(problems_of(Path(arguments[0])))
    if arguments[1:]:
        problems += module_problems(set(Path(arguments[1]).read_text(encoding="utf-8").split()))
    sys.stdout.writelines(f"{problem}\n" for problem in problems)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
