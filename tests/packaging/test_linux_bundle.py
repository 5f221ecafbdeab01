"""The bundle for Linux, built from the spec, and used as unkindly as a person may."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import msgspec
import psutil
import pytest

from desktop.self_test.result import SelfTestReport
from tests.packaging.conftest import NOBODY, ROOT

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1500)]
RUN_TIMEOUT_S = 400
LARGEST_BYTES = 450_000_000


def run(bundle: Path, folder: Path, environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the bundle from `folder`, as a user who may write nowhere else, without a Python on PATH."""
    is_root = os.geteuid() == 0
    return subprocess.run(
        [str(bundle / "first-token"), *arguments],
        cwd=folder,
        env={"PATH": "/nowhere", "HOME": str(folder), "TMPDIR": str(folder), "LANG": "C.UTF-8", **environment},
        capture_output=True,
        text=True,
        timeout=RUN_TIMEOUT_S,
        check=False,
        user=NOBODY if is_root else None,
        group=NOBODY if is_root else None,
        extra_groups=[] if is_root else None,
    )


@pytest.fixture
def home(public_folder: Path, request: pytest.FixtureRequest) -> Path:
    """Return a home folder with spaces and letters beyond ASCII that belongs to the user of the bundle."""
    folder = public_folder / f"Zoë’s home ({request.node.name})"
    folder.mkdir()
    if os.geteuid() == 0:
        os.chown(folder, NOBODY, NOBODY)
    return folder


def make_read_only(bundle: Path) -> None:
    for path in [bundle, *bundle.rglob("*")]:
        if not path.is_symlink():
            path.chmod(path.stat().st_mode & ~0o222)


def state_of(bundle: Path) -> dict[str, tuple[int, int]]:
    return {str(path): (path.lstat().st_size, path.lstat().st_mtime_ns) for path in sorted(bundle.rglob("*"))}


def test_it_passes_its_self_test_on_a_screen_without_python_and_without_writing_into_itself(
    bundle: Path, home: Path, display: str
) -> None:
    make_read_only(bundle)
    before = state_of(bundle)
    ended = run(bundle, home, {"DISPLAY": display}, "--self-test", "--report", str(home / "report"))
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert ended.stdout.splitlines()[-1] == "self-test: passed"
    written = (home / "report" / "self-test.json").read_text(encoding="utf-8")
    report = msgspec.json.decode(written, type=SelfTestReport)
    assert report.packaged
    assert report.window.platform == "xcb"
    assert {engine.name for engine in report.engines} == {"mlx", "llamacpp"}
    assert (home / "report" / "self-test.png").stat().st_size > 10_000
    assert str(home) not in written
    assert state_of(bundle) == before
    assert [
        process for process in psutil.process_iter(["exe"]) if process.info["exe"] == str(bundle / "first-token")
    ] == []


def test_without_a_screen_it_is_tested_in_memory_and_a_lost_engine_fails_it(bundle: Path, home: Path) -> None:
    broken = bundle.with_name("broken")
    shutil.copytree(bundle, broken, symlinks=True)
    for library in broken.rglob("libmlx.so"):
        library.parent.chmod(0o755)
        library.unlink()
    try:
        ended = run(broken, home, {}, "--self-test", "--report", str(home / "report"))
    finally:
        shutil.rmtree(broken)
    assert ended.returncode == 1
    report = msgspec.json.decode((home / "report" / "self-test.json").read_bytes(), type=SelfTestReport)
    mlx, llamacpp = report.engines
    assert "libmlx.so" in " ".join(mlx.problems)
    assert llamacpp.problems == ()
    assert report.window.platform == "offscreen"
    assert report.window.problems == ()


def test_it_is_the_command_line_and_knows_its_version(bundle: Path, home: Path) -> None:
    assert run(bundle, home, {}, "--version").stdout.startswith("first-token 0.")
    chat = run(bundle, home, {}, "chat", "--json", "--max-tokens", "8", "What is the time to first token?")
    assert chat.returncode == 0, chat.stderr
    assert msgspec.json.decode(chat.stdout, type=dict[str, object])["engine"] == "llamacpp"


def test_it_is_small_and_says_nothing_of_the_machine_it_was_built_on(bundle: Path) -> None:
    files = [path for path in bundle.rglob("*") if path.is_file() and not path.is_symlink()]
    assert sum(path.stat().st_size for path in files) <= LARGEST_BYTES
    naming = [path.name for path in files if str(ROOT).encode() in path.read_bytes()]
    assert naming == []
    names = {path.name for path in files}
    assert not {"direct_url.json", "RECORD", "readline.so"} & names
    forbidden = ("libreadline", "libQt6Qml", "libQt6Quick", "libQt6VirtualKeyboard", "libgtk", "libcudart", "libtorch")
    assert [name for name in names if name.startswith(forbidden)] == []


def test_the_licences_of_all_it_holds_are_in_it(bundle: Path) -> None:
    internal = bundle / "_internal"
    licensed = {path.name.lower().replace("-", "_") for path in (internal / "licenses").iterdir()}
    held = {path.name.partition("-")[0].lower() for path in internal.glob("*.dist-info")} - {"first_token"}
    assert held - licensed == set()
    assert {"pyside6_essentials", "shiboken6", "xllamacpp", "mlx", "python", "msgspec"} <= licensed
    assert all(any(folder.iterdir()) for folder in (internal / "licenses").iterdir())
