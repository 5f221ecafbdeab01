"""The macOS app, assembled from the real wheels for Apple Silicon as the spec would, and linted."""

from __future__ import annotations

import plistlib
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from lint_macos import module_problems, problems_of

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1500)]
FRAMEWORKS = Path("Contents/Frameworks")


@pytest.fixture
def app(macos_tree: Path) -> Path:
    return macos_tree / "First Token.app"


def test_nothing_is_wrong_with_it(app: Path, macos_tree: Path) -> None:
    assert list(problems_of(app)) == []
    modules = set((macos_tree / "modules.txt").read_text(encoding="utf-8").split())
    assert list(module_problems(modules)) == []
    assert {"mlx_lm.models.qwen3", "mlx_lm.models.llama", "mlx_lm.models.gemma3"} <= modules


def test_it_holds_both_engines_the_window_and_the_demo_model(app: Path) -> None:
    frameworks = app / FRAMEWORKS
    for name in ("mlx/lib/libmlx.dylib", "mlx/lib/mlx.metallib", "xllamacpp/xllamacpp.abi3.so", "libmlx.dylib"):
        assert (frameworks / name).exists(), name
    assert (frameworks / "PySide6/Qt/plugins/platforms/libqcocoa.dylib").is_file()
    assert (app / "Contents/Resources/assets/demo-model/mlx-int8/model.safetensors").is_file()
    assert not list(app.rglob("QtQml*"))
    assert not list(app.rglob("*virtualkeyboard*"))
    assert sum(path.stat().st_size for path in app.rglob("*") if not path.is_symlink()) < 450_000_000


def remove_metallib(app: Path) -> None:
    (app / FRAMEWORKS / "mlx/lib/mlx.metallib").unlink()


def remove_qt_core(app: Path) -> None:
    (app / FRAMEWORKS / "PySide6/Qt/lib/QtCore.framework/Versions/A/QtCore").unlink()


def put_back_a_build_path(app: Path) -> None:
    library = app / FRAMEWORKS / "xllamacpp/xllamacpp.abi3.so"
    library.write_bytes(library.read_bytes().replace(b"@loader_path/..\0", b"/opt/build/lib/\0"))


def promise_an_older_macos(app: Path) -> None:
    file = app / "Contents/Info.plist"
    plist = plistlib.loads(file.read_bytes())
    file.write_bytes(plistlib.dumps({**plist, "LSMinimumSystemVersion": "13.0"}))


def link_outside(app: Path) -> None:
    (app / "Contents/Resources/python").symlink_to("/usr/bin/python3")


def leave_metadata(app: Path) -> None:
    (app / "Contents/Resources/direct_url.json").write_text("{}", encoding="utf-8")


def differ_in_case(app: Path) -> None:
    (app / "Contents/Resources/LICENSE").write_text("", encoding="utf-8")
    (app / "Contents/Resources/license").write_text("", encoding="utf-8")


def cut_the_icon(app: Path) -> None:
    icon = app / "Contents/Resources/first-token.icns"
    icon.write_bytes(icon.read_bytes()[:-10])


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (remove_metallib, "no mlx.metallib beside it"),
        (remove_qt_core, "QtCore, which is not there"),
        (put_back_a_build_path, "looks for libraries in /opt/build/lib/"),
        (promise_an_older_macos, "and Info.plist promises 13.0"),
        (link_outside, "an absolute link"),
        (leave_metadata, "belongs to the machine it was built on"),
        (differ_in_case, "cannot tell apart"),
        (cut_the_icon, "no icns file"),
    ],
)
def test_each_known_fault_is_found(app: Path, tmp_path: Path, spoil: Callable[[Path], None], said: str) -> None:
    spoilt = tmp_path / app.name
    shutil.copytree(app, spoilt, symlinks=True, copy_function=_link)
    for changed in ("Contents/Info.plist", "Contents/Resources/first-token.icns"):
        (spoilt / changed).unlink()
        shutil.copyfile(app / changed, spoilt / changed)
    library = FRAMEWORKS / "xllamacpp/xllamacpp.abi3.so"
    (spoilt / library).unlink()
    shutil.copyfile(app / library, spoilt / library)
    spoil(spoilt)
    assert any(said in problem for problem in problems_of(spoilt))


def _link(source: str, target: str) -> str:
    """Copy without copying: most of the tree stays as it is."""
    Path(target).hardlink_to(source)
    return target


def test_a_module_that_is_missing_is_named() -> None:
    assert "the module mlx.nn is not there" in list(module_problems({"mlx.utils"}))
