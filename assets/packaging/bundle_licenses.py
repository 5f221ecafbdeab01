"""The licences of everything in the bundle, gathered into its folder `licenses`: one folder a package.

Python packages bring theirs with their metadata; a library of the system has its own in Debian's documentation folder.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator
from importlib import metadata
from pathlib import Path

from bundle_binaries import Entry

NAMES = ("license", "licence", "copying", "notice", "authors", "third_party", "thirdparty")
FOLDER = "licenses"
DOCUMENTATION = Path("/usr/share/doc")


def bundled_distributions(modules: Iterable[str], binaries: list[Entry]) -> set[str]:
    """Return the names of the distributions that modules (dotted names) and libraries come from."""
    tops = {name.partition(".")[0] for name in modules} | {Path(name).parts[0] for name, _, _ in binaries}
    owners = metadata.packages_distributions()
    return {owner for top in tops for owner in owners.get(top, ())}


def is_bundled(metadata_path: str, distributions: set[str]) -> bool:
    """Return whether a path below a `*.dist-info` folder belongs to one of `distributions`."""
    return _plain(metadata_path.partition("-")[0]) in set(map(_plain, distributions))


def _plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def license_files(distributions: set[str], binaries: list[Entry], work: Path) -> list[tuple[str, str]]:
    """Return (source, folder in the bundle) of every licence text.

    Args:
        distributions: names of the Python packages.
        binaries: the libraries.
        work: where texts go that have to be written first.
    """
    found = [pair for name in sorted(distributions) for pair in _of_distribution(metadata.distribution(name), work)]
    return [*found, *_of_python(), *_of_system(source for _, source, _ in binaries)]


def _of_distribution(distribution: metadata.Distribution, work: Path) -> Iterator[tuple[str, str]]:
    folder = f"{FOLDER}/{distribution.name}"
    texts = [
        Path(str(file.locate()))
        for file in distribution.files or ()
        if ".dist-info" in str(file) and file.name.lower().startswith(NAMES)
    ]
    yield from ((str(text), folder) for text in texts if text.is_file())
    stated = work / distribution.name / "LICENSE-STATED.txt"
    stated.parent.mkdir(parents=True, exist_ok=True)
    stated.write_text("\n".join(_stated(distribution)) + "\n", encoding="utf-8")
    yield str(stated), folder


def _stated(distribution: metadata.Distribution) -> Iterator[str]:
    """Yield what the package says of its licence: all that some packages have."""
    fields = distribution.metadata
    yield f"{distribution.name} {distribution.version}"
    for field in ("License-Expression", "License", "Home-page", "Project-URL"):
        yield from (f"{field}: {value}" for value in fields.get_all(field) or ())
    yield from (value for value in fields.get_all("Classifier") or () if value.startswith("License"))


def _of_python() -> Iterator[tuple[str, str]]:
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    for text in (
        Path(sys.base_prefix) / "lib" / version / "LICENSE.txt",
        Path(sys.base_prefix) / "LICENSE.txt",
        DOCUMENTATION / version / "copyright",
    ):
        if text.is_file():
            yield str(text), f"{FOLDER}/Python"
            return


def _of_system(sources: Iterable[str]) -> Iterator[tuple[str, str]]:
    if shutil.which("dpkg-query") is None:
        return
    outside = sorted({str(Path(source).resolve()) for source in sources if source.startswith(("/usr/lib", "/lib"))})
    names = [path.removeprefix("/usr") for path in outside] + outside
    asked = subprocess.run(["dpkg-query", "-S", *names], capture_output=True, text=True, check=False)
    packages = {line.partition(":")[0] for line in asked.stdout.splitlines()}
    for package in sorted(packages):
        text = DOCUMENTATION / package / "copyright"
        if text.is_file():
            yield str(text), f"{FOLDER}/{package}"
