"""A native llama-server as a child process: found, started, spoken to, mourned, and never left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import psutil
import pytest

from runtime.engine.llamacpp_engine import LlamaCppEngine
from runtime.engine.llamacpp_guard import end_guarded, output_of, start_guarded
from runtime.engine.llamacpp_native import find_llama_server
from runtime.metrics.device import DeviceInfo, read_device
from runtime.values.errors import EngineUnavailableError, ModelUnsupportedError, SettingsError
from runtime.values.generation import TextDelta
from runtime.values.model import LoadOptions
from tests.models.random_gguf import GgufRecipe, write_random_gguf
from tests.runtime.engine.llamacpp_session import (
    NO_PROGRAMS,
    ask,
    drain,
    error_of,
    loaded_engine,
    run,
    stats_of,
    step_until,
    text_of,
)
from tests.runtime.engine.native_program import shell_script, stand_in_program, stand_ins_below

pytestmark = pytest.mark.skipif(os.name != "posix", reason="the stand-in is a shell script")

ROOT = Path(__file__).resolve().parents[3]
ENVIRONMENT = {"PATH": "/usr/bin:/bin", "GGML_NO_BACKTRACE": "1", "LLAMA_ARG_N_PREDICT": "3"}
WAIT_S = 30.0


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return stand_in_program(tmp_path_factory.mktemp("bin"))


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("models") / "tiny.gguf"
    write_random_gguf(path)
    return path


def device(*simd: str) -> Callable[[], DeviceInfo]:
    return lambda: msgspec.structs.replace(read_device(), simd=simd)


@contextmanager
def native_engine(program: Path, model: Path, options: LoadOptions | None = None) -> Iterator[LlamaCppEngine]:
    engine = LlamaCppEngine(ENVIRONMENT, lambda: 0.0)
    named = msgspec.structs.replace(options or LoadOptions(), llama_server=str(program))
    try:
        engine.load(model, named, lambda _: None)
        yield engine
    finally:
        engine.unload()


def gone(process: psutil.Process) -> bool:
    return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.02)


def test_a_native_server_writes_what_the_embedded_one_writes(program: Path, model: Path) -> None:
    request = ask(max_tokens=20, ignore_end_token=True)
    with native_engine(program, model) as engine:
        native = run(engine, request)
        (server,) = stand_ins_below()
        assert stats_of(native).generated_tokens == 20
    assert gone(server)
    with loaded_engine(model) as engine:
        assert text_of(run(engine, request)) == text_of(native)


def test_the_key_is_in_no_argument_and_our_options_are(program: Path, model: Path) -> None:
    with native_engine(program, model, LoadOptions(context_tokens=512, parallel_requests=2, kv_cache_bits=8)):
        (server,) = stand_ins_below()
        environment, arguments = server.environ(), server.cmdline()
        assert environment["LLAMA_API_KEY"] not in " ".join(arguments)
        assert "LLAMA_ARG_N_PREDICT" not in environment
        assert arguments[arguments.index("--ctx-size") + 1] == "1024"
        assert arguments[arguments.index("--chat-template") + 1] == "chatml"
        assert arguments[arguments.index("--cache-type-k") + 1] == "q8_0"
        socket_path = Path(arguments[arguments.index("--host") + 1])
        assert socket_path.parent.stat().st_mode & 0o077 == 0
    assert not socket_path.parent.exists()


def test_memory_counts_the_server_and_not_only_the_process_that_asks_it(program: Path, model: Path) -> None:
    with native_engine(program, model) as engine:
        events = run(engine, ask(max_tokens=20, ignore_end_token=True))
        (server,) = stand_ins_below()
        server_bytes, own_bytes = server.memory_info().rss, psutil.Process().memory_info().rss
        memory = stats_of(events).memory
        assert engine.memory().server_resident_bytes >= server_bytes
        assert memory.worker_resident_bytes > own_bytes + 0.8 * server_bytes
        assert memory.peak_bytes >= memory.worker_resident_bytes
        server.kill()
        server.wait(WAIT_S)
        assert engine.memory().server_resident_bytes < server_bytes
    with loaded_engine(model) as engine:
        assert engine.memory().server_resident_bytes == 0


def test_it_describes_itself(program: Path, model: Path) -> None:
    engine = LlamaCppEngine(ENVIRONMENT, lambda: 0.0)
    described = engine.load(model, LoadOptions(llama_server=str(program), threads=1), lambda _: None)
    engine.unload()
    assert described.engine_version.startswith("llama-server ")
    assert described.device in {"native llama-server, 1 CPU thread", "CPU, 1 thread, AVX2", "CPU, 1 thread, NEON"}
    assert described.advice is None


def test_a_server_killed_while_writing_fails_the_request(program: Path, model: Path) -> None:
    with native_engine(program, model) as engine:
        engine.submit(ask(number=1, max_tokens=1500, ignore_end_token=True))
        engine.submit(ask(number=2))
        step_until(engine, lambda events: any(isinstance(event, TextDelta) for event in events))
        stand_ins_below()[0].kill()
        events = drain(engine)
        assert error_of([event for event in events if event.id == 1]) == "worker-lost"
        assert error_of([event for event in events if event.id == 2]) == "worker-lost"
        assert not engine.busy()
        engine.load(model, LoadOptions(llama_server=str(program)), lambda _: None)
        assert stats_of(run(engine, ask(max_tokens=2, ignore_end_token=True))).generated_tokens == 2


def test_an_unknown_model_is_told_in_the_servers_words(program: Path, tmp_path: Path) -> None:
    path = tmp_path / "model.gguf"
    write_random_gguf(path, GgufRecipe(architecture="nonsuch"))
    engine = LlamaCppEngine(ENVIRONMENT, lambda: 0.0)
    with pytest.raises(ModelUnsupportedError) as caught:
        engine.load(path, LoadOptions(llama_server=str(program)), lambda _: None)
    assert "unknown model architecture: 'nonsuch'" in caught.value.what
    assert stand_ins_below() == []


def test_a_program_that_is_no_server_says_so(model: Path, tmp_path: Path) -> None:
    for name, body in (("ends", "echo something is wrong; exit 3"), ("old", "echo unknown argument >&2; exit 1")):
        program = shell_script(tmp_path / name, body)
        engine = LlamaCppEngine(ENVIRONMENT, lambda: 0.0)
        with pytest.raises(EngineUnavailableError) as caught:
            engine.load(model, LoadOptions(llama_server=str(program)), lambda _: None)
        assert caught.value.detail.strip() in {"something is wrong", "unknown argument"}


def test_the_server_on_path_is_used_where_it_pays(program: Path, model: Path) -> None:
    environment = {**ENVIRONMENT, "PATH": f"{program.parent}:{ENVIRONMENT['PATH']}"}
    for simd, version in ((("avx512f", "sve"), "llama-server"), ((), "xllamacpp")):
        engine = LlamaCppEngine(environment, lambda: 0.0, device(*simd))
        described = engine.load(model, LoadOptions(), lambda _: None)
        engine.unload()
        assert described.engine_version.startswith(version)


def test_a_broken_server_on_path_gives_way_to_the_embedded_one(model: Path, tmp_path: Path) -> None:
    shell_script(tmp_path / "llama-server", "exit 1")
    environment = {**ENVIRONMENT, "PATH": f"{tmp_path}:{ENVIRONMENT['PATH']}"}
    engine = LlamaCppEngine(environment, lambda: 0.0, device("avx512f", "sve"))
    described = engine.load(model, LoadOptions(), lambda _: None)
    engine.unload()
    assert described.engine_version.startswith("xllamacpp ")


def test_finding_a_server(tmp_path: Path) -> None:
    program = shell_script(tmp_path / "llama-server", "exit 0")
    on_path = {"PATH": str(tmp_path)}
    assert find_llama_server(None, NO_PROGRAMS) is None
    assert find_llama_server(None, on_path) == str(program)
    assert find_llama_server(str(program), NO_PROGRAMS) == str(program)
    program.chmod(0o644)
    assert find_llama_server(None, on_path) is None
    with pytest.raises(SettingsError):
        find_llama_server(str(program), NO_PROGRAMS)


def test_a_guarded_program_ends_when_asked() -> None:
    process = start_guarded(["/bin/sh", "-c", "echo $$; exec sleep 1000"], ENVIRONMENT)
    sleeping = psutil.Process(int(output_of(process).readline()))
    end_guarded(process)
    end_guarded(process)
    assert gone(sleeping)
    output_of(process).close()


def test_a_guarded_programs_own_end_is_seen() -> None:
    process = start_guarded(["/bin/sh", "-c", "exit 7"], ENVIRONMENT)
    assert process.wait(WAIT_S) == 7
    end_guarded(process)
    output_of(process).close()


def test_a_guarded_program_does_not_outlive_a_killed_parent(tmp_path: Path) -> None:
    code = (
        "import sys, time; from runtime.engine.llamacpp_guard import start_guarded\n"
        "process = start_guarded(['/bin/sh', '-c', 'echo $$; exec sleep 1000'], {'PATH': '/usr/bin:/bin'})\n"
        "print(process.stdout.readline().decode(), flush=True); time.sleep(1000)"
    )
    with subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        program = psutil.Process(int(parent.stdout.readline()))
        assert program.name() in {"sleep", "sh", "dash", "bash"}
        os.kill(parent.pid, signal.SIGKILL)
        parent.wait(WAIT_S)
        wait_until(lambda: gone(program))
    assert tmp_path.exists()
