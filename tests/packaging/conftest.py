"""One bundle and one macOS tree for all the tests; each is made when the first of them asks for it."""

from __future__ import annotations

import ctypes.util
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGING = ROOT / "assets" / "packaging"
NOBODY = 65534
BUILD_TIMEOUT_S = 900
REGISTRY_TIMEOUT_S = 400
UNREACHABLE = ("error sending request", "Failed to fetch", "Could not connect", "dns error", "timed out")


def run_uv(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run uv on this project; skip the test where there is none, or no registry can be reached."""
    uv = shutil.which("uv") or str(ROOT / ".venv-uv" / "bin" / "uv")
    if not Path(uv).exists():
        pytest.skip("no uv here")
    try:
        done = subprocess.run(
            [uv, *arguments],
            cwd=ROOT,
            env={**os.environ, "MACOSX_DEPLOYMENT_TARGET": "14.0"},
            capture_output=True,
            text=True,
            timeout=REGISTRY_TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        pytest.skip("the package registry does not answer in time")
    if done.returncode != 0 and any(sign in done.stderr for sign in UNREACHABLE):
        pytest.skip("the package registry cannot be reached")
    return done


@pytest.fixture(scope="session")
def public_folder() -> Iterator[Path]:
    """Return a folder that other users can look into, unlike pytest's own."""
    with TemporaryDirectory(prefix="first-token-packaging-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder


@pytest.fixture(scope="session")
def bundle(public_folder: Path) -> Path:
    """Return the folder of the bundle, built from the spec into a path with spaces and letters beyond ASCII."""
    if sys.platform != "linux" or shutil.which("objdump") is None:
        pytest.skip("bundles are built here on Linux with binutils")
    pytest.importorskip("PyInstaller", reason="PyInstaller is not installed")
    target = public_folder / "Prüfung – First Token"
    built = subprocess.run(
        [
            *(sys.executable, "-m", "PyInstaller", "--noconfirm", "--log-level", "WARN"),
            *("--distpath", str(target), "--workpath", str(public_folder / "work")),
            str(PACKAGING / "first-token.spec"),
        ],
        cwd=public_folder,
        env={**os.environ, "PYINSTALLER_CONFIG_DIR": str(public_folder / "cache")},
        capture_output=True,
        text=True,
        timeout=BUILD_TIMEOUT_S,
        check=False,
    )
    assert built.returncode == 0, built.stderr[-4000:]
    return target / "first-token"


@pytest.fixture(scope="session")
def display() -> Iterator[str]:
    """Return the name of a screen of its own."""
    if shutil.which("Xvfb") is None or ctypes.util.find_library("xcb-cursor") is None:
        pytest.skip("no Xvfb, or not the libraries that a window under X11 needs")
    readable, writable = os.pipe()
    with subprocess.Popen(
        ["Xvfb", "-displayfd", str(writable), "-screen", "0", "1400x900x24", "-nolisten", "tcp", "-ac"],
        pass_fds=(writable,),
        stderr=subprocess.DEVNULL,
    ) as server:
        os.close(writable)
        with os.fdopen(readable) as numbers:
            yield f":{numbers.readline().strip()}"
        server.terminate()


@pytest.fixture(scope="session")
def macos_tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder with `First Token.app`, assembled from the wheels for Apple Silicon, and `modules.txt`."""
    pytest.importorskip("PyInstaller", reason="PyInstaller is not installed")
    folder = tmp_path_factory.mktemp("macos")
    done = run_uv(
        *("pip", "install", "--quiet", "--target", str(folder / "site"), "--only-binary", ":all:"),
        *("--python-platform", "aarch64-apple-darwin", "--python-version", "3.11"),
        *("-r", "pyproject.toml", "pyinstaller"),
    )
    assert done.returncode == 0, done.stderr
    assembled = subprocess.run(
        [sys.executable, str(PACKAGING / "assemble_macos.py"), str(folder / "site"), str(folder / "tree")],
        capture_output=True,
        text=True,
        timeout=BUILD_TIMEOUT_S,
        check=False,
    )
    assert assembled.returncode == 0, assembled.stderr
    shutil.rmtree(folder / "site")
    return folder / "tree"
