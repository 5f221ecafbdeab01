"""The macOS app's tree, assembled on any machine from the real wheels for Apple Silicon: to be linted without a Mac.

    uv pip install --target SITE --python-platform aarch64-apple-darwin …     (see tests/packaging)
    python assemble_macos.py SITE FOLDER                                      makes FOLDER/First Token.app

What ends up where is decided by PyInstaller's own code and the lists that the spec reads. Two things are not there:
Python itself, which no wheel has, and the archive of compiled modules, in whose place `modules.txt` lists them.
"""

from __future__ import annotations

import plistlib
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import bundle_content as content
import macos_plist
from bundle_binaries import Entry
from macho import SYSTEM_FOLDERS, is_macho, slices, thin, with_paths
from PyInstaller.building.osx import BUNDLE

# What PyInstaller's hooks for Qt collect beside the modules that are imported.
QT_MODULES = ("QtCore", "QtDBus", "QtGui", "QtNetwork", "QtSvg", "QtWidgets")
QT_PLUGINS = ("iconengines", "imageformats", "platforms", "styles")
BUILD_ONLY = (
    "PyInstaller",
    "_pyinstaller_hooks_contrib",
    "altgraph",
    "macholib",
    "setuptools",
    "_distutils_hack",
    "bin",
)


class Site:
    """The wheels, unpacked."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._excluded = {name.replace(".", "/") for name in content.EXCLUDED_MODULES}

    def binaries(self) -> dict[str, Path]:
        """Return the libraries that are bundled, with what they link, by their place in the bundle."""
        found = {name: path for name, path in self._files() if self._is_wanted_binary(name, path)}
        waiting = list(found.values())
        while waiting:
            for name in self._linked(waiting.pop()):
                if name not in found:
                    found[name] = self.folder / name
                    waiting.append(found[name])
        return found

    def modules(self) -> list[str]:
        """Return the dotted names of the Python modules that are bundled."""
        kept = (name for name, _ in self._files() if name.endswith(".py") and not self._is_left_out_family(name))
        return sorted({name.removesuffix(".py").removesuffix("/__init__").replace("/", ".") for name in kept})

    def data(self) -> Iterator[tuple[str, Path]]:
        """Yield place and source of what is neither a library nor a module."""
        for name, path in self._files():
            is_metadata = content.METADATA_FILE.match(f"/{name}") and not content.is_left_out(name)
            if (
                is_metadata
                or path.suffix in {".metallib", ".pem"}
                or (name.startswith("transformers/") and self._kept(name))
            ):
                yield name, path

    def _kept(self, name: str) -> bool:
        return name.endswith(".py") and not self._is_left_out_family(name)

    def _is_left_out_family(self, name: str) -> bool:
        parts = PurePosixPath(name).parts
        return (
            parts[:2] == ("transformers", "models")
            and len(parts) > 3
            and parts[2] not in content.KEPT_TRANSFORMERS_MODELS
        )

    def _files(self) -> Iterator[tuple[str, Path]]:
        for path in sorted(self.folder.rglob("*")):
            name = path.relative_to(self.folder).as_posix()
            top = name.partition("/")[0]
            if not path.is_file() or top.startswith(BUILD_ONLY) or self._is_excluded(name):
                continue
            yield name, path

    def _is_excluded(self, name: str) -> bool:
        return any(name.startswith((f"{one}/", f"{one}.")) for one in self._excluded)

    def _is_wanted_binary(self, name: str, path: Path) -> bool:
        if path.is_symlink() or content.is_left_out(name) or not is_macho(path):
            return False
        if not name.startswith("PySide6/"):
            return True
        parts = PurePosixPath(name).parts
        is_plugin = parts[:3] == ("PySide6", "Qt", "plugins") and parts[3] in QT_PLUGINS
        return is_plugin or (len(parts) == 2 and parts[1].partition(".")[0] in QT_MODULES)

    def _linked(self, path: Path) -> Iterator[str]:
        """Yield the place of each library in the wheels that a library links."""
        for macho in slices(path.read_bytes()):
            if macho.architecture != "arm64":
                continue
            for library in macho.libraries:
                if not library.startswith(SYSTEM_FOLDERS):
                    yield self._place_of(library, path, macho.search_paths)

    def _place_of(self, library: str, path: Path, search_paths: tuple[str, ...]) -> str:
        tails = (
            [library.replace("@rpath", one, 1) for one in search_paths] if library.startswith("@rpath") else [library]
        )
        for tail in tails:
            candidate = Path(tail.replace("@loader_path", str(path.parent), 1)).resolve()
            if candidate.is_file() and candidate.is_relative_to(self.folder):
                return candidate.relative_to(self.folder).as_posix()
        raise FileNotFoundError(f"{path.name} links {library}, which no wheel has")


def entries_of(site: Site, work: Path) -> list[Entry]:
    """Return what the spec hands to PyInstaller's `BUNDLE`, sorted."""
    entries: dict[str, Entry] = {}
    for name, path in site.binaries().items():
        entries[name] = (name, str(path), "BINARY")
        if name.endswith((".dylib",)) or ".framework/" in name:  # found at the top by what links it
            entries[Path(name).name] = (Path(name).name, name, "SYMLINK")
        entries.update(_framework_entries(name, path))
    for name, path in site.data():
        entries[name] = (name, str(path), "DATA")
    for source, folder in [*content.asset_files(), content.write_own_metadata(work / "metadata")]:
        place = (PurePosixPath(folder) / Path(source).name).as_posix()
        entries[place] = (place, source, "DATA")
    entries[content.MLX_KERNELS_LINK] = (content.MLX_KERNELS_LINK, content.MLX_KERNELS, "SYMLINK")
    bootloader = site.folder / "PyInstaller" / "bootloader" / "Darwin-64bit" / "runw"
    entries[content.EXECUTABLE_NAME] = (content.EXECUTABLE_NAME, str(bootloader), "EXECUTABLE")
    return sorted(entries.values())


