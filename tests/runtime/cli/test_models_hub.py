"""`first-token models search`, `models pull` and `models fit REPO`, against a Hub of the tests' own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import cast

import pytest

from tests.hub.faults import Throttle
from tests.hub.fixtures import _no_proxies, hub
from tests.hub.hosted import HostedFile, HostedRepo, repo_from_folder
from tests.hub.state import HubServer
from tests.models.random_gguf import GgufRecipe, write_random_gguf
from tests.models.random_mlx import write_random_mlx
from tests.runtime.cli.command import Json, first_token

__all__ = ["_no_proxies", "hub"]

MLX_REPO = "community/Tiny-Qwen-8bit"
GGUF_REPO = "someone/Tiny-Qwen-GGUF"
NO_KEYCHAIN = {"HF_TOKEN": "", "PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring"}
WAIT_S = 60.0


@pytest.fixture
def hosted(hub: HubServer, tmp_path: Path) -> HubServer:
    """Return a Hub with a model in both formats."""
    write_random_mlx(tmp_path / "source" / "mlx", quantized_bits=8)
    (tmp_path / "source" / "mlx" / "evil.py").write_text("raise SystemExit", encoding="utf-8")
    hub.host(repo_from_folder(MLX_REPO, tmp_path / "source" / "mlx", ("mlx", "license:apache-2.0")))
    files: dict[str, HostedFile] = {}
    for recipe in (GgufRecipe(weights="Q8_0"), GgufRecipe(weights="Q4_0")):
        file = tmp_path / "source" / f"tiny-{recipe.weights}.gguf"
        write_random_gguf(file, recipe)
        files[file.name] = HostedFile(file)
    hub.host(HostedRepo(GGUF_REPO, files, ("gguf",)))
    return hub


def asking(hub: HubServer) -> dict[str, str]:
    """Return the environment of a command that asks this Hub, and no keychain."""
    return {**NO_KEYCHAIN, "HF_ENDPOINT": hub.endpoint}


def told(hub: HubServer, *arguments: str) -> Json | list[Json]:
    """Run a command that prints JSON, and return what it printed."""
    done = first_token(*arguments, "--json", environment=asking(hub))
    assert done.returncode == 0, done.stderr
    found: Json | list[Json] = json.loads(done.stdout)
    return found


# --- search ---


def test_a_search_finds_models_with_their_forms(hosted: HubServer) -> None:
    found = told(hosted, "models", "search", "tiny", "--format", "all")
    assert isinstance(found, list)
    variants = [variant for model in found for variant in cast("list[Json]", model["variants"])]

    assert {(one["repo_id"], one["variant"]) for one in variants} == {
        (MLX_REPO, "INT8"),
        (GGUF_REPO, "Q8_0"),
        (GGUF_REPO, "Q4_0"),
    }
    assert {model["origin"] for model in found} == {"hub"}
    text = first_token("models", "search", "tiny", "--format", "mlx", environment=asking(hosted)).stdout
    assert MLX_REPO in text
    assert GGUF_REPO not in text


def test_a_search_without_results_says_so(hosted: HubServer) -> None:
    done = first_token("models", "search", "nothing-like-it", environment=asking(hosted))

    assert (done.returncode, done.stderr) == (0, "")
    assert "Nothing was found" in done.stdout
    assert told(hosted, "models", "search", "nothing-like-it") == []


def test_without_a_network_the_curated_list_is_searched() -> None:
    nowhere = {
        "HF_ENDPOINT": "http://127.0.0.1:1",
        "HF_TOKEN": "",
        "PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring",
    }
    done = first_token("models", "search", "llama", "--json", environment=nowhere)
    found = json.loads(done.stdout)

    assert done.returncode == 0
    assert "the list that comes with the app" in done.stderr
    assert {model["origin"] for model in found} == {"catalog"}
    assert any(model["name"].startswith("Llama 3.1") for model in found)
    refused = first_token("models", "search", "nothing-like-it", environment=nowhere)
    assert (refused.returncode, refused.stderr.count("\n")) == (1, 1)


# --- fit ---


def test_headers_on_the_hub_are_judged_without_a_download(hosted: HubServer, app_home: Path) -> None:
    answer = told(hosted, "models", "fit", MLX_REPO)
    assert isinstance(answer, dict)

    assert (answer["format"], answer["quantization"], answer["verdict"]) == ("mlx", "INT8", "fits")
    assert int(str(answer["weights_bytes"])) > 100_000
    small = told(hosted, "models", "fit", GGUF_REPO, "--variant", "Q4_0")
    large = told(hosted, "models", "fit", GGUF_REPO, "--variant", "int8")
    assert isinstance(small, dict)
    assert isinstance(large, dict)
    assert (small["quantization"], large["quantization"]) == ("Q4_0", "Q8_0")
    assert not (app_home / "models").exists()


# --- pull ---


@pytest.mark.parametrize(
    ("repo", "variant", "place", "quantization"),
    [
        (MLX_REPO, None, MLX_REPO, "INT8"),
        (GGUF_REPO, "int8", f"{GGUF_REPO}/tiny-Q8_0.gguf", "Q8_0"),
        (GGUF_REPO, None, f"{GGUF_REPO}/tiny-Q4_0.gguf", "Q4_0"),
    ],
)
def test_a_model_is_pulled_and_is_installed(
    hosted: HubServer, app_home: Path, repo: str, variant: str | None, place: str, quantization: str
) -> None:
    wanted = ("--variant", variant) if variant else ()
    pulled = told(hosted, "models", "pull", repo, *wanted)
    assert isinstance(pulled, dict)

    assert Path(str(pulled["path"])) == app_home / "models" / place
    described = pulled["quantization"]
    assert isinstance(described, dict)
    assert described["name"] == quantization
    listed = first_token("models", "list", "--json").stdout
    assert [row["path"] for row in json.loads(listed) if not row["is_demo"]] == [pulled["path"]]
    assert not list((app_home / "models").rglob("*.py"))


def test_progress_goes_to_stderr_and_the_result_to_stdout(hosted: HubServer) -> None:
    done = first_token("models", "pull", MLX_REPO, environment=asking(hosted))

    assert done.returncode == 0
    assert done.stdout.count("\n") == 1
    assert "is here" in done.stdout
    assert MLX_REPO in done.stderr
    assert "%" in done.stderr
    assert "\r" not in done.stderr


def test_an_interrupted_pull_goes_on_where_it_was(hosted: HubServer, app_home: Path) -> None:
    hosted.plan(Throttle(60_000), "model.safetensors", part="cdn")
    process = subprocess.Popen(
        [sys.executable, "-m", "desktop", "models", "pull", MLX_REPO],
        env={**os.environ, **asking(hosted)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    )
    try:
        _wait_for_bytes(app_home / "models")
        process.send_signal(signal.SIGINT)
        out, notes = process.communicate(timeout=WAIT_S)
    finally:
        process.kill()
        process.wait()
    assert (process.returncode, out) == (130, "")
    assert "goes on where it was" in notes
    assert "Traceback" not in notes

    hosted.heal()
    before = len(hosted.requests)
    done = first_token("models", "pull", MLX_REPO, environment=asking(hosted))

    assert done.returncode == 0, done.stderr
    assert any(one.byte_range for one in hosted.requests[before:]), "the rest was asked for, not the whole"


def _wait_for_bytes(models: Path) -> None:
    deadline = time.monotonic() + WAIT_S
    while sum(path.stat().st_size for path in models.rglob("*.part") if path.is_file()) < 50_000:
        assert time.monotonic() < deadline, "nothing came"
        time.sleep(0.02)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("no-such/model",), "no-such/model"),
        (("not-a-repository",), "not-a-repository"),
        ((GGUF_REPO, "--variant", "Q5_K_M"), "Choose one of Q4_0, Q8_0"),
    ],
)
def test_what_cannot_be_pulled_is_refused_in_one_line(
    hosted: HubServer, arguments: tuple[str, ...], words: str
) -> None:
    done = first_token("models", "pull", *arguments, environment=asking(hosted))

    assert (done.returncode, done.stdout) == (1, "")
    assert words in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_gated_model_says_how_to_get_access(hosted: HubServer, tmp_path: Path) -> None:
    repo = repo_from_folder("strict/Gated-4bit", tmp_path / "source" / "mlx", ("mlx",))
    repo.gated = "manual"
    hosted.host(repo)
    done = first_token("models", "pull", "strict/Gated-4bit", environment=asking(hosted))

    assert done.returncode == 1
    assert "strict/Gated-4bit" in done.stderr
