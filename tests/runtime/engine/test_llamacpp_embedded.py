"""The server inside the process: private, silent, and no trouble to the process that it is in."""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from runtime.engine import llamacpp_embedded
from runtime.engine.llamacpp_embedded import EmbeddedServer, import_library
from runtime.engine.llamacpp_http import ServerAddress, ServerClient
from runtime.engine.llamacpp_loading import check_computes, read_gguf
from runtime.engine.llamacpp_server import LoadFailedError, ServerPlan, remove_abandoned
from runtime.values.errors import EngineUnavailableError, InternalError
from tests.models.random_gguf import GgufRecipe, write_random_gguf


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("models") / "tiny.gguf"
    write_random_gguf(path)
    return path


def plan(model: Path) -> ServerPlan:
    return ServerPlan(
        model_path=model,
        context_tokens=512,
        parallel_requests=1,
        decode_threads=1,
        prefill_threads=1,
        batch_tokens=128,
        gpu_layers=None,
        may_have_gpu=False,
        kv_cache_bits=None,
        prompt_cache_mib=0,
    )


@contextmanager
def serving(model: Path) -> Iterator[EmbeddedServer]:
    server = EmbeddedServer(plan(model))
    check_computes(server.client, read_gguf(model))
    try:
        yield server
    finally:
        server.close()
        server.close()


def socket_folders(folder: Path) -> list[Path]:
    return list(folder.glob("first-token-*"))


@pytest.fixture
def temporary_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder with a short path that temporary files go to in this test."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return tmp_path


def test_it_listens_in_a_folder_that_is_ours_and_leaves_nothing(model: Path, temporary_folder: Path) -> None:
    with serving(model):
        (folder,) = socket_folders(temporary_folder)
        assert folder.stat().st_mode & 0o777 == 0o700
        assert (folder / "llama.sock").is_socket()
    assert socket_folders(temporary_folder) == []


def test_where_a_sockets_path_would_be_too_long_it_listens_on_loopback(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    long = tmp_path / ("x" * 120)
    long.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(long))
    with serving(model) as server:
        assert b"ok" in server.client.call("/health", timeout_s=5)
    assert list(long.iterdir()) == []


def test_folders_of_killed_workers_are_removed_and_no_others(tmp_path: Path) -> None:
    names = ("first-token-dead", "first-token-heard", "first-token-young", "first-token-other")
    dead, heard, young, other = (tmp_path / name for name in names)
    for folder in (dead, heard, young, other):
        folder.mkdir()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(heard / "llama.sock"))
        listener.listen()
        for folder in (dead, young):
            with socket.socket(socket.AF_UNIX) as closed:
                closed.bind(str(folder / "llama.sock"))
        long_ago = time.time() - 1000
        for folder in (dead, heard):
            os.utime(folder / "llama.sock", (long_ago, long_ago))
        remove_abandoned(tmp_path, time.time())
    assert sorted(folder.name for folder in tmp_path.iterdir()) == sorted(names[1:])


def test_without_the_key_it_answers_nothing_of_value(model: Path, temporary_folder: Path) -> None:
    with serving(model) as server:
        (folder,) = socket_folders(temporary_folder)
        stranger = ServerClient(ServerAddress(socket_path=str(folder / "llama.sock")), "wrong")
        for path, body in (("/tokenize", b'{"content":"a"}'), ("/completion", b'{"prompt":"a"}'), ("/props", None)):
            with pytest.raises(InternalError, match="Invalid API Key"):
                stranger.call(path, body, timeout_s=5)
        for path in ("/slots", "/metrics"):
            with pytest.raises(InternalError):
                server.client.call(path, timeout_s=5)


def test_a_failed_load_has_its_reason_and_leaves_nothing(tmp_path: Path, temporary_folder: Path) -> None:
    path = tmp_path / "model.gguf"
    write_random_gguf(path, GgufRecipe(with_tokenizer=False))
    with pytest.raises(LoadFailedError, match=r"key not found in model: tokenizer\.ggml\.model"):
        EmbeddedServer(plan(path))
    assert socket_folders(temporary_folder) == []


def test_stderr_is_given_back(model: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with serving(model):
        os.write(2, b"still here\n")
    assert "still here" in capfd.readouterr().err


def test_signals_keep_their_handlers(model: Path) -> None:
    received: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, _: received.append(number))
    try:
        with serving(model):
            os.kill(os.getpid(), signal.SIGTERM)
            assert received == [signal.SIGTERM]
    finally:
        signal.signal(signal.SIGTERM, before)


def test_a_machine_without_the_package_is_told_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(llamacpp_embedded, "PACKAGE", "no_such_package")
    with pytest.raises(EngineUnavailableError, match="llama-server"):
        import_library()


def test_a_model_may_begin_within_a_character(tmp_path: Path) -> None:
    """The first byte of a Chinese character alone: the server holds it back, which is no sign of damage."""
    tokenizer = write_random_gguf(tmp_path / "any.gguf")
    lead_byte = tokenizer.token_to_id("ä")  # How byte-level tokenizers write 0xE4.
    assert lead_byte is not None
    write_random_gguf(tmp_path / "model.gguf", GgufRecipe(chain=(lead_byte,)))

    with serving(tmp_path / "model.gguf") as server:
        assert server.why_dead() is None