def _framework_entries(name: str, path: Path) -> dict[str, Entry]:
    """Return the symbolic links and Info.plist that make a framework one."""
    folder, found, rest = name.partition(".framework/")
    if not found:
        return {}
    base, version = f"{folder}.framework", PurePosixPath(rest).parts[1]
    links = {f"{base}/{Path(name).name}": f"Versions/Current/{Path(name).name}", f"{base}/Versions/Current": version}
    links[f"{base}/Resources"] = "Versions/Current/Resources"
    entries: dict[str, Entry] = {place: (place, target, "SYMLINK") for place, target in links.items()}
    plist = path.parent / "Resources" / "Info.plist"
    place = f"{base}/Versions/{version}/Resources/Info.plist"
    return {**entries, place: (place, str(plist), "DATA")} if plist.is_file() else entries


def assemble(site: Site, folder: Path) -> Path:
    """Write the app into `folder` and return its path."""
    app = folder / f"{content.APP_NAME}.app"
    work = folder / "work"
    layout = BUNDLE.__new__(BUNDLE)._process_bundle_toc(entries_of(site, work))  # noqa: SLF001 - that is the point
    for place, source, kind in layout:
        target = app / place
        target.parent.mkdir(parents=True, exist_ok=True)
        if kind == "SYMLINK":
            target.symlink_to(source)
        elif kind == "DATA":
            shutil.copyfile(source, target)
        else:
            _write_binary(target, Path(source), app / "Contents" / "Frameworks", kind)
    resources = app / "Contents" / "Resources"
    (app / "Contents" / "Info.plist").write_bytes(plistlib.dumps(macos_plist.info_plist()))
    subprocess.run([sys.executable, str(Path(__file__).with_name("app_icon.py")), str(work / "icons")], check=True)
    shutil.copyfile(work / "icons" / macos_plist.ICON_NAME, resources / macos_plist.ICON_NAME)
    (folder / "modules.txt").write_text("\n".join(site.modules()) + "\n", encoding="utf-8")
    return app


def _write_binary(target: Path, source: Path, frameworks: Path, kind: str) -> None:
    data = thin(source.read_bytes())
    if kind != "EXECUTABLE":
        depth = len(target.parent.relative_to(frameworks).parts)
        data = with_paths(data, "/".join(["@loader_path", *[".."] * depth]))
    target.write_bytes(data)
    target.chmod(0o755)


if __name__ == "__main__":
    sys.stdout.write(f"{assemble(Site(Path(sys.argv[1]).resolve()), Path(sys.argv[2]).resolve())}\n")
