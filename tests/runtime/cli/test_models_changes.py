"""`first-token models add`, `models remove`, and what `models list` says of it."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.models.random_gguf import write_random_gguf
from tests.models.random_mlx import write_random_mlx
from tests.runtime.cli.command import Json, first_token, json_of
from tests.runtime.cli.pseudo_terminal import ENTER, terminal_session


def rows(*arguments: str, environment: dict[str, str] | None = None) -> dict[str, Json]:
    """Return what `models list` prints, by name, the demo model left out."""
    done = first_token("models", "list", "--json", *arguments, environment=environment)
    assert done.returncode == 0, done.stderr
    found: list[Json] = json.loads(done.stdout)
    return {str(row["name"]): row for row in found if not row["is_demo"]}


@pytest.fixture
def own_model(app_home: Path) -> Path:
    """Return a model in the app's own folder."""
    file = app_home / "models" / "publisher" / "mine.gguf"
    write_random_gguf(file)
    return file


def test_the_apps_own_model_is_deleted_and_its_bytes_told(own_model: Path) -> None:
    size = own_model.stat().st_size
    assert rows()["publisher/mine"]["origin"] == "own"

    removed = json_of("models", "remove", "mine", "--yes", "--json")

    assert removed == {"name": "publisher/mine", "path": str(own_model), "deleted": True, "freed_bytes": size}
    assert not own_model.exists()
    assert rows() == {}


def test_a_model_that_was_added_is_only_forgotten(tmp_path: Path) -> None:
    write_random_mlx(tmp_path / "work" / "tiny")
    added = first_token("models", "add", str(tmp_path / "work" / "tiny"))
    assert added.returncode == 0
    assert str(tmp_path / "work" / "tiny") in added.stdout
    assert rows()["tiny"]["origin"] == "added"

    done = first_token("models", "remove", "tiny", "--yes")

    assert "stay where they are" in done.stdout
    assert (tmp_path / "work" / "tiny" / "model.safetensors").exists()
    assert rows() == {}


def test_a_folder_is_added_with_all_that_it_holds(tmp_path: Path) -> None:
    write_random_mlx(tmp_path / "work" / "one")
    write_random_gguf(tmp_path / "work" / "deep" / "two.gguf")
    done = first_token("models", "add", "--json", str(tmp_path / "work"))

    assert {row["name"] for row in json.loads(done.stdout)} == {"one", "deep/two"}
    assert {row["origin"] for row in rows().values()} == {"folder"}


def test_nothing_is_removed_without_a_yes(own_model: Path) -> None:
    for arguments in (("mine",), ("mine", "--json")):
        done = first_token("models", "remove", *arguments, stdin="y\n")
        assert done.returncode == 1
        assert "--yes" in done.stderr
    assert own_model.exists()


@pytest.mark.skipif(not hasattr(os, "openpty"), reason="no terminals here")
@pytest.mark.parametrize(("answer", "is_gone"), [("n", False), ("", False), ("yes", True)])
def test_in_a_terminal_the_user_is_asked(own_model: Path, answer: str, is_gone: bool) -> None:
    with terminal_session("models", "remove", "mine") as session:
        assert "Delete publisher/mine" in session.until("[y/N] ")
        session.type(answer + ENTER)
        assert session.exit_code() == (0 if is_gone else 1)

    assert own_model.exists() != is_gone


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("remove", "--yes", "absent"), "no installed model"),
        (("remove", "--yes", "demo:int4"), "Say which one"),
        (("add", "absent"), "no model at"),
        (("add", "pyproject.toml"), "pyproject.toml"),
    ],
)
def test_what_cannot_be_changed_is_refused_in_one_line(arguments: tuple[str, ...], words: str) -> None:
    done = first_token("models", *arguments)

    assert (done.returncode, done.stdout) == (1, "")
    assert words in done.stderr
    assert done.stderr.count("\n") == 1


def test_the_demo_model_stays() -> None:
    demo = Path(__file__).resolve().parents[3] / "assets" / "demo-model" / "demo-q4_0.gguf"
    done = first_token("models", "remove", "--yes", str(demo))

    assert done.returncode == 1
    assert "demo model" in done.stderr
    assert demo.exists()


@pytest.mark.skipif(not hasattr(os, "symlink"), reason="no links here")
def test_what_other_programs_hold(tmp_path: Path) -> None:
    snapshot = tmp_path / "hub" / "models--someone--Tiny" / "snapshots" / ("a" * 40)
    write_random_mlx(snapshot)
    (snapshot / "broken.safetensors").symlink_to(tmp_path / "none")
    environment = {
        "HF_HUB_CACHE": str(tmp_path / "hub"),
        "OLLAMA_MODELS": str(tmp_path / "none"),
        "HOME": str(tmp_path),
    }

    found = rows("--elsewhere", environment=environment)

    assert {name: (row["keeper"], row["origin"]) for name, row in found.items()} == {
        "someone/Tiny": ("Hugging Face cache", "elsewhere")
    }
    assert first_token("models", "list", "--elsewhere", environment=environment).stdout.count("Hugging Face") == 1
    assert rows() == {}


def test_a_model_that_answered_says_when_it_was_last_used() -> None:
    before = datetime.now(UTC)
    assert first_token("chat", "--max-tokens", "1", "Hello").returncode == 0
    listed: list[Json] = json.loads(first_token("models", "list", "--json").stdout)

    used = [datetime.fromisoformat(str(row["last_used"])) for row in listed if row["last_used"] is not None]
    assert len(used) == 1
    assert before <= used[0] <= datetime.now(UTC)
