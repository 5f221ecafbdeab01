"""Where MLX does not run, the demo model answers on llama.cpp, and the window says why."""

from __future__ import annotations

from pathlib import Path

import pytest

from desktop.state.engine_state import LoadFailed, Serving
from runtime.values.errors import ModelUnsupportedError
from runtime.values.model import EngineName
from tests.desktop.window.opened_window import Home

BROKEN = 'raise RuntimeError("Failed to load the default metallib")\n'


@pytest.fixture
def broken_mlx(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put an MLX before the real one that fails as a bundle without its kernels does."""
    package = tmp_path / "broken" / "mlx"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text(BROKEN, encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", str(package.parent))


@pytest.mark.usefixtures("broken_mlx")
async def test_the_demo_model_answers_on_the_other_engine(home: Home) -> None:
    pytest.importorskip("mlx_lm", reason="no MLX here")
    home.use(EngineName.MLX, "demo")
    async with home.open() as window:
        assert isinstance(window.status, Serving)
        assert window.status.model.engine is EngineName.LLAMACPP
        assert "mlx does not run on this machine" in window.notice
        assert "llama.cpp answers instead" in window.notice
        reply = await window.ask("What is the time to first token?")
        assert "first token" in reply.text


@pytest.mark.usefixtures("broken_mlx")
async def test_a_model_that_only_mlx_reads_is_not_replaced(home: Home) -> None:
    pytest.importorskip("mlx_lm", reason="no MLX here")
    copy = home.folder / "a-model"
    copy.parent.mkdir(parents=True)
    copy.symlink_to(home.paths.demo_model / "mlx-int8", target_is_directory=True)
    home.use(EngineName.MLX, str(copy))
    async with home.open() as window:
        assert isinstance(window.status, LoadFailed)
        assert not isinstance(window.status.error, ModelUnsupportedError)
        assert "mlx does not run on this machine" in window.notice
