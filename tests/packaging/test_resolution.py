"""Every system that the app is built for can be served with wheels alone: nothing there needs a compiler."""

from __future__ import annotations

import pytest

from tests.packaging.conftest import run_uv

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1500)]
SYSTEMS = {
    "aarch64-apple-darwin": ("mlx", "mlx-lm", "mlx-metal", "pyside6-essentials", "xllamacpp"),
    "x86_64-pc-windows-msvc": ("pyside6-essentials", "xllamacpp"),
    "aarch64-manylinux_2_39": ("pyside6-essentials", "xllamacpp"),
    "x86_64-manylinux_2_34": ("pyside6-essentials", "xllamacpp"),
}


@pytest.mark.parametrize("python", ["3.11", "3.13"])
@pytest.mark.parametrize("system", SYSTEMS)
def test_wheels_are_enough(system: str, python: str) -> None:
    done = run_uv(
        *("pip", "compile", "--quiet", "--no-header", "--no-annotate", "--only-binary", ":all:"),
        *("--python-platform", system, "--python-version", python, "pyproject.toml", "--group", "packaging"),
    )
    assert done.returncode == 0, done.stderr
    resolved = {line.partition("==")[0] for line in done.stdout.splitlines()}
    assert set(SYSTEMS[system]) <= resolved
    assert ("mlx" in resolved) == ("apple" in system)
